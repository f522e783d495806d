/**
 * Who is known to stand for gateway, region by region, and who of them counts: verified, bounded, the newest word of
 * each peer.
 */
import { sha256 } from '../../codec/digest.ts'
import { isMeshError } from '../../errors.ts'
import type { Limits } from '../../limits.ts'
import type { Heartbeat, Stopgap } from '../../model/heartbeat.ts'
import type { Digest, PeerId } from '../../model/ids.ts'
import type { PublicKey } from '../../model/root.ts'
import type { Admission } from '../../trust/certificates.ts'
import { checkHeartbeat, type ReadHeartbeat, readHeartbeat } from '../../trust/heartbeat.ts'
import type { Now } from '../events.ts'
import { LatestMap } from '../latest.ts'
import { type Bucket, type Buckets, createBucket, createBuckets } from '../rate.ts'
import { weight } from '../rendezvous.ts'

export interface Known extends Standing {
  readonly heartbeat: Heartbeat
  readonly bytes: Uint8Array
  readonly key: PublicKey
  readonly admission: Admission
  /** Negative infinity: its connection broke, and nothing was heard of it since. */
  readonly heardMonoMs: number
  /** How many of its last words came as soon after those before as they do where a border is known. */
  readonly brisk: number
}

export type HeartbeatVerdict =
  | { readonly kind: 'fresh'; readonly heartbeat: Heartbeat; readonly isNew: boolean }
  /** Known already, too far from our clock, beyond a bound, or not admitted here: not to blame on who brought it. */
  | { readonly kind: 'ignored' }
  | {
      readonly kind: 'invalid'
      readonly code: 'CODEC_MALFORMED' | 'TRUST_UNAUTHORISED'
      readonly text: string
    }

/** What the order of gateways depends on. */
export interface Standing {
  readonly peer: PeerId
  readonly stopgap: Stopgap | undefined
  /** Rendezvous with the region's name. */
  readonly weight: string
}

const CLASS = { proven: 0, new: 1, seed: 2 } as const

/** Proven ones first, then the new, seeds last; within each by rendezvous. */
export const byStanding = (a: Standing, b: Standing): number =>
  CLASS[a.stopgap ?? 'proven'] - CLASS[b.stopgap ?? 'proven'] || (a.weight < b.weight ? 1 : -1)

/**
 * The best of those that live. A seed stands only where nobody else does, and is silent before others forget it: for as
 * long as some count it and some don't, each block has two who wait for one another.
 */
export function gatewaysAmong(live: readonly Standing[], count: number): readonly PeerId[] {
  const others = live.filter(({ stopgap }) => stopgap !== 'seed')
  const standing = others.length > 0 ? others : [...live]
  return standing
    .sort(byStanding)
    .slice(0, count)
    .map(({ peer }) => peer)
}

/** Whoever knows no border waits twice `heartbeatMs` at least; only who starts says two words sooner after one another. */
export const isBrisk = (gapMs: number, { heartbeatMs }: Limits): boolean => gapMs < heartbeatMs * 1.5

/** What one peer may bring is a part of what is looked at: it can invent as many as it likes. */
export const SHARES = 8

export class Heartbeats {
  readonly #self: PeerId
  readonly #region: string
  readonly #limits: Limits
  readonly #regions = new Map<string, Map<PeerId, Known>>()
  /** Read already, whoever signed it: these bytes speak of this peer and moment. */
  readonly #read: LatestMap<Digest, Pick<Heartbeat, 'peer' | 'at'>>
  readonly #checks: Bucket
  readonly #checksFor: Buckets<PeerId>

  constructor(self: PeerId, region: string, limits: Limits) {
    this.#self = self
    this.#region = region
    this.#limits = limits
    this.#read = new LatestMap(8 * limits.maxHeartbeats)
    const { heartbeatChecksPerSecond, heartbeatChecksBurst, maxKnownPeers } = limits
    // A part of less than one would never be enough for any.
    const [perSecond, burst] = [heartbeatChecksPerSecond / SHARES, Math.max(1, heartbeatChecksBurst / SHARES)]
    this.#checks = createBucket(heartbeatChecksPerSecond, heartbeatChecksBurst)
    this.#checksFor = createBuckets(perSecond, burst, maxKnownPeers)
  }

  /**
   * @param from who brought it
   * @param wanted may refuse what it reads, before its signature costs anything
   * @param admitted what its chain says, if it admits the peer to the region it names; asked once for each chain
   */
  learn(
    bytes: Uint8Array,
    from: PeerId,
    now: Now,
    wanted: (heartbeat: Heartbeat) => boolean,
    admitted: (heartbeat: Heartbeat) => Admission | undefined,
  ): HeartbeatVerdict {
    const digest = sha256(bytes)
    // Most come again and again, by every neighbour that knows them: what is no news any more is not even read.
    if (this.#isOld(this.#read.get(digest), now)) return { kind: 'ignored' }
    try {
      const read = readHeartbeat(bytes, this.#limits)
      this.#read.set(digest, { peer: read.heartbeat.peer, at: read.heartbeat.at })
      return wanted(read.heartbeat) ? this.#take(read, bytes, from, now, admitted) : { kind: 'ignored' }
    } catch (error) {
      if (!isMeshError(error)) throw error
      const { code, message: text } = error
      if (code === 'CODEC_UNSUPPORTED' || code.startsWith('LIMIT_')) return { kind: 'ignored' }
      return {
        kind: 'invalid',
        code: code === 'TRUST_UNAUTHORISED' ? code : 'CODEC_MALFORMED',
        text: `heartbeat: ${text}`,
      }
    }
  }

  /** Heard within `liveMs`, in order of standing. */
  live(region: string, monoMs: number, liveMs: number): readonly Known[] {
    const known = [...(this.#regions.get(region)?.values() ?? [])]
    return known.filter((one) => one.heardMonoMs > monoMs - this.#liveMs(one, liveMs)).sort(byStanding)
  }

  isLive(peer: PeerId, monoMs: number, liveMs: (region: string) => number): boolean {
    const known = this.find(peer)
    if (known === undefined) return false
    return known.heardMonoMs > monoMs - this.#liveMs(known, liveMs(known.heartbeat.region))
  }

  regions(): readonly string[] {
    return [...this.#regions.keys()].sort()
  }

  find(peer: PeerId): Known | undefined {
    for (const peers of this.#regions.values()) {
      const known = peers.get(peer)
      if (known !== undefined) return known
    }
    return undefined
  }

  /** Its connection broke: dead until it is heard again. */
  lost(peer: PeerId): void {
    this.#heard(peer, Number.NEGATIVE_INFINITY)
  }

  /**
   * It is linked again, and spoke lately: as alive as it was; dead until it is heard where it has moved to another region.
   * What it said of the old one is kept: else that would be news when others tell it once more.
   */
  found(peer: PeerId, region: string, now: Now, liveMs: (region: string) => number): void {
    const known = this.find(peer)
    if (known === undefined) return
    if (known.heartbeat.region !== region) return this.lost(peer)
    if (known.heardMonoMs !== Number.NEGATIVE_INFINITY) return
    if (Math.abs(now.wallMs - known.heartbeat.at) < this.#liveMs(known, liveMs(region)))
      this.#heard(peer, now.monoMs)
  }

  /** For so long nobody could be heard: it does not count. */
  deaf(ms: number): void {
    for (const peers of this.#regions.values())
      for (const [peer, known] of peers) peers.set(peer, { ...known, heardMonoMs: known.heardMonoMs + ms })
  }

  /** Those whose admission does not hold under a new root go; who may stay all the same is heard again. */
  keep(holds: (peer: PeerId, admission: Admission) => boolean): void {
    for (const peers of [...this.#regions.values()])
      for (const { peer, admission } of [...peers.values()]) if (!holds(peer, admission)) this.forget(peer)
  }

  forget(peer: PeerId): void {
    for (const [region, peers] of this.#regions)
      if (peers.delete(peer) && peers.size === 0) this.#regions.delete(region)
  }

  /** A node that hears of no other region may be in one whose gateways do: they say it by how often they speak. */
  #liveMs({ brisk, heartbeat }: Known, liveMs: number): number {
    const isAtBorder = brisk > 1 && heartbeat.region === this.#region
    return isAtBorder ? Math.min(liveMs, this.#limits.heartbeatLiveMs) : liveMs
  }

  #heard(peer: PeerId, heardMonoMs: number): void {
    const known = this.find(peer)
    if (known !== undefined) this.#regions.get(known.heartbeat.region)?.set(peer, { ...known, heardMonoMs })
  }

  #take(
    read: ReadHeartbeat,
    bytes: Uint8Array,
    from: PeerId,
    now: Now,
    admitted: (heartbeat: Heartbeat) => Admission | undefined,
  ): HeartbeatVerdict {
    const { heartbeat } = read
    const { peer, region, at } = heartbeat
    const before = this.find(peer)
    if (this.#isOld(heartbeat, now)) return { kind: 'ignored' }
    if (Math.abs(at - now.wallMs) > this.#limits.heartbeatSkewMs) return { kind: 'ignored' }
    // Honest ones come every `heartbeatMs`: a peer that signs more of them gets no more checks for it.
    const tooSoon = (before?.heardMonoMs ?? 0) > now.monoMs - this.#limits.heartbeatMs / 2
    // What is new it tells those of other regions once, maybe right after somebody brought an older word of it.
    const isTurn = from === peer && region !== this.#region && before?.stopgap !== heartbeat.stopgap
    if (before === undefined || (tooSoon && isTurn) ? !this.#mayCheck(from, now) : tooSoon)
      return { kind: 'ignored' }
    const key = checkHeartbeat(read, before?.key, this.#limits)
    const admission =
      before !== undefined && saysSame(before.heartbeat, heartbeat) ? before.admission : admitted(heartbeat)
    if (admission === undefined) return { kind: 'ignored' }
    if (before !== undefined && before.heartbeat.region !== region) this.forget(peer)
    const known: Known = {
      ...{ peer, stopgap: heartbeat.stopgap, weight: weight(region, peer) },
      ...{ heartbeat, bytes, key, admission, heardMonoMs: now.monoMs },
      brisk: before !== undefined && this.#isBrisk(before, at, now.monoMs) ? before.brisk + 1 : 0,
    }
    if (!this.#put(known, now)) return { kind: 'ignored' }
    return { kind: 'fresh', heartbeat, isNew: before === undefined }
  }

  /**
   * So soon after the word before, by its sender's clock: on the way it may have been late. But where that clock was set back each
   * word is of a moment after the one before, however long it took, so that it counts here as well, by one word that may be late.
   */
  #isBrisk(before: Known, at: number, monoMs: number): boolean {
    const isInTime = monoMs - before.heardMonoMs < 2 * this.#limits.heartbeatMs
    return isInTime && isBrisk(at - before.heartbeat.at, this.#limits)
  }

  /**
   * Our own, or no later than what is known of that peer. What is known of a time that is too far ahead was taken before
   * a clock was set back, here or there: nothing is older than that, or the peer would be dead until then.
   */
  #isOld(said: Pick<Heartbeat, 'peer' | 'at'> | undefined, { wallMs }: Now): boolean {
    if (said === undefined) return false
    if (said.peer === this.#self) return true
    const known = this.find(said.peer)
    if (known === undefined || known.heartbeat.at - wallMs > this.#limits.heartbeatSkewMs) return false
    return known.heartbeat.at >= said.at
  }

  /** A key not seen before, which costs a millisecond, or a word sooner than others. */
  #mayCheck(from: PeerId, { monoMs }: Now): boolean {
    return this.#checksFor.take(from, monoMs) && this.#checks.take(monoMs)
  }

  /** A full region keeps those that stand best, the dead go first; a full table takes no further region. */
  #put(known: Known, now: Now): boolean {
    const { peer } = known
    const { region } = known.heartbeat
    const peers = this.#regions.get(region) ?? new Map<PeerId, Known>()
    if (peers.size === 0 && !this.#hasRoom(now)) return false
    peers.set(peer, known)
    this.#regions.set(region, peers)
    if (peers.size <= this.#limits.maxHeartbeats) return true
    const live = this.live(region, now.monoMs, this.#limits.calmHeartbeatLiveMs)
    const kept = new Set(live.slice(0, this.#limits.maxHeartbeats).map((one) => one.peer))
    for (const other of [...peers.keys()]) if (!kept.has(other)) peers.delete(other)
    return kept.has(peer)
  }

  #hasRoom(now: Now): boolean {
    if (this.#regions.size < this.#limits.maxRegions) return true
    for (const region of this.regions())
      if (this.live(region, now.monoMs, this.#limits.farHeartbeatLiveMs).length === 0)
        return this.#regions.delete(region)
    return false
  }
}

/** What an admission was found for. */
function saysSame(a: Heartbeat, b: Heartbeat): boolean {
  const [old = [], chain = []] = [a.chain, b.chain]
  const sameChain = old.length === chain.length && old.every((link, at) => isSame(link, chain[at]))
  return a.region === b.region && sameChain
}

const isSame = (a: Uint8Array, b: Uint8Array | undefined): boolean =>
  b !== undefined && Buffer.compare(a, b) === 0
