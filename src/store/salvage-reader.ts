/** The process in which a damaged store is read: `salvage.ts` says why. Arguments: its folder, bytes an answer. */
import { once } from 'node:events'
import { sha256 } from '../codec/digest.ts'
import { unseal } from './checksum.ts'
import { levelDatabase } from './database.ts'
import { faultOf, LOCKED_OUT } from './faults.ts'
import { blockIn, META, PREFIX } from './keys.ts'
import { restoreCurrent } from './level-manifest.ts'

/** Keys and values; none: that was all. */
export type Records = readonly (readonly [string, Uint8Array])[]

const isSound = (key: string, value: Uint8Array): boolean =>
  key.startsWith(PREFIX.block) ? sha256(value) === blockIn(key)?.digest : unseal(key, value) !== undefined

const { block, quarantine, ...others } = PREFIX
/** Blocks last, since the others say what they are of. */
const KINDS = [META, ...Object.values(others), block]

/**
 * A few more bytes than `maxBytes` at a time, of one kind. LevelDB leaves out what it cannot read and says so at the end of
 * a kind, which then keeps nobody from the next.
 */
async function* soundRecords(dir: string, maxBytes: number): AsyncGenerator<Records> {
  await restoreCurrent(dir)
  const old = levelDatabase(dir, { mustExist: true, oneByOne: true })
  await old.open().catch((error: unknown) => {
    if (faultOf(error) === 'locked') process.exit(LOCKED_OUT)
    throw error
  })
  let failure: { readonly error: unknown } | undefined
  for (const kind of KINDS) {
    let records: [string, Uint8Array][] = []
    let bytes = 0
    try {
      for await (const [key, value] of old.entries(kind)) {
        if (!isSound(key, value)) continue
        records.push([key, value.slice()])
        bytes += value.length
        if (bytes < maxBytes) continue
        yield records
        records = []
        bytes = 0
      }
    } catch (error) {
      failure ??= { error }
    }
    if (records.length > 0) yield records
  }
  if (failure !== undefined) throw failure.error
  yield []
}

const [dir = '', maxBytes] = process.argv.slice(2)
process.once('disconnect', () => process.exit(1))
// Its parent ends it; a terminal tells both at once.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
// Each answer is asked for, so that no more than one is in memory, and the one before has arrived.
await once(process, 'message')
for await (const records of soundRecords(dir, Number(maxBytes))) {
  const asked = once(process, 'message')
  process.send?.(records)
  await asked
}
