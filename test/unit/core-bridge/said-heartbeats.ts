import { decodeControlGossip } from '../../../src/codec/gossip.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Heartbeat } from '../../../src/model/heartbeat.ts'
import { checkHeartbeat, readHeartbeat } from '../../../src/trust/heartbeat.ts'

/** Heartbeats among these effects, each checked. */
export const said = (effects: readonly Effect[]): Heartbeat[] =>
  effects.flatMap((effect) => {
    if (effect.kind !== 'publish') return []
    const { kind, envelope } = decodeControlGossip(effect.bytes, LIMITS)
    if (kind !== 'heartbeat') return []
    const read = readHeartbeat(envelope, LIMITS)
    checkHeartbeat(read, undefined, LIMITS)
    return [read.heartbeat]
  })
