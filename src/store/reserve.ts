import { type Code, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { EventOf, LogPort, Write } from '../runtime/ports.ts'
import { DiskProbe } from './disk-probe.ts'
import { faultOf } from './faults.ts'
import { pick } from './operations.ts'

const MIB = 1024 * 1024
/**
 * So many times what a full disk must have before the store writes again: it is not to come as far, and LevelDB may need some
 * 25 MiB for a while.
 */
const PROBES = 4
/** Of a small disk that would be most of it. */
const SHARE = 1 / 8
/** Of blocks, between two looks at the disk. */
const EVERY_BYTES = 4 * MIB
/** While it lasts, and where it comes again sooner. */
const SAY_AGAIN_MS = 10 * 60_000

export interface ReserveInit {
  readonly dir: string
  readonly limits: Pick<Limits, 'storeProbeBytes' | 'storeProbeMs'>
  readonly log: LogPort
  /** Told what the store takes, whenever that is something else. */
  readonly emit?: ((event: EventOf<'storeMode'>) => void) | undefined
  /** @throws ENOSPC where the disk has fewer bytes left, and less than this share of all of it */
  readonly demandRoom: (bytes: number, share: number) => Promise<void>
}

/**
 * The last of the disk is not for blocks. A release larger than what is free would take every byte of it, and on a full disk
 * no channel stores an order, and nothing is removed, for to remove is to write.
 */
export class Reserve {
  readonly #init: ReserveInit
  readonly #bytes: number
  readonly #probe: DiskProbe
  /** Of blocks that are taken before the disk is looked at again. */
  #left = 0
  #looking: Promise<void> | undefined
  #short: MeshError | undefined
  #readOnly: Code | undefined
  #saidMonoMs = Number.NEGATIVE_INFINITY
  #isStopped = false

  constructor(init: ReserveInit) {
    this.#init = init
    this.#bytes = PROBES * init.limits.storeProbeBytes
    this.#probe = new DiskProbe({ pauseMs: init.limits.storeProbeMs, attempt: () => this.#look() })
  }

  /**
   * Of what holds nothing but blocks: an order, a small release with its blocks and what is removed may have the last bytes.
   *
   * @returns undefined: to be written at once; else resolved when it may be, rejected with STORE_FULL
   */
  demand(writes: readonly Write[]): Promise<void> | undefined {
    const blocks = pick(writes, 'block')
    if (blocks.length === 0 || blocks.length < writes.length) return undefined
    if (this.#short !== undefined) return Promise.reject(this.#short)
    const bytes = blocks.reduce((sum, block) => sum + block.bytes.length, 0)
    this.#left -= bytes
    return this.#left < 0 ? this.#look() : undefined
  }

  /** The store takes no writes any more, and why, or takes them again: what was seen of the disk before holds no longer. */
  onMode(readOnly: Code | undefined): void {
    this.#readOnly = readOnly
    this.#left = 0
    this.#tell()
  }

  stop(): void {
    this.#isStopped = true
    this.#probe.stop()
  }

  /** Once for all that wait for it. @throws MeshError STORE_FULL */
  #look(): Promise<void> {
    this.#looking ??= this.#lookNow().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #lookNow(): Promise<void> {
    const fault = await this.#init.demandRoom(this.#bytes, SHARE).then(() => undefined, faultOf)
    this.#left = EVERY_BYTES
    // A disk that cannot be asked says what is wrong with it when it is written to.
    if (!this.#isStopped) this.#setShort(fault === 'full')
    if (this.#short !== undefined) throw this.#short
  }

  #setShort(isShort: boolean): void {
    const { dir, log } = this.#init
    const mib = Math.ceil(this.#bytes / MIB)
    const text = `${dir}: less than ${mib} MiB, or an eighth of a small disk, is free: so that orders still have room, content is neither fetched nor taken until there is more; free space (docs/operations.md#store-full)`
    if (isShort && performance.now() - this.#saidMonoMs >= SAY_AGAIN_MS) {
      this.#saidMonoMs = performance.now()
      log.note({ kind: 'note', level: 'error', code: 'STORE_FULL', text })
    }
    if (isShort === (this.#short !== undefined)) return
    this.#short = isShort ? new MeshError('STORE_FULL', text, { dir }) : undefined
    if (isShort) this.#probe.start(false)
    else this.#probe.stop()
    this.#tell()
  }

  #tell(): void {
    const [code, short] = [this.#readOnly, this.#short !== undefined]
    const mode = { readOnly: code !== undefined, ...(code && { code }), ...(short && { short }) }
    this.#init.emit?.({ kind: 'storeMode', ...mode })
  }
}
