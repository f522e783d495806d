/** What the log says of freshness, once for each change. */
import type { Freshness } from '../../model/beacon.ts'
import type { Channel, KeyId } from '../../model/ids.ts'
import type { EffectOf } from '../effects.ts'
import type { Step } from '../step.ts'

type Note = EffectOf<'note'>

const FRESH = { kind: 'note', level: 'info', code: 'CHANNEL_FRESH' } as const

const BEHIND = {
  code: 'SYNC_BEHIND',
  text: 'a beacon names a newer trust root, which has not come',
} as const
const SILENT = {
  code: 'SYNC_SILENT',
  text: 'no beacon for longer than the trust root allows: this node may be kept from updates; are the seeds up (confmesh doctor)?',
} as const
const CLOCK_OR_DELAY = {
  code: 'SYNC_CLOCK_OR_DELAY',
  text: 'beacons are far from the clock of this host: set the clock, or they are delayed',
} as const
const OF_NODE = { behind: BEHIND, silent: SILENT, 'clock-or-delay': CLOCK_OR_DELAY } as const

/** Of one channel. */
export const WHY_STALE = {
  ...OF_NODE,
  behind: { ...BEHIND, text: 'a beacon names a release or a trust root that has not come' },
} as const

/** Of the whole node. */
function noteOf(state: Freshness): Note {
  if (state === 'fresh' || state === 'unjudged')
    return { ...FRESH, text: 'beacons advance and name no newer trust root' }
  return { kind: 'note', level: 'warn', ...OF_NODE[state] }
}

function noteOfChannel(channel: Channel, behind: boolean): Note {
  if (!behind) return { ...FRESH, text: 'nothing newer is named by any beacon', channel }
  const text = 'a beacon names a release that has not come'
  return { kind: 'note', level: 'warn', code: 'SYNC_BEHIND', text, channel }
}

function noteOfClock(key: KeyId): Note {
  const text = `the clock of freshness key ${key.slice(0, 12)} is far ahead of the others; it is left out`
  return { kind: 'note', level: 'warn', code: 'SYNC_CLOCK_OR_DELAY', text }
}

function noteOfSpentKey(key: KeyId): Note {
  const text = `freshness key ${key.slice(0, 12)} has signed the last moment there is, so that this seed can say nothing more: somebody else has the key; replace it (confmesh trust set-freshness)`
  return { kind: 'note', level: 'error', code: 'TRUST_UNAUTHORISED', text }
}

function noteOfUnnamedKey(key: KeyId, version: number): Note {
  const text = `root ${version} does not name this seed's freshness key ${key.slice(0, 12)}: this seed signs no beacons, and nobody hears from it what is newest; add the key to the newest root (confmesh trust fetch, trust set-freshness --add-key, trust push)`
  return { kind: 'note', level: 'warn', code: 'CONFIG_KEY', text }
}

function noteOfOwnAhead(key: KeyId, aheadMs: number): Note {
  const text = `freshness key ${key.slice(0, 12)} has signed a time ${Math.ceil(aheadMs / 60_000)} minutes ahead of this seed's clock, and what it says next is later still: nodes may call channels stale until then, whatever their own clocks; if this clock is right, replace the key (confmesh trust set-freshness)`
  return { kind: 'note', level: 'error', code: 'SYNC_CLOCK_OR_DELAY', text }
}

function noteOfLeftOut(channels: number): Note {
  const text = `beacons of this seed say nothing of ${channels} channels: too many begin alike by their hash to fit in one page; no node can tell whether those are the newest`
  return { kind: 'note', level: 'error', code: 'LIMIT_BYTES', text }
}

function noteOfNewerBuild(key: KeyId): Note {
  const text = `beacons of freshness key ${key.slice(0, 12)} are of a newer build, so that nothing they say counts here: upgrade this node`
  return { kind: 'note', level: 'warn', code: 'CODEC_UNSUPPORTED', text }
}

type Emits = Pick<Step, 'emit'>

/** Says what has changed since it was said last. */
export class FreshnessLog {
  #node: Freshness = 'fresh'
  readonly #behind = new Set<Channel>()
  #ahead: ReadonlySet<KeyId> = new Set()
  #isUnnamed = false
  #isSpent = false
  #isLeftOut = false
  #isOwnAhead = false
  /** Keys that sign what this build cannot read; they are in the root, which bounds them. */
  readonly #newer = new Set<KeyId>()

  node(step: Emits, state: Freshness): void {
    if (state !== this.#node) step.emit(noteOf(state))
    this.#node = state
  }

  channel(step: Emits, channel: Channel, behind: boolean): void {
    if (behind === this.#behind.has(channel)) return
    if (behind) this.#behind.add(channel)
    else this.#behind.delete(channel)
    step.emit(noteOfChannel(channel, behind))
  }

  /** Keys whose clocks are far ahead. */
  ahead(step: Emits, keys: ReadonlySet<KeyId>): void {
    for (const key of keys) if (!this.#ahead.has(key)) step.emit(noteOfClock(key))
    this.#ahead = keys
  }

  /** The root does not know the own key. */
  unnamed(step: Emits, key: KeyId, version: number): void {
    if (!this.#isUnnamed) step.emit(noteOfUnnamedKey(key, version))
    this.#isUnnamed = true
  }

  /** The own key can sign nothing later any more. */
  spent(step: Emits, key: KeyId): void {
    if (!this.#isSpent) step.emit(noteOfSpentKey(key))
    this.#isSpent = true
  }
  /** What the own key says next is of a time so far ahead; nodes allow `allowedMs`. */
  ownAhead(step: Emits, key: KeyId, aheadMs: number, allowedMs: number): void {
    const isAhead = aheadMs > allowedMs
    if (isAhead && !this.#isOwnAhead) step.emit(noteOfOwnAhead(key, aheadMs))
    this.#isOwnAhead = isAhead
  }

  /** Of the own pages. */
  leftOut(step: Emits, channels: number): void {
    if (channels > 0 && !this.#isLeftOut) step.emit(noteOfLeftOut(channels))
    this.#isLeftOut = channels > 0
  }

  newerBuild(step: Emits, key: KeyId): void {
    if (!this.#newer.has(key)) step.emit(noteOfNewerBuild(key))
    this.#newer.add(key)
  }

  isOfNewerBuild(key: KeyId): boolean {
    return this.#newer.has(key)
  }

  /** The root names other keys. */
  reset(): void {
    this.#newer.clear()
    this.#isUnnamed = false
  }
}
