/** From what the store held to the state of a running node: both copies of each floor joined, nothing judged again. */

import type { Code } from '../errors.ts'
import { type Floor, joinFloors } from '../model/floor.ts'
import type { Channel, Pattern, ReleaseId } from '../model/ids.ts'
import { matchesAny } from '../model/pattern.ts'
import { comparePlaces } from '../model/place.ts'
import type { Release } from '../model/release.ts'
import { recordWrite } from './cell-writes.ts'
import { type ChannelState, emptyChannel, headsOf, raiseEpoch } from './channel.ts'
import { durableAtStart } from './durable.ts'
import type { EventOf } from './events.ts'
import { dropUnneeded } from './ingest.ts'
import { placeOf } from './order.ts'
import { type Read, readRelease } from './release-bytes.ts'
import type { Snapshot } from './snapshot.ts'
import { type Cell, isRootOver, keepCell, type NodeState, newCell, servedOf } from './state.ts'
import type { Step } from './step.ts'
import type { ActiveRecord, ChannelRecord, Write } from './writes.ts'

export function restore(node: NodeState, step: Step, event: EventOf<'started'>): void {
  const { snapshot } = event
  node.started = step.now
  const note = (code: 'STORE_CORRUPT' | 'STORE_FLOOR_LOST' | 'TRUST_ROOT_INVALID', text: string) =>
    step.emit({ kind: 'note', level: 'warn', code, text })
  for (const line of node.roots.restore(snapshot.roots)) note('TRUST_ROOT_INVALID', line)
  if (snapshot.corrupt > 0)
    note('STORE_CORRUPT', `${snapshot.corrupt} damaged records were taken out; peers refill them`)
  const { floors, foreign, rewrite, single } = joinCopies(node, snapshot.floors)
  if (foreign > 0) note('STORE_FLOOR_LOST', `${foreign} floors are of another fleet and count as absent`)
  const { kept, left } = keepEnvelopes(node, step, event)
  const writes: Write[] = []
  for (const release of snapshot.whole)
    if (node.kept.has(release)) node.whole.set(release, durableAtStart(event))
    // Its envelope was set aside as damaged: once that comes again the content is read anew.
    else writes.push({ kind: 'unwhole', release })
  for (const digest of snapshot.blocks) node.blocks.add(digest)
  const stored = new Set(snapshot.roots.map((root) => root.version))
  for (const [version, { envelope }] of node.roots.all())
    if (!stored.has(version)) writes.push({ kind: 'root', version, envelope })
  const former: Channel[] = []
  const records = new Map(snapshot.channels.map((record) => [record.channel, record]))
  for (const channel of [...new Set([...floors.keys(), ...records.keys(), ...kept.keys()])].sort()) {
    const before = floors.get(channel)
    const cell = restoreCell(node, channel, before, records.get(channel), kept.get(channel) ?? [])
    cell.hadFloor = before !== undefined && !snapshot.floorLost && hasShown(records.get(channel))
    const shown = event.shown?.get(channel)
    const sure = single.has(channel) ? undefined : before
    if (shown !== undefined && isAhead(cell.state, sure, shown)) cell.ahead = since(step, cell, shown)
    if (shown !== undefined && !cell.stored) former.push(channel)
    const isMarked = markLeft(node, cell, shown)
    sayLeft(node, step, cell, left)
    const { top } = cell.state.floor
    const isOnDisk = before !== undefined && !rewrite.has(channel) && comparePlaces(top, before.top) === 0
    // A root raises all there are, and a set of copies is lost as a whole: in slices, and what they end goes behind them.
    if (!isOnDisk) {
      cell.unsaved = 'state'
      continue
    }
    // Known from the floor as it was alone.
    if (isMarked || cell.state.failedTarget !== records.get(channel)?.failedTarget)
      writes.push(recordWrite(cell))
    writes.push(...dropUnneeded(node, cell))
  }
  if (writes.length > 0) step.emit({ kind: 'persist', ticket: step.nextTicket(), writes, sync: true })
  noteMany(node, step)
  noteFormer(step, former)
  if (snapshot.floorLost)
    note('STORE_FLOOR_LOST', 'no floor is left although the store was used; peers are asked first')
  node.rootOver = isRootOver(node, step.now.wallMs)
  if (snapshot.floorLost || node.config.seeds.length > 0)
    node.waitUntilMonoMs = step.now.monoMs + node.config.limits.floorLostWaitMs
}

/** Patterns that were narrower let more come in one after the other: none that has a floor is given up. */
function noteMany({ storedCells, config: { limits } }: NodeState, step: Step): void {
  if (storedCells <= limits.maxChannels) return
  const text = `${storedCells} channels that were stored here match again, more than may come in (limits.maxChannels: ${limits.maxChannels}); all stay`
  step.emit({ kind: 'note', level: 'warn', code: 'LIMIT_CHANNELS', text })
}

/**
 * Nobody updates these files any more, and whoever reads them cannot see that. They stay: some service may run by them, and a
 * pattern that was left out by mistake comes back.
 */
function noteFormer(step: Step, [channel, ...more]: readonly Channel[]): void {
  if (channel === undefined) return
  const text = `${1 + more.length} channels that are not stored here any longer (channels) have files in the folder of materialize.dir, first ${channel}: they stay as they are, without updates; remove current and .releases there by hand`
  step.emit({ kind: 'note', level: 'warn', code: 'ACTIVATE_LEFTOVER', text, channel })
}

/**
 * Of a channel that left the subscription the files may be removed, as the operator is told, and newer releases are ordered on.
 * Comes it back, what was active counts on where files still show it, or nothing came after it. Else it would be shown once
 * more although newer ones were accepted; without files of its own a node shows nothing of a channel that it does not store.
 */
function markLeft({ config }: NodeState, cell: Cell, shown: ReleaseId | undefined): boolean {
  const { state, stored } = cell
  const { active, floor } = state
  if (active === undefined || stored === (active.left === undefined)) return false
  const { release, activatedAt, left } = active
  // A raised epoch by itself is nothing newer.
  const isNewer = left !== undefined && floor.ids.length > 0 && comparePlaces(floor.top, left) > 0
  if (!stored || shown === release || !isNewer) {
    cell.state = { ...state, active: { ...active, left: stored ? undefined : floor.top } }
    return true
  }
  const history = [{ release, activatedAt }, ...state.history].slice(0, config.limits.maxHistory)
  cell.state = { ...state, active: undefined, lastGood: undefined, history }
  return true
}

/** Of a channel that only went by, or of which nothing is shown, what is known need not be the newest. */
const hasShown = (record: ChannelRecord | undefined): boolean =>
  record?.active !== undefined && record.active.left === undefined

const since = ({ now }: Step, { state }: Cell, release: ReleaseId): ActiveRecord => ({
  release,
  epoch: state.floor.top.epoch,
  activatedAt: now.wallMs,
  soaked: false,
})

/**
 * Files show what came after all that the record knows. Where that knows what the stored floor chose, nothing did: each
 * activation follows a durable floor. Then what it does not know is older than its history, as of a folder put back.
 * @param floor where both copies were found: one alone may be as old as the record, of a store put back with it
 */
const isAhead = (state: ChannelState, floor: Floor | undefined, shown: ReleaseId): boolean =>
  !knows(state, shown) && floor?.ids.some((id) => knows(state, id)) !== true

/** The release is active by this record, was before, or failed. */
const knows = ({ active, lastGood, failed, history }: ChannelState, release: ReleaseId): boolean =>
  [active?.release, lastGood, ...failed, ...history.map((before) => before.release)].includes(release)

/**
 * Channels whose record tells of another release than their floor does. Either that one was not activated yet, or it was,
 * and a crash came before its record or damage after it: only the files can tell. So, too, where the floor is lost, or one
 * copy of it.
 */
export function inDoubt({ floors: copies, channels, envelopes }: Snapshot): readonly Channel[] {
  const active = new Map(channels.map((record) => [record.channel, record.active?.release]))
  const floors = new Map<Channel, Floor>()
  for (const copy of copies) joinInto(floors, copy)
  const differs = ({ channel, ids }: Floor) => !ids.some((id) => id === active.get(channel))
  const bare = [...channels, ...envelopes].filter(({ channel }) => !floors.has(channel))
  const doubtful = [...[...floors.values()].filter(differs), ...ofOneCopy(copies), ...bare]
  return [...new Set(doubtful.map(({ channel }) => channel))].sort()
}

/** Channels that were active here, and that none of the node's patterns matches by now: files may show them on. */
export const formerlyActive = ({ channels }: Snapshot, patterns: readonly Pattern[]): readonly Channel[] =>
  channels.flatMap(({ channel, active }) =>
    active === undefined || matchesAny(patterns, channel) ? [] : [channel],
  )

function ofOneCopy(copies: readonly Floor[]): readonly Floor[] {
  const count = new Map<Channel, number>()
  for (const { channel } of copies) count.set(channel, (count.get(channel) ?? 0) + 1)
  return copies.filter(({ channel }) => count.get(channel) === 1)
}

function joinInto(floors: Map<Channel, Floor>, copy: Floor): void {
  const other = floors.get(copy.channel)
  floors.set(copy.channel, other === undefined ? copy : joinFloors(other, copy))
}

/** A copy of another fleet counts as absent; a copy that is missing or behind is written anew. */
function joinCopies(node: NodeState, copies: readonly Floor[]) {
  const floors = new Map<Channel, Floor>()
  const own = copies.filter(({ fleet }) => fleet === node.roots.fleetId())
  const single = new Set(ofOneCopy(own).map(({ channel }) => channel))
  const rewrite = new Set(single)
  for (const copy of own) {
    const other = floors.get(copy.channel)
    if (other !== undefined && !sameFloor(other, copy)) rewrite.add(copy.channel)
    joinInto(floors, copy)
  }
  return { floors, foreign: copies.length - own.length, rewrite, single }
}

const sameFloor = (a: Floor, b: Floor): boolean =>
  comparePlaces(a.top, b.top) === 0 && a.ids.join() === b.ids.join()

/** What cannot be read counts as absent, and may be what is active: the first is said, with how many there are. */
function keepEnvelopes(node: NodeState, step: Step, event: EventOf<'started'>) {
  const byChannel = new Map<Channel, Release[]>()
  const left = new Map<ReleaseId, Left>()
  for (const { release: id, channel, bytes } of event.snapshot.envelopes) {
    const read = readRelease(bytes, node.config.limits)
    if (read.kind !== 'read' || read.release.id !== id || read.release.header.channel !== channel) {
      left.set(id, { ...whyLeft(read), channel })
      continue
    }
    node.kept.set(id, { release: read.release, channel, envelope: bytes })
    byChannel.set(channel, [...(byChannel.get(channel) ?? []), read.release])
  }
  const [first] = left
  if (first !== undefined) {
    const [release, { code, why, channel }] = first
    const text = `${left.size} releases stored here cannot be read any longer and count as absent, first ${release}: ${why}`
    step.emit({ kind: 'note', level: 'warn', code, text, channel, release })
  }
  return { kept: byChannel, left }
}

interface Left {
  readonly code: Code
  readonly why: string
  readonly channel: Channel
}

/** Until something newer is active, or it is here again: its files stay as they are, and are not looked after. */
function sayLeft(node: NodeState, { now }: Step, cell: Cell, left: ReadonlyMap<ReleaseId, Left>): void {
  const release = cell.state.active?.release
  const served = servedOf(cell)?.release
  if (release === undefined || served === undefined || !cell.stored || node.kept.has(served)) return
  const { code, why } = left.get(release) ?? DAMAGED
  const text = `what is active cannot be read here any longer: ${why}`
  cell.lastError = { code, text, at: now.wallMs, release }
}

/** The store took its record out. */
const DAMAGED: Pick<Left, 'code' | 'why'> = { code: 'STORE_CORRUPT', why: 'its record was damaged' }

/** Limits may be lower than when it was stored, the build older. */
function whyLeft(read: Read): Pick<Left, 'code' | 'why'> {
  if (read.kind === 'refused') return { code: read.code, why: read.text }
  if (read.kind === 'unsupported') return { code: 'CODEC_UNSUPPORTED', why: 'it is of a newer format' }
  return { code: 'STORE_CORRUPT', why: 'another release is in its place' }
}

function restoreCell(
  node: NodeState,
  channel: Channel,
  floor: Floor | undefined,
  record: ChannelRecord | undefined,
  kept: readonly Release[],
): Cell {
  const bare = newCell(node, channel)
  const state = restoreState(node, bare, kept, floor, record)
  const cell: Cell = { ...bare, state }
  for (const release of kept) cell.envelopes.add(release.id)
  keepCell(node, cell)
  return cell
}

function restoreState(
  node: NodeState,
  { epoch, state: { channel } }: Cell,
  kept: readonly Release[],
  floor: Floor | undefined,
  record: ChannelRecord | undefined,
): ChannelState {
  const fleet = node.roots.fleetId()
  const empty = emptyChannel(fleet, channel, floor?.top.epoch ?? 1)
  const stored: ChannelState = {
    ...empty,
    floor: floor ?? empty.floor,
    active: record?.active,
    lastGood: record?.lastGood,
    lastGoodEpoch: record?.lastGoodEpoch ?? 0,
    failed: record?.failed ?? [],
    failedTarget: record?.failedTarget,
    // The bound may have been higher when it was written.
    history: record?.history.slice(0, node.config.limits.maxHistory) ?? [],
  }
  const raised = raiseEpoch({ ...stored, heads: kept }, epoch)
  // What is kept was accepted once, and stays so while its epoch lasts: it may lift a floor that was lost, never lower one.
  const current = kept.filter((release) => release.header.root >= epoch && release.header.fleet === fleet)
  let lifted = raised.floor
  for (const release of current)
    lifted = joinFloors(lifted, { ...lifted, top: placeOf(release, epoch), ids: [release.id] })
  const shown = new Set([...(record?.heads ?? []), ...lifted.ids])
  return { ...raised, floor: lifted, heads: headsOf(current.filter((release) => shown.has(release.id))) }
}
