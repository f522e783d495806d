/** Whom a node could connect to: seeds by their address, all others by records they signed themselves. */
import { sha256 } from '../../codec/digest.ts'
import { type Code, isMeshError } from '../../errors.ts'
import type { Limits } from '../../limits.ts'
import type { Address, PeerId } from '../../model/ids.ts'
import { peerOf } from '../../model/names.ts'
import type { PeerRecord } from '../../model/peer-record.ts'
import type { TrustRoot } from '../../model/root.ts'
import { isStillNamed, type Judgement } from '../../trust/admission.ts'
import type { Admission } from '../../trust/certificates.ts'
import { openPeerRecord } from '../../trust/peer-record.ts'
import type { CoreConfig } from '../config.ts'
import { LatestMap, LatestSet } from '../latest.ts'

/** A newer `at` alone is written down again after so long. */
const REMEMBER_AGAIN_MS = 86_400_000
/**
 * Whoever was not linked for so long is gone, as far as one can tell: it is passed on to nobody, and its place in a full book
 * is for one that is there. No sooner, or whoever makes peers with a pool's key could push out all others.
 */
const MET_LATELY_MS = 86_400_000
/** Whoever was remembered is gone so soon after a start: how long before it nobody was linked is not known. */
const UNMET_MS = 3_600_000

export interface KnownPeer {
  readonly record: PeerRecord
  readonly bytes: Uint8Array
  /** What its certificate chain says; labels in the record itself are the peer's own word and count for nothing. */
  readonly admission: Admission
  /** It was admitted here once: only such records are passed on and remembered. */
  readonly proven: boolean
}

/** As others are told of it. */
export interface PassedOn {
  readonly bytes: Uint8Array
  /** As of the last look. */
  readonly isLinked: boolean
}

/** Whether the peer of a record would be admitted, as of now. */
export type JudgeRecord = (record: PeerRecord) => Judgement

/**
 * `new`: a peer not known before; `changed`: it is reached elsewhere or stores something else now; `own`: this node's;
 * `newer`: what this build does not know, which is no fault of whoever passes it on.
 */
export type Learnt = 'new' | 'own' | 'changed' | 'later' | 'old' | 'newer' | 'invalid' | 'full'

interface Problem {
  readonly code: Code
  readonly text: string
}

export class PeerBook {
  readonly #self: PeerId
  readonly #limits: Limits
  readonly #known = new Map<PeerId, KnownPeer>()
  /**
   * Of a seed: linked, and no place for them among the known, which peers that came and went may all have for a day. Whoever
   * comes asks it for peers, and is sent to them.
   */
  readonly #beside: LatestMap<PeerId, KnownPeer>
  #linked: ReadonlySet<PeerId> = new Set()
  /** When each was linked last, or became known. */
  readonly #met = new Map<PeerId, number>()
  /** Remembered from an earlier life and not heard of in this one, the oldest record last. */
  readonly #unmet = new Set<PeerId>()
  /** Not heard of since dials to each address were in vain, while others were linked. */
  readonly #inVain = new Set<PeerId>()
  /** Known no more, and not told yet. */
  readonly #dropped = new Set<PeerId>()
  /** All of them in order, until one changes: a look each second and every exchange go through a thousand. */
  #sorted: readonly KnownPeer[] | undefined
  /** Where each is reached as the configuration says: one may have several addresses. */
  readonly #seeds = new Map<PeerId, readonly Address[]>()
  #seen: LatestSet<string>
  /** Remembered, and by this clock their certificates have ended or not begun. */
  readonly #ended: Uint8Array[] = []

  constructor({ self, seeds, submit, limits }: Pick<CoreConfig, 'self' | 'seeds' | 'submit' | 'limits'>) {
    this.#self = self
    this.#limits = limits
    this.#seen = new LatestSet(2 * limits.maxKnownPeers)
    this.#beside = new LatestMap(submit ? limits.seedDegree : 0)
    for (const address of seeds) {
      const peer = peerOf(address)
      if (peer !== self) this.#seeds.set(peer, [...(this.#seeds.get(peer) ?? []), address])
    }
  }

  seeds(): Iterable<PeerId> {
    return this.#seeds.keys()
  }

  isSeed(peer: PeerId): boolean {
    return this.#seeds.has(peer)
  }

  /** Somebody has written this address of a seed: it is not one that the seed says of itself. */
  isWritten(peer: PeerId, address: Address): boolean {
    return this.#seeds.get(peer)?.includes(address) === true
  }

  /** It could be dialled. */
  knows(peer: PeerId): boolean {
    return this.#seeds.has(peer) || this.#known.has(peer)
  }

  get size(): number {
    return this.#known.size
  }

  get(peer: PeerId): KnownPeer | undefined {
    return this.#known.get(peer) ?? this.#beside.get(peer)
  }

  /** Ascending by peer id, so that a choice depends on nothing but the random numbers. */
  all(): readonly KnownPeer[] {
    this.#sorted ??= [...this.#known.values()].sort((a, b) => (a.record.peer < b.record.peer ? -1 : 1))
    return this.#sorted
  }

  /**
   * What an earlier life has left. Who is refused is to be remembered no more, but for one whose certificate has ended: that
   * may be a clock that is wrong, and is read again once it was set.
   * @param records newest first
   * @returns how many are known now, and why others are not, each reason once
   */
  remember(records: readonly Uint8Array[], judge: JudgeRecord, monoMs: number) {
    const refused = new Map<Code, string[]>()
    for (const bytes of records.slice(0, this.#limits.maxKnownPeers)) {
      const { learnt, peer, problem } = this.learn(bytes, () => true, judge, monoMs)
      if (learnt === 'new' && peer !== undefined) this.#unmet.add(peer)
      if (problem === undefined) continue
      if (problem.code === 'ADMIT_EXPIRED') this.#ended.push(bytes)
      else if (peer !== undefined) this.#dropped.add(peer)
      refused.set(problem.code, [...(refused.get(problem.code) ?? []), problem.text])
    }
    const problems = [...refused].map(([code, [text = '', ...others]]): Problem => {
      return { code, text: others.length === 0 ? text : `${text}; ${others.length} more are refused as well` }
    })
    return { taken: this.#unmet.size, problems }
  }

  /** Whom it knew until lately, once: nothing of them is to be remembered. */
  takeDropped(): readonly PeerId[] {
    const dropped = [...this.#dropped]
    this.#dropped.clear()
    return dropped
  }

  /** What others are told of: who was admitted here and is linked, or was lately. */
  passedOn(asker: PeerId, isReachable: (peer: PeerId) => boolean, monoMs: number): readonly PassedOn[] {
    return [...this.all(), ...this.#beside.values()]
      .filter(({ record: { peer }, proven }) => {
        return proven && peer !== asker && isReachable(peer) && this.metLately(peer, monoMs)
      })
      .map(({ record: { peer }, bytes }) => ({ bytes, isLinked: this.#linked.has(peer) }))
  }

  /**
   * Takes a record in. A signature costs a check, so the very same bytes are not looked at twice under one root.
   * @param isProven is admitted here, or was once: such a peer finds room in a full book, and keeps it, or is kept beside it
   */
  learn(
    bytes: Uint8Array,
    isProven: (peer: PeerId) => boolean,
    judge: JudgeRecord,
    monoMs: number,
  ): {
    readonly learnt: Learnt
    readonly peer?: PeerId
    readonly own?: PeerRecord
    readonly problem?: Problem
  } {
    const digest = sha256(bytes)
    if (this.#seen.has(digest)) return { learnt: 'old' }
    let record: PeerRecord
    try {
      record = openPeerRecord(bytes, this.#limits)
    } catch (error) {
      if (!isMeshError(error)) throw error
      if (error.code === 'CODEC_UNSUPPORTED') {
        this.#seen.add(digest)
        return { learnt: 'newer' }
      }
      return { learnt: 'invalid', problem: { code: error.code, text: error.message } }
    }
    const { peer } = record
    const known = this.#known.get(peer)
    const proven = known?.proven === true || isProven(peer)
    if (peer === this.#self) return { learnt: 'own', own: record }
    if (known !== undefined && known.record.at >= record.at) {
      this.#seen.add(digest)
      return { learnt: 'old', peer }
    }
    const isFull = known === undefined && !this.#hasRoom(proven, monoMs)
    if (isFull && !proven) return { learnt: 'full', peer }
    const judgement = judge(record)
    // One that is kept beside is taken in once there is a place.
    if (!isFull || judgement.kind === 'refused') this.#seen.add(digest)
    if (judgement.kind === 'refused') {
      const text = `record of ${peer}: ${judgement.text}`
      return { learnt: 'invalid', peer, problem: { code: judgement.code, text } }
    }
    const { admission } = judgement
    const entry = { record, bytes, admission, proven }
    if (isFull) {
      if ((this.#beside.get(peer)?.record.at ?? 0) <= record.at) this.#beside.set(peer, entry)
      return { learnt: 'full', peer }
    }
    this.#put(peer, entry)
    if (known === undefined) {
      this.#met.set(peer, monoMs)
      return { learnt: 'new', peer }
    }
    this.#heardOf(peer)
    return { learnt: says(known.record) === says(record) ? 'later' : 'changed', peer }
  }

  /** They are linked. */
  met(linked: Iterable<{ readonly peer: PeerId }>, monoMs: number): void {
    this.#linked = new Set([...linked].map(({ peer }) => peer))
    for (const peer of this.#beside.keys()) if (!this.#linked.has(peer)) this.#beside.delete(peer)
    for (const peer of this.#linked) {
      if (!this.#known.has(peer)) continue
      this.#met.set(peer, monoMs)
      this.#heardOf(peer)
    }
  }

  /** So many dials in a row have failed, at one of its addresses after the other. */
  missed(peer: PeerId, failures: number): void {
    if (this.#known.has(peer) && failures >= this.addresses(peer).length) this.#inVain.add(peer)
  }

  /** As far as one can tell: for want of it no link is missing. Seeds were named, and are missed for good. */
  isGone(peer: PeerId, monoMs: number): boolean {
    if (!this.#inVain.has(peer) || this.#seeds.has(peer)) return false
    const quietMs = monoMs - (this.#met.get(peer) ?? monoMs)
    return quietMs >= (this.#unmet.has(peer) ? UNMET_MS : MET_LATELY_MS)
  }

  metLately(peer: PeerId, monoMs: number): boolean {
    return monoMs - (this.#met.get(peer) ?? monoMs) < MET_LATELY_MS
  }

  /** @returns true if it was not known to be so */
  prove(peer: PeerId): boolean {
    const known = this.#known.get(peer)
    if (known === undefined || known.proven) return false
    this.#put(peer, { ...known, proven: true })
    return true
  }

  /** A new root: who is admitted no more goes, and what was refused under the old one may come again. */
  judgeAgain(root: TrustRoot, judge: JudgeRecord): void {
    this.#seen = new LatestSet(2 * this.#limits.maxKnownPeers)
    for (const [peer, known] of this.#known) {
      if (isStillNamed(peer, known.admission, root)) continue
      const judgement = judge(known.record)
      if (judgement.kind === 'refused') this.#drop(peer)
      else this.#put(peer, { ...known, admission: judgement.admission })
    }
    for (const [peer, { admission }] of this.#beside)
      if (!isStillNamed(peer, admission, root)) this.#beside.delete(peer)
  }

  /** The clock was set: what it refused is read again, or may come again. */
  readAgain(judge: JudgeRecord, monoMs: number): void {
    this.#seen = new LatestSet(2 * this.#limits.maxKnownPeers)
    this.remember(this.#ended.splice(0), judge, monoMs)
  }

  /** As a seed's stand in the configuration, then those that it says itself, of these the ones of this very host last. */
  addresses(peer: PeerId): readonly Address[] {
    const own = [...(this.get(peer)?.record.addresses ?? [])]
    own.sort((a, b) => Number(isLoopback(a)) - Number(isLoopback(b)))
    return [...new Set([...(this.#seeds.get(peer) ?? []), ...own])]
  }

  /**
   * A full book makes room for peers that proved themselves only, at the expense of one that did not, or is gone, or was
   * remembered and dialled in vain since: what is remembered may be all of peers that are gone, and would keep out for a day
   * those that are there. No other: a node that has links dials few, and a pool's key would push out all the rest.
   */
  #hasRoom(proven: boolean, monoMs: number): boolean {
    if (this.#known.size < this.#limits.maxKnownPeers) return true
    if (!proven) return false
    for (const [peer, known] of this.#known)
      if (!known.proven || !this.metLately(peer, monoMs)) {
        this.#drop(peer)
        return true
      }
    const missed = [...this.#unmet].findLast((peer) => this.#inVain.has(peer))
    if (missed === undefined) return false
    this.#drop(missed)
    return true
  }

  #put(peer: PeerId, known: KnownPeer): void {
    this.#known.set(peer, known)
    this.#beside.delete(peer)
    this.#dropped.delete(peer)
    this.#sorted = undefined
  }

  #drop(peer: PeerId): void {
    this.#known.delete(peer)
    this.#met.delete(peer)
    this.#unmet.delete(peer)
    this.#inVain.delete(peer)
    this.#dropped.add(peer)
    this.#sorted = undefined
  }

  #heardOf(peer: PeerId): void {
    this.#unmet.delete(peer)
    this.#inVain.delete(peer)
  }
}

/** What of a record matters to others; `at` only once a day. What it was admitted by, too: of an older one nobody may be left. */
const says = ({ addresses, patterns, region, zone, submit, chain, at }: PeerRecord): string =>
  [
    ...[...addresses, ...patterns, region, zone, submit, ...chain.map(sha256)],
    Math.floor(at / REMEMBER_AGAIN_MS),
  ].join(' ')

const isLoopback = (address: Address): boolean =>
  /^\/(ip4\/127\.|ip6\/::1\/|dns[46]?\/localhost\.?\/)/.test(address)
