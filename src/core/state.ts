/** The node's own slice: channels, envelopes, what is whole and which blocks are here. Bounded by the limits. */
import type { Code } from '../errors.ts'
import type { Gate } from '../model/channel-state.ts'
import type { Channel, Digest, ReleaseId } from '../model/ids.ts'
import { matchesAny } from '../model/pattern.ts'
import type { Release } from '../model/release.ts'
import { epochOf } from '../trust/epoch.ts'
import { type ChannelState, emptyChannel, isHeld, targetOf } from './channel.ts'
import type { CoreConfig } from './config.ts'
import type { Durable } from './durable.ts'
import type { Now, Ticket } from './events.ts'
import type { ChannelFacts, KeptOut } from './journey.ts'
import { OverLimits } from './over-limit.ts'
import { createRelayed, type Relayed } from './relayed.ts'
import type { Roots } from './roots.ts'
import { type GateFacts, gateOf } from './settle.ts'
import type { LastError } from './view.ts'
import type { ActiveRecord } from './writes.ts'

/** Under way; `epoch` is that of the release, which a root may end meanwhile. */
export interface Activating {
  readonly release: ReleaseId
  readonly epoch: number
  /** What is begun is in sight already, and its gate is closed by now. */
  readonly kind: 'target' | 'begun' | 'fallback' | 'restore'
  /** Taken back: where nothing was shown by then, that is no failure. */
  readonly withdrawn?: true
}

/** A channel whose floor is kept, with what is under way for it. The values inside are replaced, never changed. */
export interface Cell {
  state: ChannelState
  /** Matches the node's own patterns. A floor outlives the subscription, so some cells are only relayed. */
  readonly stored: boolean
  /** At start. Else nothing tells how old what comes first is: others are asked before it is activated. */
  hadFloor: boolean
  /** Releases of the channel whose envelopes are kept. */
  readonly envelopes: Set<ReleaseId>
  /** Under the current root. */
  epoch: number
  /** Writes of the ordered state under way: durable at 0, unless `unsaved`. */
  writing: number
  /** The state is in memory only and is written, with the envelopes where a write failed. */
  unsaved: boolean | 'state'
  /** Submissions on their way to disk, upon the channel as it was: should a write fail, it never came. */
  readonly submitting: Map<Ticket, { readonly id: ReleaseId; readonly before: ChannelState }>
  /** An activation under way. */
  activating: Activating | undefined
  /** One was taken back for a newer one, and nothing has become active since. */
  overtaken: boolean
  /** Since start it was not yet seen that the files of the active release are as they should be. */
  restoring: boolean
  /** What files show, where the record of what is active does not know it (yet): what it does know is older and must not be served. */
  ahead: ActiveRecord | undefined
  /**
   * A step back to what is active is not done yet: the release that failed, which files may still show, and what was
   * active before it, which is served until then.
   */
  stepsBack: { readonly from: ReleaseId; readonly served: ActiveRecord | undefined } | undefined
  /** Was active before the start, and failed the check that runs where its files are put right; it stays active all the same. */
  relapsed: ReleaseId | undefined
  /** Their activation failed, and says nothing of the release: not before this time again. Of the target, and of what is active. */
  readonly retries: Map<ReleaseId, { readonly atMonoMs: number; readonly delayMs: number }>
  soakAtMonoMs: number | undefined
  lastError: LastError | undefined
  /** Target and gate last told of, so that each is told once. */
  toldGate: string | undefined
}

/** When a channel is to be looked at, though nothing happens. */
export interface Due {
  /** The end of a soak, an activation to try again: the first of them that is still to come. */
  readonly atMonoMs: number | undefined
  /** The end of what is not active yet, under way or the target, by the wall clock, and whether that was past: a clock may be set. */
  readonly expires: number | undefined
  readonly wasOver: boolean
}

export interface Kept {
  readonly release: Release
  readonly channel: Channel
  readonly envelope: Uint8Array
}

export interface NodeState {
  readonly config: CoreConfig
  /** When the core began: the end of all time, until it has. */
  started: Now
  readonly roots: Roots
  /** Changed by `keepCell` alone. */
  readonly cells: Map<Channel, Cell>
  /** How many of them are stored. */
  storedCells: number
  /** Those that time alone may change: what else moves a channel is an event of its own. */
  readonly due: Map<Cell, Due>
  readonly relayed: Relayed
  readonly overLimits: OverLimits
  readonly kept: Map<ReleaseId, Kept>
  /** Releases whose every page and block is on disk, with the proof. */
  readonly whole: Map<ReleaseId, Durable>
  /** Durable here: may be served. */
  readonly blocks: Set<Digest>
  /** Versions of roots that are not on disk; a code: not for now, and they are written again. */
  readonly unsavedRoots: Map<number, 'writing' | Code>
  /** Why the store takes no writes. */
  readOnly: Code | undefined
  /** It has too little room for blocks by themselves. */
  isShort: boolean
  /** Nothing is activated before this time of a channel that had no floor at start: others are asked first. */
  waitUntilMonoMs: number | undefined
  /** The root's time was over when all channels were last looked at. */
  rootOver: boolean
}

export function createState(config: CoreConfig, roots: Roots): NodeState {
  return {
    config,
    started: { monoMs: Number.POSITIVE_INFINITY, wallMs: Number.POSITIVE_INFINITY },
    roots,
    cells: new Map(),
    storedCells: 0,
    due: new Map(),
    relayed: createRelayed(config.limits.maxRelayedChannels),
    overLimits: new OverLimits(config.limits),
    kept: new Map(),
    whole: new Map(),
    blocks: new Set(),
    unsavedRoots: new Map(),
    readOnly: undefined,
    isShort: false,
    waitUntilMonoMs: undefined,
    rootOver: false,
  }
}

export function newCell(node: NodeState, channel: Channel, state?: ChannelState): Cell {
  const epoch = epochOf(node.roots.current(), channel)
  return {
    state: state ?? emptyChannel(node.roots.fleetId(), channel, epoch),
    stored: matchesAny(node.config.patterns, channel),
    hadFloor: false,
    envelopes: new Set(),
    epoch,
    writing: 0,
    unsaved: false,
    submitting: new Map(),
    activating: undefined,
    overtaken: false,
    restoring: false,
    ahead: undefined,
    stepsBack: undefined,
    relapsed: undefined,
    retries: new Map(),
    soakAtMonoMs: undefined,
    lastError: undefined,
    toldGate: undefined,
  }
}

export function keepCell(node: NodeState, cell: Cell): void {
  const { channel } = cell.state
  if (!node.cells.has(channel) && cell.stored) node.storedCells++
  node.cells.set(channel, cell)
}

/**
 * Why a channel is relayed by its place only; undefined: its releases are ordered and kept, or would be. First come stays,
 * but floors that outlived their subscription take no room of channels that have one.
 */
export function keptOut(node: NodeState, channel: Channel): KeptOut | undefined {
  const { cells, storedCells, config } = node
  if (cells.has(channel)) return undefined
  if (!matchesAny(config.patterns, channel)) return 'patterns'
  if (storedCells >= config.limits.maxChannels) return 'maxChannels'
  return cells.size - storedCells >= config.limits.maxFormerChannels ? 'maxFormerChannels' : undefined
}

/** The channel's cell, unless it is kept out. A new one is not in the map yet: only an accepted release puts it there. */
export function cellFor(node: NodeState, channel: Channel): Cell | undefined {
  if (keptOut(node, channel) !== undefined) return undefined
  return node.cells.get(channel) ?? newCell(node, channel)
}

/** A channel that is stored here, and of which something was. */
export const isKnown = ({ stored, state }: Cell): boolean =>
  stored && (state.floor.ids.length > 0 || state.active !== undefined)

export const isDurable = (cell: Cell): boolean => cell.writing === 0 && !cell.unsaved

export function gateFacts(node: NodeState, cell: Cell, wallMs: number): GateFacts {
  const target = targetOf(cell.state.floor)
  return {
    release: target === undefined ? undefined : node.kept.get(target)?.release,
    whole: target !== undefined && node.whole.has(target),
    root: node.roots.current(),
    readOnly: node.readOnly !== undefined,
    wallMs,
  }
}

export const isRootOver = (node: NodeState, wallMs: number): boolean => node.roots.current().expires <= wallMs

/**
 * The end of a target that is not active: the gate may close, or open after a clock was set right, as time goes. While one
 * is under way that one's, for until then it may be taken back, and a newer target waits for it.
 */
export function expiryOf(node: NodeState, cell: Cell): number | undefined {
  const next = cell.activating?.release ?? targetOf(cell.state.floor)
  if (!cell.stored || next === undefined || next === cell.state.active?.release) return undefined
  return node.kept.get(next)?.release.header.expires
}

export const gateFor = (node: NodeState, cell: Cell, wallMs: number): Gate =>
  gateOf(cell.state, gateFacts(node, cell, wallMs))

export function factsOf(cell: Cell): ChannelFacts {
  const { state } = cell
  return {
    channel: state.channel,
    stored: cell.stored,
    floor: state.floor,
    epoch: cell.epoch,
    held: isHeld(state.floor),
    target: targetOf(state.floor),
    heads: state.heads,
    active: state.active?.release,
    durable: isDurable(cell),
  }
}

/** What is served: what files show ahead of its check, and in a step back what was served before, until they are back. */
export const servedOf = ({ ahead, stepsBack, state }: Cell): ActiveRecord | undefined =>
  ahead ?? stepsBack?.served ?? state.active

/**
 * Releases whose envelope and content must stay: floor, heads, what runs, is shown or may be gone back to, the newest
 * before; and what a submission replaces that may yet not come.
 */
export function neededBy(cell: Cell, keepReleases: number, needed = new Set<ReleaseId>()): Set<ReleaseId> {
  const { state } = cell
  for (const id of state.floor.ids) needed.add(id)
  for (const head of state.heads) needed.add(head.id)
  for (const { before } of cell.submitting.values()) {
    for (const id of before.floor.ids) needed.add(id)
    for (const head of before.heads) needed.add(head.id)
  }
  if (state.active !== undefined) needed.add(state.active.release)
  if (state.lastGood !== undefined) needed.add(state.lastGood)
  if (cell.activating !== undefined) needed.add(cell.activating.release)
  if (cell.ahead !== undefined) needed.add(cell.ahead.release)
  for (const id of [cell.stepsBack?.from, cell.stepsBack?.served?.release])
    if (id !== undefined) needed.add(id)
  for (const { release } of state.history.slice(0, keepReleases)) needed.add(release)
  return needed
}
