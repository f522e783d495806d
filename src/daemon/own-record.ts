/** What the node signs of itself: peer record, heartbeat and, with a pool's key, its certificate. */
import { MAX_TIME_MS } from '../codec/ids.ts'
import type { CoreConfig } from '../core/config.ts'
import { LIMITS, type Limits } from '../limits.ts'
import type { Stopgap } from '../model/heartbeat.ts'
import type { Address } from '../model/ids.ts'
import type { Validity } from '../trust/certificates.ts'

/** As many as a peer record may hold. */
const MAX_RECORD_ADDRESSES = 16
/** As many as a heartbeat may hold. */
const MAX_HEARTBEAT_ADDRESSES = 8

/** A clock a little behind must not make a certificate that is not valid yet. */
const SKEW_MS = 3_600_000
/** The pool's own end bounds it. */
const OWN_CERTIFICATE_MS = 365 * 86_400_000
/** Long before anybody is warned of its end. */
const RENEW_MS = OWN_CERTIFICATE_MS / 2

/**
 * A certificate is of the time that the clock said when it was signed. A host may start with a clock that is years behind
 * or days ahead and have it set right later: then it is signed anew, or every peer would refuse this node until its next
 * start. So it is when half of it is over, for a node that runs on.
 */
export function signedForItsTime(
  sign: (validity: Validity) => readonly Uint8Array[],
): (wallMs: number) => readonly Uint8Array[] {
  let last:
    | { readonly notBefore: number; readonly renewAt: number; readonly chain: readonly Uint8Array[] }
    | undefined
  return (wallMs) => {
    // A document knows no time before 1970, where a host without a battery begins, and none after MAX_TIME_MS.
    const at = Math.min(Math.max(wallMs, SKEW_MS), MAX_TIME_MS - OWN_CERTIFICATE_MS)
    if (last === undefined || at < last.notBefore || at > last.renewAt) {
      const [notBefore, notAfter] = [at - SKEW_MS, at + OWN_CERTIFICATE_MS]
      last = { notBefore, renewAt: notAfter - RENEW_MS, chain: sign({ notBefore, notAfter }) }
    }
    return last.chain
  }
}

/**
 * A fresh record makes every peer check a signature: it is signed anew only where the addresses or the certificate are
 * others, or peers hold a later one. Each is later than the one before, also where the clock was set back, or peers would keep to that:
 * all but what no peer took, for its certificate had not begun anywhere. Were that outdone, a clock that was years ahead for
 * a minute would move all later records as far, and what this node signs after a restart be too old for everybody.
 */
export function signedWhenChanged(
  addresses: () => readonly string[],
  chain: (wallMs: number) => readonly Uint8Array[],
  sign: (addresses: readonly Address[], chain: readonly Uint8Array[], at: number) => Uint8Array,
  { admitSkewMs }: Limits,
  nowMs: () => number = Date.now,
): (notBefore: number) => Uint8Array {
  let last:
    | {
        readonly addresses: string
        readonly chain: readonly Uint8Array[]
        /** When this chain was signed, by the clock of then. */
        readonly chainMs: number
        readonly at: number
        readonly record: Uint8Array
      }
    | undefined
  return (notBefore) => {
    const own = addresses().slice(0, MAX_RECORD_ADDRESSES) as Address[]
    const text = own.join(' ')
    const wallMs = nowMs()
    const links = chain(wallMs)
    if (last?.addresses !== text || last.chain !== links || last.at < notBefore) {
      const chainMs = last?.chain === links ? last.chainMs : wallMs
      const hadBegun = last?.chain === links || (last?.chainMs ?? 0) - SKEW_MS <= wallMs + admitSkewMs
      const at = Math.max(wallMs, notBefore, hadBegun ? (last?.at ?? 0) + 1 : 0)
      last = { addresses: text, chain: links, chainMs, at, record: sign(own, links, at) }
    }
    return last.record
  }
}

/**
 * The node's own heartbeat, with as many of its addresses as there is room for beside its certificate: peers refuse one
 * that is too long, and with it every hello that brings it.
 * @param onTooLong called once, when not even one address fits: such a node does not stand for gateway
 */
export function signedToFit(
  addresses: () => readonly string[],
  sign: (addresses: readonly Address[], at: number, stopgap: Stopgap | undefined) => Uint8Array,
  limits: Limits,
  onTooLong: () => void,
): NonNullable<CoreConfig['signHeartbeat']> {
  // Where this host takes longer ones, others do not.
  const maxHeartbeatBytes = Math.min(limits.maxHeartbeatBytes, LIMITS.maxHeartbeatBytes)
  let isSaid = false
  return (at, stopgap) => {
    const own = addresses().slice(0, MAX_HEARTBEAT_ADDRESSES) as Address[]
    for (let count = own.length; count > 0; count -= 1) {
      const heartbeat = sign(own.slice(0, count), at, stopgap)
      if (heartbeat.length <= maxHeartbeatBytes) return heartbeat
    }
    if (own.length > 0 && !isSaid) {
      isSaid = true
      onTooLong()
    }
    return undefined
  }
}
