/** When does the target become active? Gates may only say "not yet"; they never choose another release. */

import type { Gate } from '../model/channel-state.ts'
import { KNOWN_CRITICAL } from '../model/critical.ts'
import type { ReleaseId } from '../model/ids.ts'
import type { Release } from '../model/release.ts'
import type { TrustRoot } from '../model/root.ts'
import { type ChannelState, copiedOf, isAnew, targetOf } from './channel.ts'
import type { ActiveRecord } from './writes.ts'

export interface GateFacts {
  /** The target, where its envelope is here. */
  readonly release: Release | undefined
  readonly whole: boolean
  readonly root: TrustRoot
  readonly readOnly: boolean
  readonly wallMs: number
}

/** The first closed gate in front of a target, by how long it is likely to stay closed: the longest first. */
export function gateOf(state: ChannelState, facts: GateFacts): Gate {
  const target = targetOf(state.floor)
  if (target === undefined) return null
  // Files show it, but what they are to be can be known by its envelope alone: it is waited for.
  if (target === state.active?.release) return facts.release === undefined ? 'content' : null
  if (state.failed.includes(target)) return 'health'
  if (isUnsupported(facts.release)) return 'unsupported'
  const expires = facts.release?.header.expires
  if (expires !== undefined && expires <= facts.wallMs) return 'expired'
  if (facts.root.expires <= facts.wallMs) return 'root-expired'
  if (!facts.whole || facts.release === undefined) return 'content'
  return facts.readOnly ? 'read-only' : null
}

/** It asks for what this build does not know. */
export const isUnsupported = (release: Release | undefined): boolean =>
  release?.header.critical.some((name) => !KNOWN_CRITICAL.has(name)) ?? false

/** The release to activate now, if any. */
export function settle(state: ChannelState, gate: Gate): ReleaseId | undefined {
  const target = targetOf(state.floor)
  if (gate !== null || target === undefined || target === state.active?.release) return undefined
  return target
}

/** `release` is what applications see now. What was active before becomes last-known-good only if it had soaked. */
export function activated(state: ChannelState, active: ActiveRecord, maxHistory: number): ChannelState {
  const before = state.active
  if (before?.release === active.release)
    return { ...state, active: { ...active, activatedAt: before.activatedAt } }
  const soaked = before?.soaked === true
  return {
    ...state,
    active,
    lastGood: soaked ? before.release : state.lastGood,
    lastGoodEpoch: soaked ? before.epoch : state.lastGoodEpoch,
    history:
      before === undefined
        ? state.history
        : [{ release: before.release, activatedAt: before.activatedAt }, ...state.history].slice(
            0,
            maxHistory,
          ),
  }
}

/** Healthy for long enough: from now on it may be gone back to. */
export const soaked = (state: ChannelState): ChannelState =>
  state.active === undefined || state.active.soaked
    ? state
    : { ...state, active: { ...state.active, soaked: true } }

/** The health check of `release` failed here; it is not tried again. */
export function failed(state: ChannelState, release: ReleaseId, maxFailed: number): ChannelState {
  if (state.failed.includes(release)) return state
  return { ...state, failed: [...state.failed, release].slice(-maxFailed) }
}

/** The check of `release` passed here after all, as one that was corrected: nothing is left of its failure, under no other id either. */
export function passed(state: ChannelState, release: Release): ChannelState {
  if (!state.failed.includes(release.id)) return state
  const failedTarget = state.failedTarget === copiedOf(release) ? undefined : state.failedTarget
  return { ...state, failed: state.failed.filter((id) => id !== release.id), failedTarget }
}

/**
 * The first target since a root ended the epoch, which a rotation issues anew whatever stood there. Where it is what had
 * failed here, it has failed, too: shown it would stay, as an ended epoch is never gone back to. Published once
 * more it is tried; at once where what is active failed itself, for then nothing is lost.
 */
export function failedAnew(state: ChannelState, target: Release, maxFailed: number): ChannelState {
  const { failedTarget, active } = state
  if (failedTarget === undefined) return state
  const rest = { ...state, failedTarget: undefined }
  const isBetter = active !== undefined && !state.failed.includes(active.release)
  return isBetter && isAnew(target, failedTarget) ? failed(rest, target.id, maxFailed) : rest
}

/**
 * Where to go back to when `release` fails: last-known-good, if it is of the current epoch. This is the only
 * downward step there is; an ended epoch is never gone back to, because a thief's releases may be in it.
 */
export function fallbackOf(state: ChannelState, release: ReleaseId, epoch: number): ReleaseId | undefined {
  const before = state.active
  const candidate =
    before?.soaked === true && before.release !== release
      ? { release: before.release, epoch: before.epoch }
      : state.lastGood === undefined
        ? undefined
        : { release: state.lastGood, epoch: state.lastGoodEpoch }
  if (candidate === undefined || candidate.release === release || candidate.epoch !== epoch) return undefined
  return state.failed.includes(candidate.release) ? undefined : candidate.release
}
