import { MeshError } from '../errors.ts'
import { bytesOf, type LogPort, type Write } from '../runtime/ports.ts'
import { type CommitTimes, SLOW_MS } from './commit-times.ts'

const MIB = 1024 * 1024
/** Of commits that are not blocks alone. Of a fleet of 20,000 channels that publishes by the hour it is what comes in half an hour or more. */
export const MAX_WAITING_BYTES = 64 * MIB
/** One commit may be as large as all that a root or a start takes away: by itself it must keep out nothing else. */
const MAX_COUNTED = MAX_WAITING_BYTES / 2
/** With less than that the disk has caught up: should it fall behind again, that is said anew. */
const CAUGHT_UP_BYTES = MAX_WAITING_BYTES / 2
const ALWAYS_TAKEN: ReadonlySet<Write['kind']> = new Set([
  'block',
  'audit',
  'dropLease',
  'dropEnvelope',
  'unwhole',
])

/**
 * How much waits to be committed. A disk may hang without an error, and what peers say of channels and beacons comes all the
 * same: it would fill the memory of a node that could have served on. What is refused never came near LevelDB, and is tried
 * again as any write that failed: the core writes what it keeps of those channels then, batch after batch.
 *
 * A disk that answers may be given more than that at once, as by the first comparison in a large fleet: only where what waits has
 * waited for long, too, is it too much.
 *
 * Blocks by themselves are always taken: whoever asks for them bounds them (`maxWantBytes`, `maxUploads`), and one that is
 * refused would be sent again. So are lines of the audit log and what is taken away: a refusal would lose them, for they are
 * written once only; they are small, and no more than uploads, leases, collections and `auditsPerSecond` allow.
 */
export class CommitBytes {
  readonly #folders: string
  readonly #times: Pick<CommitTimes, 'ageMs'>
  readonly #log: LogPort
  #waiting = 0
  #said = false

  /**
   * @param folders that commits are written to, for people
   * @param times of all commits
   */
  constructor(folders: string, times: Pick<CommitTimes, 'ageMs'>, log: LogPort) {
    this.#folders = folders
    this.#times = times
    this.#log = log
  }

  /** @param begin puts it in line. @throws MeshError STORE_FAILED at once where too much waits, else as `begin` does */
  async of(writes: readonly Write[], begin: () => Promise<void>): Promise<void> {
    const bytes = writes.every(({ kind }) => ALWAYS_TAKEN.has(kind))
      ? 0
      : Math.min(MAX_COUNTED, bytesOf(writes))
    if (bytes > 0 && this.#waiting >= MAX_WAITING_BYTES && this.#times.ageMs() >= SLOW_MS)
      throw this.#refusal()
    this.#waiting += bytes
    try {
      await begin()
    } finally {
      this.#waiting -= bytes
      if (this.#waiting < CAUGHT_UP_BYTES) this.#said = false
    }
  }

  /** Said once, until the disk has caught up. On a node of many channels something always waits. */
  #refusal(): MeshError {
    const code = 'STORE_FAILED'
    const text = `${this.#folders}: the disk does not keep up: a commit has been under way for ${Math.round(this.#times.ageMs() / 1_000)} s, and ${MAX_WAITING_BYTES / MIB} MiB wait; until they are written, what is newest of each channel is kept in memory and submissions are refused; find out what holds the disk up (docs/operations.md#store-slow)`
    if (!this.#said) this.#log.note({ kind: 'note', level: 'error', code, text })
    this.#said = true
    return new MeshError(code, text, { isSaid: true })
  }
}
