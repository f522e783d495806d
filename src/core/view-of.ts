/** The node's state in the words of the view. */
import type { Freshness } from '../model/beacon.ts'
import type { ChannelState, Gate } from '../model/channel-state.ts'
import type { Address, Channel, Pattern, ReleaseId } from '../model/ids.ts'
import { literalOf, matches } from '../model/pattern.ts'
import type { Judgement } from '../trust/admission.ts'
import { isHeld, targetOf } from './channel.ts'
import type { Now } from './events.ts'
import type { FetchProgress } from './fetch/hooks.ts'
import { WHY_STALE } from './freshness/notes.ts'
import type { Session } from './session.ts'
import { type Cell, gateFor, isKnown, type NodeState, servedOf } from './state.ts'
import type { ActiveFacts, CoreChannelView, CoreView, LastError, Readiness } from './view.ts'
import type { ActiveRecord } from './writes.ts'

export interface ChannelSources {
  freshness(cell: Cell): Freshness
  progress(release: ReleaseId): FetchProgress | undefined
}

/**
 * Of an own pattern: a peer that stores something of it was compared with, or there is none to compare with, or none was
 * reached in time and something is here, or some peer has something for this node.
 */
export type Compared = (pattern: Pattern) => boolean

export interface ViewSources extends ChannelSources {
  readonly sessions: readonly Session[]
  readonly compared: Compared
  readonly beaconMonoMs: number
  readonly heardBeacon: boolean
  readonly silentKeys: number
  /** What peers make of this node's own certificate, by its own root and clock, a day ago at most. */
  readonly own?: Judgement | undefined
  readonly twin: readonly Address[] | undefined
}

export function viewOf(node: NodeState, now: Now, sources: ViewSources): CoreView {
  const { roots, config } = node
  const root = roots.current()
  const cells = [...node.cells.values()]
    .filter((cell) => cell.stored)
    .sort((a, b) => (a.state.channel < b.state.channel ? -1 : 1))
  const waitingFor = waiting(node, cells, sources.compared)
  return {
    self: config.self,
    fleetId: roots.fleetId(),
    root: {
      version: root.version,
      expires: root.expires,
      digest: roots.chain().currentDigest,
      forked: roots.undisputed(root.version) === undefined,
      unreadable: roots.unreadable(),
    },
    sessions: sources.sessions,
    channels: cells.map((cell) => channelView(node, cell, now, sources)),
    relayedChannels: node.relayed.size,
    ready: waitingFor.length === 0,
    waitingFor,
    readOnly: node.readOnly,
    isShort: node.isShort,
    beaconMonoMs: sources.beaconMonoMs,
    heardBeacon: sources.heardBeacon,
    silentKeys: sources.silentKeys,
    own: sources.own,
    twin: sources.twin,
  }
}

/** Of one channel, as `viewOf` shows it. */
export function channelViewOf(
  node: NodeState,
  channel: Channel,
  now: Now,
  sources: ChannelSources,
): CoreChannelView | undefined {
  const cell = node.cells.get(channel)
  return cell?.stored ? channelView(node, cell, now, sources) : undefined
}

export function readinessOf(node: NodeState, compared: Compared): Readiness {
  const cells = [...node.cells.values()].filter((cell) => cell.stored)
  const waitingFor = waiting(node, cells, compared)
  return { ready: waitingFor.length === 0, waitingFor }
}

/**
 * Every configured channel has an active release; of a pattern, every channel known after the first comparison with a
 * peer that stores something of it. What the store held counts before any peer is reached.
 */
function waiting(node: NodeState, cells: readonly Cell[], compared: Compared): readonly string[] {
  const known = cells.filter(isKnown)
  // each is stored because a pattern matches it: which one does not matter here
  const missing = new Set<string>(
    known.filter((cell) => activeOf(node, cell) === undefined).map(({ state }) => state.channel),
  )
  for (const pattern of node.config.patterns)
    if (isAwaited(node, pattern, known, compared)) missing.add(pattern)
  return [...missing].sort()
}

/** No channel of it is known, and one is to come, or may be. */
function isAwaited(node: NodeState, pattern: Pattern, known: readonly Cell[], compared: Compared): boolean {
  const channel = literalOf(pattern)
  if (channel === undefined)
    return !compared(pattern) && !known.some(({ state }) => matches(pattern, state.channel))
  const cell = node.cells.get(channel)
  return cell === undefined || !isKnown(cell)
}

/** What is served: what files show, as soon as it is here; nothing that is older. Never what failed its check, where there is else. */
function activeOf(node: NodeState, cell: Cell): ActiveRecord | undefined {
  const { ahead } = cell
  if (ahead === undefined) return servedOf(cell)
  return node.whole.has(ahead.release) && node.kept.has(ahead.release) ? ahead : undefined
}

/** Files may show it on; but what it is made of is not known where its envelope is damaged, or over a limit by now. */
const readable = ({ kept }: NodeState, active: ActiveRecord | undefined): ActiveRecord | undefined =>
  active !== undefined && kept.has(active.release) ? active : undefined

function channelView(node: NodeState, cell: Cell, now: Now, sources: ChannelSources): CoreChannelView {
  const { state } = cell
  const target = targetOf(state.floor)
  const active = activeOf(node, cell)
  const gate = gateFor(node, cell, now.wallMs)
  const freshness = sources.freshness(cell)
  const shown = stateOf(node, cell, gate, freshness, now)
  const failure = cell.lastError ?? failedBefore(cell)
  const over = node.overLimits.error(state.channel, state.floor.top)
  const kept = over ?? keptFromUpdates(freshness, now)
  const facts = (entry: { readonly release: ReleaseId; readonly activatedAt: number }): ActiveFacts => ({
    id: entry.release,
    release: node.kept.get(entry.release)?.release,
    activatedAt: entry.activatedAt,
  })
  return {
    channel: state.channel,
    state: shown,
    gate,
    top: state.floor.top,
    epoch: cell.epoch,
    target,
    held: isHeld(state.floor),
    ids: state.floor.ids,
    heads: state.heads,
    active: active === undefined ? undefined : { ...facts(active), soaked: active.soaked },
    unhealthy: cell.stepsBack !== undefined || (active !== undefined && hasFailed(cell, active.release)),
    lastGood: state.lastGood,
    history: state.history.map(facts),
    freshness,
    // An older failure does not say why nothing newer comes.
    lastError: unwritten(node, gate, now) ?? (shown === 'stale' ? (kept ?? failure) : (failure ?? kept)),
    fetch: target === undefined ? undefined : sources.progress(target),
  }
}

const hasFailed = ({ state, relapsed }: Cell, release: ReleaseId): boolean =>
  state.failed.includes(release) || relapsed === release

/** What is stored of a failed health check outlives the process that ran it, unlike its output. */
function failedBefore({ state }: Cell): LastError | undefined {
  const target = targetOf(state.floor)
  if (state.active === undefined || target === undefined || !state.failed.includes(target)) return undefined
  const text = 'the newest release failed its health check here; the log of that time says why'
  return { code: 'ACTIVATE_UNHEALTHY', text, at: state.active.activatedAt, release: target }
}

/** What is not here is not fetched, and what is here not shown, while the store takes no writes. */
function unwritten(node: NodeState, gate: Gate, { wallMs }: Now): LastError | undefined {
  const { readOnly: code, isShort } = node
  if (code === undefined && isShort && gate === 'content') {
    const text =
      'too little room on the disk: what is missing of the newest release waits until there is more'
    return { code: 'STORE_FULL', text, at: wallMs }
  }
  if (code === undefined || (gate !== 'content' && gate !== 'read-only')) return undefined
  return { code, text: 'the store takes no writes: the newest release waits until it does', at: wallMs }
}

/** Why the newest may be another than what is here, as the log says it once. */
function keptFromUpdates(freshness: Freshness, { wallMs }: Now): LastError | undefined {
  return freshness === 'fresh' || freshness === 'unjudged'
    ? undefined
    : { ...WHY_STALE[freshness], at: wallMs }
}

/** The first that holds: what stops a channel from moving comes before what is merely to be known. */
function stateOf(node: NodeState, cell: Cell, gate: Gate, freshness: Freshness, now: Now): ChannelState {
  const { state } = cell
  const { floor } = state
  const active = readable(node, state.active)
  const target = targetOf(floor)
  if (isHeld(floor)) return 'held'
  if (target !== undefined && target !== active?.release && (gate === 'content' || gate === null))
    return 'fetching'
  if (active === undefined && readable(node, activeOf(node, cell)) === undefined) return 'empty'
  if (isOld(node, cell, freshness, now)) return 'stale'
  return state.heads.length > 1 ? 'conflict' : 'active'
}

function isOld(node: NodeState, { state, epoch }: Cell, freshness: Freshness, now: Now): boolean {
  if (freshness === 'behind' || freshness === 'silent' || freshness === 'clock-or-delay') return true
  const { active } = state
  if (active === undefined) return false
  const expires = node.kept.get(active.release)?.release.header.expires
  return active.epoch < epoch || (expires !== undefined && expires <= now.wallMs)
}
