/**
 * What is known of each freshness key: its newest beacon and when it came. Each key is judged apart, so that one that
 * lies hides nothing the others say.
 */
import type { Limits } from '../../limits.ts'
import type { Beacon } from '../../model/beacon.ts'
import type { Digest, KeyId } from '../../model/ids.ts'
import type { BeaconMark } from '../../model/messages.ts'
import type { Now } from '../events.ts'
import { createBuckets } from '../rate.ts'
import type { CoreView } from '../view.ts'

/** A page is served while current and for two beacons more. */
const SERVED_BEACONS = 3
/**
 * Of one key, that are taken in the time in which a seed signs one: each is compared with all channels, written, and passed
 * on by the whole fleet, which whoever stole a key, or has recorded what it said, must not make it do as often as he likes.
 */
export const TAKEN_PER_BEACON = 4

/** Signed by a key that the root names, and later than what was known of it. */
interface Valid {
  readonly beacon: Beacon
  readonly envelope: Uint8Array
}

export interface Heard extends Valid {
  /** Undefined: read from disk at start; its `at` counts, but nothing was heard in this run. */
  readonly receivedMonoMs: number | undefined
  /** Pages of this beacon and the two before. */
  readonly pages: readonly (readonly Digest[])[]
}

export type HeardNow = Heard & { readonly receivedMonoMs: number }

export class BeaconKeys {
  readonly #heard = new Map<KeyId, Heard>()
  readonly #turns: ReturnType<typeof createBuckets<KeyId>>
  /** The latest of each key that has had its turns: what comes between is left out, and nothing older is looked at. */
  readonly #waiting = new Map<KeyId, Valid>()
  readonly #turnMs: number
  /** The start of the process, or what was heard last of keys that a root has replaced. */
  #baseMonoMs = 0
  /** Since the process started, also by a key that a root has replaced. */
  #everHeard = false

  constructor({ beaconIntervalMs, maxKeysPerRole }: Limits) {
    this.#turnMs = beaconIntervalMs / TAKEN_PER_BEACON
    this.#turns = createBuckets(1_000 / this.#turnMs, TAKEN_PER_BEACON, maxKeysPerRole)
  }

  /** False: its key has spoken so often of late that it waits for the next turn. */
  takesTurn(one: Valid, monoMs: number): boolean {
    const { key } = one.beacon
    const has = this.#turns.take(key, monoMs)
    if (has) this.#waiting.delete(key)
    else this.#waiting.set(key, one)
    return has
  }

  /** Those that waited, and whose turn has come. */
  nextTurns(monoMs: number): Valid[] {
    return [...this.#waiting.values()].filter((one) => this.takesTurn(one, monoMs))
  }

  /** When to look for these; never where none waits. */
  nextTurnMonoMs(monoMs: number): number {
    return this.#waiting.size === 0 ? Number.POSITIVE_INFINITY : monoMs + this.#turnMs
  }

  start(monoMs: number): void {
    this.#baseMonoMs = monoMs
  }

  get(key: KeyId): Heard | undefined {
    return this.#heard.get(key)
  }

  /** Greatest `at` of a key, also of one that waits; 0 where none is known. */
  at(key: KeyId): number {
    return Math.max(this.#heard.get(key)?.beacon.at ?? 0, this.#waiting.get(key)?.beacon.at ?? 0)
  }

  all(): Iterable<Heard> {
    return this.#heard.values()
  }

  /** Envelopes of those that a peer which knows these lacks, as many as fit. */
  newerThan(have: readonly BeaconMark[], maxBytes: number): readonly Uint8Array[] {
    const known = new Map(have.map(({ key, at }) => [key, at]))
    const newer: Uint8Array[] = []
    let bytes = 0
    for (const { beacon, envelope } of this.#heard.values()) {
      if (beacon.at <= (known.get(beacon.key) ?? 0)) continue
      bytes += envelope.length
      if (bytes <= maxBytes) newer.push(envelope)
    }
    return newer
  }

  put(beacon: Beacon, envelope: Uint8Array, receivedMonoMs: number | undefined): void {
    const before = this.#heard.get(beacon.key)?.pages ?? []
    const pages = [beacon.pages, ...before].slice(0, SERVED_BEACONS)
    this.#heard.set(beacon.key, { beacon, envelope, receivedMonoMs, pages })
    if (receivedMonoMs !== undefined) this.#everHeard = true
  }

  /**
   * Other freshness keys in a new root: what a stolen key said of the time must not outlive it. When something was heard
   * stays: a node that hears every beacon is not silent for as long as the next takes to come.
   */
  reset(): void {
    this.#baseMonoMs = this.lastMonoMs()
    this.#heard.clear()
    this.#waiting.clear()
  }

  /** Digests to be kept and served. */
  served(): Set<Digest> {
    return new Set([...this.#heard.values()].flatMap(({ pages }) => pages.flat()))
  }

  current(): Set<Digest> {
    return new Set([...this.#heard.values()].flatMap(({ beacon }) => beacon.pages))
  }

  /** Keys whose `at` advanced within `maxAgeMs` of monotonic time. */
  within(maxAgeMs: number, now: Now): HeardNow[] {
    const heard: HeardNow[] = []
    for (const one of this.#heard.values()) {
      const { receivedMonoMs } = one
      if (receivedMonoMs !== undefined && now.monoMs - receivedMonoMs <= maxAgeMs)
        heard.push({ ...one, receivedMonoMs })
    }
    return heard
  }

  /** No key's `at` has advanced for `maxAgeMs` of monotonic time, or since the process started. */
  isSilent(maxAgeMs: number, now: Now): boolean {
    return now.monoMs - this.lastMonoMs() > maxAgeMs
  }

  /** The same of one key; where it was never heard, since we began to listen. */
  isKeySilent(key: KeyId, maxAgeMs: number, now: Now): boolean {
    return now.monoMs - (this.#heard.get(key)?.receivedMonoMs ?? this.#baseMonoMs) > maxAgeMs
  }

  /** As the view says it. By the time alone what a seed hears of itself as it starts would not count. */
  lastHeard(): Pick<CoreView, 'beaconMonoMs' | 'heardBeacon'> {
    return { beaconMonoMs: this.lastMonoMs(), heardBeacon: this.#everHeard }
  }

  /** When some key's `at` last advanced; the start of the process where none has yet. */
  lastMonoMs(): number {
    let last = this.#baseMonoMs
    for (const { receivedMonoMs } of this.#heard.values()) last = Math.max(last, receivedMonoMs ?? last)
    return last
  }
}

/** A key's clock as of now. */
const clockOf = ({ beacon, receivedMonoMs }: HeardNow, now: Now): number =>
  beacon.at + (now.monoMs - receivedMonoMs)

/** Keys far ahead of every other one heard; where no other is heard, none is. */
export function tooFarAhead(heard: readonly HeardNow[], now: Now, limits: Limits): ReadonlySet<KeyId> {
  const ahead = new Set<KeyId>()
  for (const one of heard) {
    const others = heard.filter(({ beacon }) => beacon.key !== one.beacon.key)
    const latest = Math.max(...others.map((other) => clockOf(other, now)))
    if (others.length > 0 && clockOf(one, now) - latest > limits.beaconAheadMs) ahead.add(one.beacon.key)
  }
  return ahead
}

/** Beacons advance, but every key that counts is further from our wall clock than `boundMs`. */
export function isClockOrDelay(
  heard: readonly HeardNow[],
  boundMs: number,
  now: Now,
  limits: Limits,
): boolean {
  const ahead = tooFarAhead(heard, now, limits)
  const counting = heard.filter(({ beacon }) => !ahead.has(beacon.key))
  return counting.length > 0 && counting.every((one) => Math.abs(clockOf(one, now) - now.wallMs) > boundMs)
}
