/** What the log says of freshness, once for each change. */
import type { Freshness } from '../model/beacon.ts'
import type { Channel, KeyId } from '../model/ids.ts'
import type { EffectOf } from './effects.ts'

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
export function noteOf(state: Freshness): Note {
  if (state === 'fresh' || state === 'unjudged')
    return { ...FRESH, text: 'beacons advance and name nothing newer' }
  return { kind: 'note', level: 'warn', ...OF_NODE[state] }
}

export function noteOfChannel(channel: Channel, behind: boolean): Note {
  if (!behind) return { ...FRESH, text: 'nothing newer is named by any beacon', channel }
  const text = 'a beacon names a release that has not come'
  return { kind: 'note', level: 'warn', code: 'SYNC_BEHIND', text, channel }
}

export function noteOfSpentKey(key: KeyId): Note {
  const text = `freshness key ${key.slice(0, 12)} has signed the last moment there is, which this seed did not: the key is stolen; replace it (confmesh trust)`
  return { kind: 'note', level: 'error', code: 'SYNC_CLOCK_OR_DELAY', text }
}

export function noteOfClock(key: KeyId): Note {
  const text = `the clock of freshness key ${key.slice(0, 12)} is far ahead of the others; it is left out`
  return { kind: 'note', level: 'warn', code: 'SYNC_CLOCK_OR_DELAY', text }
}
