import { setImmediate } from 'node:timers/promises'
import type { LogPort } from '../runtime/ports.ts'
import { storeError } from './faults.ts'
import type { GuardedDatabase } from './guarded-database.ts'
import type { StoreIndex } from './index-in-memory.ts'
import { type BlockLine, blockLines, PREFIX, rangeOf } from './keys.ts'

const MIB = 1024 * 1024
/** So much may be dead in all: whoever gave it back sooner would write the live blocks between anew, again and again. */
const DEAD_BYTES = 32 * MIB
/** Merged in one go: a stop waits for it, and LevelDB's own merging. */
const PIECE_BYTES = 16 * MIB
/** A block's key, once in its table and once in the table's index, and what LevelDB writes around it. */
const KEY_BYTES = 90
const BLOCKS_A_TURN = 4_096
/** Less in one place stays: the tables at its ends, of 2 MiB each, are written anew with it. */
const LEAST_BYTES = 8 * MIB

interface Live {
  /** Its place on the line. */
  readonly at: number
  readonly bytes: number
}

interface Piece {
  readonly from: string
  readonly to: string
  /** What is written anew of it, beside what LevelDB would have merged anyway. */
  readonly liveBytes: number
}

export interface DeadSpaceInit {
  readonly dir: string
  readonly database: Pick<GuardedDatabase, 'sizeOf' | 'compact' | 'check'>
  readonly index: () => StoreIndex
  readonly log: LogPort
}

/** That it failed is said as often. */
const SAY_AGAIN_MS = 10 * 60_000

/**
 * Gives back the room of blocks that are gone. LevelDB does not by itself: nothing new comes among their keys, which ascend,
 * so that what says that they are gone stays in the upper levels and never meets them (`keys.ts`).
 *
 * What is dead is what the tables have beyond the live blocks, also from lives before. It is looked for by halves, and only
 * where at least half is dead it is merged: a byte given back costs about one written, and the store has at most twice its
 * live bytes and some tens of MiB. Commits and reads go on beside it.
 */
export class DeadSpace {
  readonly #init: DeadSpaceInit
  #running: Promise<void> | undefined
  #isAsked = false
  #isStopped = false
  #saidMonoMs = Number.NEGATIVE_INFINITY

  constructor(init: DeadSpaceInit) {
    this.#init = init
  }

  /**
   * Begins, or looks once more when it is through. Never rejects: what fails is noted, and tried when this is called again.
   *
   * @returns resolved once it is through
   */
  async giveBack(): Promise<void> {
    this.#isAsked = true
    this.#running ??= this.#run()
    await this.#running
  }

  /** Resolves once nothing is merged any more. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    while (this.#isAsked && !this.#isStopped) {
      this.#isAsked = false
      await this.#giveBack().catch((error: unknown) => {
        // While little room is left it is tried again each half minute.
        if (performance.now() - this.#saidMonoMs < SAY_AGAIN_MS) return
        this.#saidMonoMs = performance.now()
        const { code, message } = storeError(error, this.#init.dir)
        const text = `room of removed blocks not given back: ${message}`
        this.#init.log.note({ kind: 'note', level: 'warn', code, text })
      })
    }
    this.#running = undefined
  }

  async #giveBack(): Promise<void> {
    const { database, index } = this.#init
    const { gte, lt } = rangeOf(PREFIX.block)
    const { blockBytes, blocks } = index()
    if ((await database.sizeOf(gte, lt)) - blockBytes - blocks.size * KEY_BYTES < DEAD_BYTES) return
    const pieces: Piece[] = []
    for (const line of blockLines(index().newest)) {
      const live = await liveOn(line, index())
      for await (const piece of this.#mostlyDead(line, line.from, line.to, live)) pieces.push(piece)
    }
    // The room of those that cost least may be what the others need.
    pieces.sort((a, b) => a.liveBytes - b.liveBytes)
    const failures: unknown[] = []
    let merged = 0
    for (const { from, to, liveBytes } of pieces) {
      if (this.#isStopped) break
      try {
        await database.compact(from, to, liveBytes)
        merged += 1
      } catch (error) {
        failures.push(error)
      }
    }
    if (merged > 0) await database.check()
    if (failures.length > 0) throw failures[0]
  }

  async *#mostlyDead(
    line: BlockLine,
    from: number,
    to: number,
    live: readonly Live[],
  ): AsyncGenerator<Piece> {
    if (this.#isStopped) return
    const piece = { from: line.keyAt(from), to: line.keyAt(to), liveBytes: 0 }
    for (const { bytes } of live) piece.liveBytes += bytes
    const bytes = await this.#init.database.sizeOf(piece.from, piece.to)
    const dead = bytes - piece.liveBytes
    if (this.#isStopped || dead < LEAST_BYTES) return
    if (bytes <= PIECE_BYTES && dead >= piece.liveBytes) return yield piece
    if (to - from <= 1) return
    const middle = Math.floor((from + to) / 2)
    yield* this.#mostlyDead(
      line,
      from,
      middle,
      live.filter(({ at }) => at < middle),
    )
    yield* this.#mostlyDead(
      line,
      middle,
      to,
      live.filter(({ at }) => at >= middle),
    )
  }
}

/** As of now: what is written later lies behind, or makes its place look more dead than it is. */
async function liveOn(line: BlockLine, index: StoreIndex): Promise<readonly Live[]> {
  const live: Live[] = []
  let looked = 0
  for (const [digest, bytes] of index.blocks) {
    const at = line.placeOf(digest, index.numberOf(digest))
    if (at !== undefined) live.push({ at, bytes: bytes + KEY_BYTES })
    if (++looked % BLOCKS_A_TURN === 0) await setImmediate()
  }
  return live
}
