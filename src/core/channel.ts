/** What a node keeps of one channel. Values, never changed in place: every rule returns the next state. */
import { sha256 } from '../codec/digest.ts'
import { replaces } from '../model/clock.ts'
import { type Floor, joinFloors } from '../model/floor.ts'
import type { Channel, Digest, FleetId, Name, ReleaseId } from '../model/ids.ts'
import { comparePlaces, type Place, placeBefore } from '../model/place.ts'
import type { Release } from '../model/release.ts'
import type { ActiveRecord, ChannelRecord } from './writes.ts'

export interface ChannelState {
  readonly channel: Channel
  /** The safety state: the greatest place and the ids there. Never falls. */
  readonly floor: Floor
  /** Releases no other known one replaces, for people and sync; no decision reads them. Ascending by id. */
  readonly heads: readonly Release[]
  readonly active: ActiveRecord | undefined
  readonly lastGood: ReleaseId | undefined
  readonly lastGoodEpoch: number
  /** Ids whose health check failed here, newest last. */
  readonly failed: readonly ReleaseId[]
  /** Of the target that had failed here when a root ended its epoch, until the new one has a target: what would be copied. */
  readonly failedTarget?: Digest | undefined
  readonly history: ChannelRecord['history']
}

export function emptyChannel(fleet: FleetId, channel: Channel, epoch: number): ChannelState {
  return {
    channel,
    floor: { fleet, channel, top: placeBefore(epoch), ids: [] },
    heads: [],
    active: undefined,
    lastGood: undefined,
    lastGoodEpoch: 0,
    failed: [],
    history: [],
  }
}

/** Two releases in the winning place: nothing is chosen between them. */
export const isHeld = (floor: Floor): boolean => floor.ids.length === 2

/** The release that order chose, none while held or before the first. */
export const targetOf = (floor: Floor): ReleaseId | undefined =>
  floor.ids.length === 1 ? floor.ids[0] : undefined

/** What two nodes must agree on. Which two of three twins a node has is not compared: it changes nothing. */
export interface Seen {
  readonly rootVersion: number
  readonly top: Place
  readonly target: ReleaseId | 'held' | undefined
}

export const seenOf = (rootVersion: number, floor: Floor): Seen => ({
  rootVersion,
  top: floor.top,
  target: isHeld(floor) ? 'held' : targetOf(floor),
})

/**
 * Of a set of releases, per publisher the at most two of its greatest counter, less those replaced in the set.
 * Of three twins the two named first stay, so that a third changes nothing. At most 2 × publishers, ascending by id.
 */
export function headsOf(releases: readonly Release[]): readonly Release[] {
  const greatest = new Map<Name, Release[]>()
  const seen = new Set<ReleaseId>()
  for (const release of releases) {
    if (seen.has(release.id)) continue
    seen.add(release.id)
    const kept = greatest.get(release.header.publisher)
    const counter = kept?.[0]?.counter ?? 0
    if (kept === undefined || release.counter > counter) greatest.set(release.header.publisher, [release])
    else if (release.counter === counter && kept.length < 2) kept.push(release)
  }
  const latest = [...greatest.values()].flat()
  const heads = latest.filter(
    (head) => !releases.some((other) => replaces(other.header.clock, head.header.clock)),
  )
  return heads.sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** What a rotation copies where it issues a release anew. */
export const copiedOf = ({ header: { pages, message, expires } }: Release): Digest =>
  sha256(JSON.stringify([pages, message, expires ?? null]))

/**
 * Is it what a rotation makes of the release that this was copied of? Then it is the first of its publisher in the new epoch.
 * The same files with another message, or once more, are a person's: they are meant to be tried, as after a theft, when
 * nothing is issued by itself.
 */
export const isAnew = (release: Release, copied: Digest): boolean =>
  release.counter === 1 && copiedOf(release) === copied

/** Of what is about to end: without a target, or before that was judged, it leaves what was known before. */
function failedTargetOf({ floor, heads, failed, failedTarget: before }: ChannelState): Digest | undefined {
  if (floor.ids.length === 0) return before
  const target = heads.find(({ id }) => id === targetOf(floor))
  if (target === undefined) return undefined
  if (failed.includes(target.id)) return copiedOf(target)
  return before !== undefined && isAnew(target, before) ? before : undefined
}

/**
 * A root raised the channel's epoch: what was ordered before counts no more. What is active stays, and is served
 * to applications until a release of the new epoch wins.
 */
export function raiseEpoch(state: ChannelState, epoch: number): ChannelState {
  if (comparePlaces(placeBefore(epoch), state.floor.top) <= 0) return state
  const failedTarget = failedTargetOf(state)
  return { ...state, floor: { ...state.floor, top: placeBefore(epoch), ids: [] }, heads: [], failedTarget }
}

export const isNamed = ({ floor, heads }: ChannelState, id: ReleaseId): boolean =>
  floor.ids.includes(id) || heads.some((head) => head.id === id)

/**
 * As if the release had never come: it was ordered in memory only, upon `before`, and cannot be written. What came after
 * it stays. The one way down for a floor, which nobody has heard of.
 */
export function withoutRelease(state: ChannelState, id: ReleaseId, before: ChannelState): ChannelState {
  if (!isNamed(state, id)) return state
  const { floor } = state
  const rest = state.heads.filter((head) => head.id !== id)
  // its twin, or what came meanwhile in a place between the two
  const lower = rest
    .map((head): Floor => {
      const { counter, header } = head
      const top = { epoch: before.floor.top.epoch, counter, publisher: header.publisher }
      return { ...before.floor, top, ids: [head.id] }
    })
    .reduce(joinFloors, before.floor)
  const heads = headsOf([...rest, ...before.heads])
  return { ...state, floor: floor.ids.includes(id) ? lower : floor, heads }
}

/** Two nodes' knowledge of a channel, or both copies of one's own, under one root. */
export function joinChannels(a: ChannelState, b: ChannelState): ChannelState {
  return { ...a, floor: joinFloors(a.floor, b.floor), heads: headsOf([...a.heads, ...b.heads]) }
}

/** As written down. */
export function recordOf(state: ChannelState): ChannelRecord {
  const { channel, active, lastGood, lastGoodEpoch, failed, failedTarget, history } = state
  return {
    channel,
    heads: state.heads.map((head) => head.id),
    active,
    lastGood,
    lastGoodEpoch,
    failed,
    failedTarget,
    history,
  }
}
