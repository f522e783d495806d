import { MeshError } from '../errors.ts'
import { bytesOf, type LogPort, type Write } from '../runtime/ports.ts'

const MIB = 1024 * 1024
/**
 * Of commits that are not blocks alone. A start in a fleet of 20,000 channels brings as much at once; of one that publishes by
 * the hour it is what comes in half an hour or more.
 */
export const MAX_WAITING_BYTES = 64 * MIB

/**
 * How much waits to be committed. A disk may hang without an error, and what peers say of channels and beacons comes all the
 * same: it would fill the memory of a node that could have served on. What is refused never came near LevelDB, and is tried
 * again as any write that failed: the core writes what it keeps of those channels then, batch after batch.
 *
 * Blocks by themselves are always taken: whoever asks for them bounds them (`maxWantBytes`, `maxUploads`), and one that is
 * refused would be sent again.
 */
export class CommitBytes {
  readonly #folders: string
  readonly #log: LogPort
  #waiting = 0
  #said = false

  /** @param folders that commits are written to, for people */
  constructor(folders: string, log: LogPort) {
    this.#folders = folders
    this.#log = log
  }

  /** @param begin puts it in line. @throws MeshError STORE_FAILED at once where too much waits, else as `begin` does */
  async of(writes: readonly Write[], begin: () => Promise<void>): Promise<void> {
    const bytes = writes.every(({ kind }) => kind === 'block') ? 0 : bytesOf(writes)
    // One that is larger by itself goes in as well, or it never would.
    if (bytes > 0 && this.#waiting >= MAX_WAITING_BYTES) throw this.#refusal()
    this.#waiting += bytes
    try {
      await begin()
    } finally {
      this.#waiting -= bytes
      if (this.#waiting === 0) this.#said = false
    }
  }

  /** Said once, until nothing waits any more. */
  #refusal(): MeshError {
    const code = 'STORE_FAILED'
    const text = `${this.#folders}: the disk does not answer, and ${MAX_WAITING_BYTES / MIB} MiB wait for it; until it does, what is newest of each channel is kept in memory and submissions are refused; find out why the disk hangs (docs/operations.md#store-slow)`
    if (!this.#said) this.#log.note({ kind: 'note', level: 'error', code, text })
    this.#said = true
    return new MeshError(code, text, { isSaid: true })
  }
}
