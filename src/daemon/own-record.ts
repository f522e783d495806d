/** The node's own peer record, as it is given to peers. */
import type { Address } from '../model/ids.ts'

/** As many as a peer record may hold. */
const MAX_RECORD_ADDRESSES = 16

/**
 * A fresh record makes every peer check a signature: it is signed anew only where the addresses are others, or peers hold
 * a later one. Each is later than the one before, also where the clock was set back, or peers would keep to that.
 */
export function signedWhenChanged(
  addresses: () => readonly string[],
  sign: (addresses: readonly Address[], at: number) => Uint8Array,
  nowMs: () => number = Date.now,
): (notBefore: number) => Uint8Array {
  let last: { readonly addresses: string; readonly at: number; readonly record: Uint8Array } | undefined
  return (notBefore) => {
    const own = addresses().slice(0, MAX_RECORD_ADDRESSES) as Address[]
    const text = own.join(' ')
    if (last?.addresses !== text || last.at < notBefore) {
      const at = Math.max(nowMs(), notBefore, (last?.at ?? 0) + 1)
      last = { addresses: text, at, record: sign(own, at) }
    }
    return last.record
  }
}
