/** What is due now and then: writes to try again, the wait of a node without a floor, damage, the cache, the root's end. */
import type { Digest, Pattern, ReleaseId } from '../model/ids.ts'
import { settleCell } from './activate.ts'
import { targetOf } from './channel.ts'
import type { EventOf, Now, Ticket } from './events.ts'
import type { Entry } from './ledger.ts'
import { type AdmittedSession, mayShare } from './session.ts'
import { isKnown, type NodeState, neededBy, servedOf } from './state.ts'
import type { Step } from './step.ts'
import { sliceOf } from './unsaved.ts'
import type { Write } from './writes.ts'

const SAVE_RETRY_MS = 5_000
const COLLECT_EVERY_MS = 30_000
/** A collection reads what every stored release is made of: it takes a tenth of the time. */
const COLLECT_PAUSES = 9
/** A process or disk that stood still meanwhile says nothing of that, and what the cache has too much of grows by the minute. */
const MOST_PAUSE_MS = 10 * 60_000
/** Damage is looked for once in this time at most, however many blocks are reported. */
const CHECK_EVERY_MS = 10_000
/** Releases looked at in one go. */
const CHECKS_AT_ONCE = 8
const ROOT_LOOK_EVERY_MS = 24 * 3_600_000
const NOBODY_REACHED =
  'no peer that stores any of its channels could be compared with before the first activation; what is newest is not known; does it reach a seed (confmesh doctor)?'
const NO_BEACON =
  'no beacon came before the first activation: that what peers have is the newest is not known; are the seeds up (confmesh doctor)?'
/**
 * A node without any floor, new or with its disk lost, compares with so many peers before it activates anything, and before it
 * activates a channel of which it had none; a seed with what it had stored, before it takes a release.
 */
export const FIRST_COMPARES = 3

export interface UploadsUnderWay {
  /** So many are done, or were given up. */
  readonly closed: number
  /** Pages and blocks that they name. */
  named(): readonly Digest[]
}

export interface PeersCompared {
  /** Peers that store something of what this node does and were compared with since start. */
  comparedPeers(): number
  /** There is such a peer, though it may have more than it could hand over yet. */
  hasReached(): boolean
  /** One of them stores something of this own pattern. */
  hasCompared(pattern: Pattern): boolean
}

export interface HousekeepingHooks {
  readonly sync: PeersCompared
  heardBeacon(): boolean
  admitted(): Iterable<AdmittedSession>
  /** It counts as whole, unless something of it is gone. */
  review(step: Step, release: ReleaseId): void
  uploads(): UploadsUnderWay | undefined
  fetching(): readonly ReleaseId[]
  /** Those among them whose pages are not all read yet. */
  reading(): readonly ReleaseId[]
}

export class Housekeeping {
  readonly #node: NodeState
  readonly #hooks: HousekeepingHooks
  /** Whoever reached nobody by then goes by what is here, if anything is. */
  #comparesUntilMonoMs = Number.POSITIVE_INFINITY
  #saveAtMonoMs: number | undefined
  /** The slice that is being written. */
  #slice: Ticket | undefined
  #collectAtMonoMs: number | undefined
  /** When the one that is under way began. */
  #collectingMonoMs: number | undefined
  #nextCollectMonoMs = 0
  #checkAtMonoMs: number | undefined
  #nextCheckMonoMs = 0
  #suspects: ReleaseId[] = []
  /** All that count were looked at once since the start, or are being. */
  #checked = false
  #rootLookAtMonoMs = 0
  #uploadsClosed = 0

  constructor(node: NodeState, hooks: HousekeepingHooks) {
    this.#node = node
    this.#hooks = hooks
  }

  onStarted(step: Step): void {
    this.#comparesUntilMonoMs = step.now.monoMs + this.#node.config.limits.floorLostWaitMs
    if (this.#node.waitUntilMonoMs !== undefined) step.wakeAt(this.#node.waitUntilMonoMs)
    this.#lookAtRoot(step)
    this.saveNow(step)
  }

  /**
   * Patterns name no channels: until a peer was compared with that stores something of one, it is not known which there
   * are. Channels of one pattern, stored or heard of, tell nothing of another that was configured since; but nobody may
   * store anything of it yet, so it is not waited for long. The seeds of a new fleet may name one another, and the next
   * one, or the first release, waits until the first is ready.
   */
  hasCompared(now: Now, pattern: Pattern): boolean {
    const { seeds, submit } = this.#node.config
    if (seeds.length === 0 || this.#hooks.sync.hasCompared(pattern)) return true
    if (now.monoMs < this.#comparesUntilMonoMs) return false
    return submit || this.#hooks.sync.comparedPeers() > 0 || this.#node.cells.values().some(isKnown)
  }

  /** The wait of a node, or a channel, without a floor ends as soon as enough peers were compared with. */
  afterEvent(step: Step): void {
    const closed = this.#hooks.uploads()?.closed ?? 0
    // One is done or was given up: in the second case its blocks are nobody's, however long others go on.
    if (closed > this.#uploadsClosed) this.collectSoon(step)
    this.#uploadsClosed = closed
    const until = this.#node.waitUntilMonoMs
    if (until === undefined) return
    const inTime = step.now.monoMs < until
    if (inTime && !this.#knowsEnough()) return
    this.#node.waitUntilMonoMs = undefined
    const cells = [...this.#node.cells.values()]
    const waited = cells.filter(({ stored, hadFloor }) => stored && !hadFloor)
    const hasWaited = waited.length > 0 || !cells.some(({ stored }) => stored)
    if (!inTime && hasWaited) {
      const text = !this.#hooks.sync.hasReached() ? NOBODY_REACHED : this.#lacksBeacon ? NO_BEACON : undefined
      if (text !== undefined) step.emit({ kind: 'note', level: 'warn', code: 'SYNC_SILENT', text })
    }
    for (const cell of waited) settleCell(this.#node, step, cell)
  }

  #knowsEnough(): boolean {
    const compared = this.#hooks.sync.comparedPeers()
    const enough = Math.max(1, Math.min(FIRST_COMPARES, this.#dialled()))
    return compared >= enough && !this.#lacksBeacon
  }

  /** Some are to come, and none has since the start. */
  get #lacksBeacon(): boolean {
    return this.#node.roots.current().freshness.keys.length > 0 && !this.#hooks.heardBeacon()
  }

  /** Admitted peers that store something of what this node does and were dialled from here: those are compared with at once. */
  #dialled(): number {
    const { patterns } = this.#node.config
    const dialled = [...this.#hooks.admitted()].filter(({ direction }) => direction === 'outbound')
    return dialled.filter(({ hello }) => mayShare(patterns, hello.patterns)).length
  }

  onWritten(step: Step, { ticket }: EventOf<'persisted'>, entry: Entry): void {
    // What it replaces may have been dropped before it came.
    if (entry.whole.length > 0) this.collectSoon(step)
    const isSlice = ticket === this.#slice
    if (isSlice) this.#slice = undefined
    // A root is on disk before what it raises.
    if (isSlice || entry.roots.length > 0) this.saveNow(step)
  }

  onWriteFailed(step: Step, { ticket }: EventOf<'persistFailed'>, entry: Entry): void {
    if (ticket === this.#slice) this.#slice = undefined
    if (entry.roots.length === 0 && entry.channels.length === 0) return
    this.#saveAtMonoMs = step.now.monoMs + SAVE_RETRY_MS
    step.wakeAt(this.#saveAtMonoMs)
  }

  /**
   * What is in memory only. The next slice follows when the one before is on disk, so that what is held for the disk, more
   * than once while it is written, stays small, and what else is to be written comes in between.
   */
  saveNow(step: Step): void {
    this.#saveAtMonoMs = undefined
    if (this.#slice !== undefined) return
    const writes = sliceOf(this.#node)
    if (writes.length === 0) return
    this.#slice = step.nextTicket()
    step.emit({ kind: 'persist', ticket: this.#slice, writes, sync: true })
  }

  /** Room is made, and what could not be written is. */
  onStoreMode(step: Step): void {
    this.collectSoon(step)
    if (this.#node.readOnly === undefined) this.saveNow(step)
  }

  /** A fetch that was ended, or a disk that takes writes again: what came of it is cache. */
  collectSoon(step: Step): void {
    this.#collectAtMonoMs ??= Math.max(step.now.monoMs + COLLECT_EVERY_MS, this.#nextCollectMonoMs)
    step.wakeAt(this.#collectAtMonoMs)
  }

  /** What is to be kept is said anew for the next one: a list made while this one read would lack what came since. */
  onCollected(step: Step): void {
    const { monoMs } = step.now
    const tookMs = monoMs - (this.#collectingMonoMs ?? monoMs)
    this.#nextCollectMonoMs = monoMs + Math.min(MOST_PAUSE_MS, COLLECT_PAUSES * tookMs)
    this.#collectingMonoMs = undefined
    if (this.#collectAtMonoMs === undefined) return
    this.#collectAtMonoMs = Math.max(this.#collectAtMonoMs, this.#nextCollectMonoMs)
    step.wakeAt(this.#collectAtMonoMs)
  }

  /**
   * Which release the block was of is not known in memory: those that count are read through again. One that nothing here
   * counted on is of none of them, unless it was lost in a life before and the record of a release was left: once is enough.
   */
  onBlockLost(step: Step, counted: boolean): void {
    if (!counted && this.#checked) return
    this.#checkAtMonoMs ??= Math.max(step.now.monoMs + 1, this.#nextCheckMonoMs)
    step.wakeAt(this.#checkAtMonoMs)
  }

  onTick(step: Step): void {
    const { monoMs } = step.now
    if (this.#saveAtMonoMs !== undefined) {
      if (monoMs >= this.#saveAtMonoMs) this.saveNow(step)
      else step.wakeAt(this.#saveAtMonoMs)
    }
    if (this.#node.waitUntilMonoMs !== undefined) step.wakeAt(this.#node.waitUntilMonoMs)
    this.#collect(step)
    this.#check(step)
    if (monoMs >= this.#rootLookAtMonoMs) this.#lookAtRoot(step)
    else step.wakeAt(this.#rootLookAtMonoMs)
  }

  #collect(step: Step): void {
    if (this.#collectAtMonoMs === undefined || this.#collectingMonoMs !== undefined) return
    if (step.now.monoMs < this.#collectAtMonoMs) return step.wakeAt(this.#collectAtMonoMs)
    this.#collectAtMonoMs = undefined
    this.#collectingMonoMs = step.now.monoMs
    const keep = new Set<ReleaseId>(this.#hooks.fetching())
    const envelopes = new Set<ReleaseId>()
    const cache: ReleaseId[] = []
    const { cells, config, isShort: short } = this.#node
    for (const cell of cells.values()) {
      if (cell.stored) neededBy(cell, config.keepReleases, keep)
      else cache.push(...neededBy(cell, config.keepReleases))
    }
    for (const id of cache) envelopes.add(id)
    this.#giveUp(
      step,
      cache.filter((id) => !keep.has(id)),
    )
    const reading = this.#hooks.reading()
    // What they hold up is looked at again: their pages come soon, or are known not to. So is a disk without room.
    if (reading.length > 0 || short) this.collectSoon(step)
    step.emit({
      kind: 'collect',
      keep: [...keep],
      envelopes: [...envelopes],
      awaited: [...new Set([...reading, ...this.#counting()])],
      uploads: this.#hooks.uploads()?.named() ?? [],
      ...(short && { short }),
    })
  }

  /** Of a channel that is only relayed: nobody may count on content that may be gone in a moment. */
  #giveUp(step: Step, cache: readonly ReleaseId[]): void {
    const writes = cache
      .filter((release) => this.#node.whole.delete(release))
      .map((release): Write => ({ kind: 'unwhole', release }))
    if (writes.length > 0) step.emit({ kind: 'persist', ticket: step.nextTicket(), writes, sync: false })
  }

  #check(step: Step): void {
    const { monoMs } = step.now
    if (this.#checkAtMonoMs !== undefined) {
      if (monoMs < this.#checkAtMonoMs) step.wakeAt(this.#checkAtMonoMs)
      else {
        this.#checkAtMonoMs = undefined
        this.#nextCheckMonoMs = monoMs + CHECK_EVERY_MS
        // What is left first, or where one is lost every few minutes the last of thousands would never be read.
        this.#suspects = [...new Set([...this.#suspects, ...this.#counting()])]
        this.#checked = true
      }
    }
    for (const release of this.#suspects.splice(0, CHECKS_AT_ONCE)) this.#hooks.review(step, release)
    if (this.#suspects.length > 0) step.wakeAt(monoMs + SAVE_RETRY_MS / 10)
  }

  #counting(): ReleaseId[] {
    const counting = new Set<ReleaseId>()
    for (const cell of this.#node.cells.values()) {
      const { state, stored } = cell
      if (!stored) continue
      const read = servedOf(cell)?.release
      for (const id of [targetOf(state.floor), state.active?.release, read, state.lastGood])
        if (id !== undefined && this.#node.whole.has(id)) counting.add(id)
    }
    return [...counting]
  }

  #lookAtRoot(step: Step): void {
    this.#rootLookAtMonoMs = step.now.monoMs + ROOT_LOOK_EVERY_MS
    step.wakeAt(this.#rootLookAtMonoMs)
    const { version, expires } = this.#node.roots.current()
    const leftMs = expires - step.now.wallMs
    if (leftMs > this.#node.config.limits.expiryWarnMs) return
    const days = Math.floor(leftMs / ROOT_LOOK_EVERY_MS)
    if (leftMs <= 0) {
      const text = `root ${version} has expired: nothing new is activated; hand out a renewed one`
      step.emit({ kind: 'note', level: 'error', code: 'TRUST_ROOT_EXPIRED', text })
    } else
      step.emit({
        kind: 'note',
        level: 'warn',
        code: 'ROOT_EXPIRES',
        text: `root ${version} expires in ${days} days`,
      })
  }
}
