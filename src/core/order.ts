/**
 * The total rule: a release has one place, (epoch, counter, publisher); the greatest place wins, two releases in
 * one place hold the channel, and a node moves only upward. Pure: the time is no input, and signatures are asked
 * for through the context, so that the laws can be tried on millions of histories without cryptography.
 */
import type { Floor } from '../model/floor.ts'
import type { FleetId } from '../model/ids.ts'
import { comparePlaces, type Place } from '../model/place.ts'
import type { Release } from '../model/release.ts'
import { type ChannelState, headsOf } from './channel.ts'
import type { Verdict } from './journey.ts'

export interface OrderContext {
  readonly fleet: FleetId
  /** Version of the current root. Order looks at this root alone, whatever older ones are kept. */
  readonly rootVersion: number
  /** Epoch of the release's channel under the current root. */
  readonly epoch: number
  /** Do enough distinct keys of the publisher, allowed on this channel by the current root, sign it? Asked last: it costs. */
  authorised(): boolean
}

export interface Ordered {
  readonly verdict: Verdict
  readonly state: ChannelState
}

/** The place a release would take, under the current epochs. */
export const placeOf = (release: Release, epoch: number): Place => ({
  epoch,
  counter: release.counter,
  publisher: release.header.publisher,
})

/** The own entry is there and strictly the greatest: checked on the release alone. Without it sums of counters could be forged. */
export function isWellFormed(release: Release): boolean {
  const { clock, publisher, root } = release.header
  const own = clock.get(publisher)
  if (own === undefined || own !== release.counter || !Number.isSafeInteger(own) || own < 1 || root < 1)
    return false
  for (const [name, counter] of clock) if (name !== publisher && counter >= own) return false
  return true
}

/** What can be said without looking at the channel's state; undefined: it may be ordered. */
export function judge(floor: Floor, release: Release, context: OrderContext): Verdict | undefined {
  const { header } = release
  if (header.v !== 1) return 'UNSUPPORTED'
  if (!isWellFormed(release)) return 'MALFORMED'
  if (header.fleet !== context.fleet || header.channel !== floor.channel) return 'MISPLACED'
  if (header.root > context.rootVersion) return 'AHEAD'
  if (header.root < context.epoch) return 'STALE_EPOCH'
  return context.authorised() ? undefined : 'UNAUTHORISED'
}

/** Order of the safety state alone: what a node knows of channels it relays but does not store. Below `top` all is STALE. */
export function orderFloor(
  floor: Floor,
  release: Release,
  epoch: number,
): { readonly verdict: Verdict; readonly floor: Floor } {
  const place = placeOf(release, epoch)
  const order = comparePlaces(place, floor.top)
  if (order > 0) return { verdict: 'NEW', floor: { ...floor, top: place, ids: [release.id] } }
  if (order < 0) return { verdict: 'STALE', floor }
  if (floor.ids.includes(release.id)) return { verdict: 'DUPLICATE', floor }
  if (floor.ids.length === 2) return { verdict: 'TWIN_KNOWN', floor }
  return { verdict: 'TWIN', floor: { ...floor, ids: [...floor.ids, release.id].sort() } }
}

/** Order one release. The state returned is the one given wherever nothing changes. */
export function order(state: ChannelState, release: Release, context: OrderContext): Ordered {
  const refusal = judge(state.floor, release, context)
  if (refusal !== undefined) return { verdict: refusal, state }
  const { verdict, floor } = orderFloor(state.floor, release, context.epoch)
  if (verdict === 'TWIN_KNOWN') return { verdict, state }
  if (verdict === 'STALE') return orderBelow(state, release)
  const known = state.heads.some((head) => head.id === release.id)
  // The floor may know an id whose envelope was lost; coming again it joins the heads.
  if (verdict === 'DUPLICATE' && known) return { verdict, state }
  const heads = headsOf([...state.heads, release])
  if (verdict === 'DUPLICATE' && sameIds(heads, state.heads)) return { verdict, state }
  return { verdict, state: { ...state, floor, heads } }
}

/** Below the winning place a release is only shown, where nothing known replaces it. */
function orderBelow(state: ChannelState, release: Release): Ordered {
  if (state.heads.some((head) => head.id === release.id)) return { verdict: 'DUPLICATE', state }
  const heads = headsOf([...state.heads, release])
  if (!heads.some((head) => head.id === release.id)) return { verdict: 'STALE', state }
  return { verdict: 'CONCURRENT', state: { ...state, heads } }
}

const sameIds = (a: readonly Release[], b: readonly Release[]): boolean =>
  a.length === b.length && a.every((release, i) => release.id === b[i]?.id)
