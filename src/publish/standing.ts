/** What a channel holds by the word of the seeds reached, as far as signatures prove it. */
import { decodeEnvelope } from '../codec/envelope.ts'
import { decodeHeader, decodeHeaderCore, type HeaderCore } from '../codec/header.ts'
import { isMeshError, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { replaces, type VectorClock } from '../model/clock.ts'
import type { Envelope } from '../model/envelope.ts'
import type { Channel, PeerId, ReleaseId } from '../model/ids.ts'
import { comparePlaces, type Place } from '../model/place.ts'
import type { Header, Release } from '../model/release.ts'
import type { TrustRoot } from '../model/root.ts'
import { authorised } from '../trust/authorise.ts'
import { epochOf } from '../trust/epoch.ts'
import { askPatiently, type Seed } from './seeds.ts'

export interface Standing {
  readonly epoch: number
  /** Verified releases of the current epoch, distinct, the greatest place first. */
  readonly releases: readonly Release[]
  readonly target: Release | undefined
  /** Two releases stand in the winning place. */
  readonly held: boolean
  /** A release stands beside the target that it does not replace. */
  readonly conflict: boolean
  /** Seeds that hold the target whole. */
  readonly holders: readonly PeerId[]
}

/** A verified release, or undefined: a seed's word alone counts for nothing. @throws NewerRelease where that is proven */
export function verified(
  bytes: Uint8Array,
  root: TrustRoot,
  channel: Channel,
  limits: Limits,
): Release | undefined {
  try {
    const envelope = decodeEnvelope(bytes, limits.maxEnvelopeBytes, limits)
    const isCurrent = (header: HeaderCore | Header): boolean =>
      header.channel === channel &&
      header.fleet === root.fleetId &&
      header.root <= root.version &&
      header.root >= epochOf(root, channel) &&
      authorised(root, envelope, { header }, limits)
    const release = readHeader(envelope, limits)
    if ('header' in release) return isCurrent(release.header) ? release : undefined
    if (isCurrent(release)) throw new NewerRelease(release)
    return undefined
  } catch (error) {
    if (isMeshError(error) && !(error instanceof NewerRelease)) return undefined
    throw error
  }
}

/** A release that counts and that this build cannot read: nothing is to be brought that does not know of it. */
export class NewerRelease extends MeshError {
  readonly clock: HeaderCore['clock']

  constructor({ id, channel, v, clock }: HeaderCore) {
    const what = `release ${id.slice(0, 12)} stands in ${channel}, in format ${v} that this build cannot read`
    super('CODEC_UNSUPPORTED', `${what}; use a newer confmesh`, { release: id })
    this.clock = clock
  }
}

function readHeader({ payload }: Envelope, limits: Limits): Release | HeaderCore {
  try {
    return decodeHeader(payload, limits)
  } catch (error) {
    if (!isMeshError(error) || error.code !== 'CODEC_UNSUPPORTED') throw error
    return decodeHeaderCore(payload, limits)
  }
}

export interface StandingOptions {
  readonly limits: Limits
  readonly also?: readonly Release[]
  /** Of what is signed already and about to be brought. */
  readonly clock?: VectorClock
  /** What a seed with a newer root tells is no answer: it knows no more what counted under this one. */
  readonly isLeft?: boolean
}

/** Asks every seed; one that refuses or is silent is left out. Without any, the channel counts as empty. @throws MeshError what the only seed said, where none answered; TRUST_ROOT_OLD; NewerRelease */
export async function standingOf(
  seeds: readonly Seed[],
  root: TrustRoot,
  channel: Channel,
  options: StandingOptions,
): Promise<Standing> {
  const { limits, also = [], isLeft = false, clock: ahead } = options
  const releases = new Map<ReleaseId, Release>(also.map((release) => [release.id, release]))
  const whole: { peer: PeerId; target: ReleaseId }[] = []
  const errors: unknown[] = []
  const newer: NewerRelease[] = []
  const answers = seeds.map(async (seed) => {
    try {
      const state = await askPatiently(seed, { type: 'state', channel }, ['state'], limits)
      if (isLeft && state.rootVersion > root.version) throw isPastIt(seed.peer, state.rootVersion, root)
      for (const bytes of state.envelopes) {
        const release = readableOr(newer, () => verified(bytes, root, channel, limits))
        if (release !== undefined) releases.set(release.id, release)
      }
      if (state.whole && state.target !== undefined) whole.push({ peer: seed.peer, target: state.target })
    } catch (error) {
      if (!isMeshError(error)) throw error
      errors.push(error)
    }
  })
  await Promise.all(answers)
  if (seeds.length > 0 && errors.length === seeds.length) throw errors[0]
  // A seed that lags may still have what has been replaced since, or is about to be.
  const clocks = [
    ...[...releases.values()].map(({ header }) => header.clock),
    ...(ahead === undefined ? [] : [ahead]),
  ]
  const standing = newer.find(({ clock }) => !clocks.some((other) => replaces(other, clock)))
  if (standing !== undefined) throw standing
  return judge(epochOf(root, channel), [...releases.values()], whole)
}

function readableOr<T>(newer: NewerRelease[], read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof NewerRelease)) throw error
    newer.push(error)
    return undefined
  }
}

const isPastIt = (peer: PeerId, its: number, { version }: TrustRoot): MeshError =>
  new MeshError(
    'TRUST_ROOT_OLD',
    `seed ${peer} says that it is at root ${its}, so it does not know what counted under root ${version}; fetch the newest (confmesh trust fetch --root FILE --seed ADDRESS), and try again`,
    { seed: peer, version: its },
  )

/**
 * Whether a seed says that it has this release, or what it has makes it come too late. By its word alone: who believes a lie
 * submits what the seed might have been given anyhow. @throws MeshError what the only seed said, where none answered
 */
export async function isPast(
  seeds: readonly Seed[],
  { id, header }: Release,
  limits: Limits,
): Promise<boolean> {
  const errors: unknown[] = []
  for (const seed of seeds) {
    try {
      const { channel } = header
      const state = await askPatiently(seed, { type: 'state', channel }, ['state'], limits)
      if (state.top.epoch > header.root) return true
      for (const bytes of state.envelopes) {
        const { payload } = decodeEnvelope(bytes, limits.maxEnvelopeBytes, limits)
        const other = decodeHeaderCore(payload, limits)
        if (other.id === id || replaces(other.clock, header.clock)) return true
      }
    } catch (error) {
      if (!isMeshError(error)) throw error
      errors.push(error)
    }
  }
  if (seeds.length > 0 && errors.length === seeds.length) throw errors[0]
  return false
}

const placeOf = (release: Release, epoch: number): Place => ({
  epoch,
  counter: release.counter,
  publisher: release.header.publisher,
})

function judge(
  epoch: number,
  found: readonly Release[],
  whole: readonly { readonly peer: PeerId; readonly target: ReleaseId }[],
): Standing {
  const descending = (a: Release, b: Release) =>
    comparePlaces(placeOf(b, epoch), placeOf(a, epoch)) || (a.id < b.id ? -1 : 1)
  const releases = found.toSorted(descending)
  const [first, second] = releases
  const held =
    first !== undefined &&
    second !== undefined &&
    comparePlaces(placeOf(first, epoch), placeOf(second, epoch)) === 0
  const target = held ? undefined : first
  const conflict =
    target !== undefined &&
    releases.some((other) => other.id !== target.id && !replaces(target.header.clock, other.header.clock))
  const holders = whole.filter((seed) => seed.target === target?.id).map(({ peer }) => peer)
  return { epoch, releases, target, held, conflict, holders: holders.sort() }
}
