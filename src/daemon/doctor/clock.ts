import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { PeerId } from '../../model/ids.ts'
import type { NodeConfig } from '../config.ts'
import { type Finding, fine, wrong } from './finding.ts'
import { newestRoot } from './root.ts'

/** What a seed's clock showed beside ours. */
export interface SeedClock {
  readonly peer: PeerId
  /** This host's clock is so far ahead of the seed's; negative: behind. */
  readonly aheadMs: number
  /** Half the round trip: so far off that may be. */
  readonly withinMs: number
}

/** What `confmesh init` allows between hosts, where the root cannot be read. */
const USUAL_SKEW_MS = 300_000
/** A file's time may be another host's (a network file system) or a copy's. */
const FILE_SKEW_MS = 300_000
const SET_IT = 'set the clock and keep it with a time service (timedatectl set-ntp true)'

/** Against the seeds' clocks, and no file of ours may be from the future. No time service is asked. */
export async function checkClock(config: NodeConfig, clocks: readonly SeedClock[]): Promise<Finding> {
  const allowedMs = await newestRoot(config).then(
    (root) => root.freshness.maxSkewS * 1_000,
    () => USUAL_SKEW_MS, // that it cannot be read is said by name
  )
  const nowMs = Date.now()
  const judged = judgeClock(nowMs, clocks, allowedMs)
  const newest = await newestFile([
    config.root,
    config.data,
    join(config.data, 'store'),
    join(config.data, 'floor'),
  ])
  if (!judged.ok || newest === undefined || newest.at <= nowMs + FILE_SKEW_MS) return judged
  const written = new Date(newest.at).toISOString()
  return wrong('clock', `${judged.text}, but ${newest.path} was written at ${written}`, SET_IT)
}

/**
 * Wrong where this clock is further from most seeds' than the root allows, or from one of two: then nobody can say which.
 * @param allowedMs what beacons may be off before nodes say SYNC_CLOCK_OR_DELAY
 */
export function judgeClock(nowMs: number, clocks: readonly SeedClock[], allowedMs: number): Finding {
  const check = 'clock'
  const now = new Date(nowMs).toISOString()
  if (clocks.length === 0) return fine(check, `${now}; no seed said its own to compare it with`)
  const off = clocks.filter(({ aheadMs, withinMs }) => Math.abs(aheadMs) - withinMs > allowedMs)
  const median = clocks.map(({ aheadMs }) => aheadMs).sort((a, b) => a - b)[clocks.length >> 1] ?? 0
  const seeds = clocks.length === 1 ? 'the seed' : `${clocks.length} seeds`
  const bound = `more than the ${seconds(allowedMs)} that the root allows`
  if (off.length === 0) return fine(check, `${now}, ${apart(median)} ${seeds}`)
  if (2 * off.length > clocks.length)
    return wrong(check, `${now} is ${apart(median)} ${seeds}, ${bound}`, `${SET_IT}, or that of the seeds`)
  const which = off.map(({ peer, aheadMs }) => `${apart(aheadMs)} seed ${peer}`).join(', ')
  return wrong(check, `${now} is ${which}, ${bound}; the others agree with it`, 'set the clock of that seed')
}

function apart(aheadMs: number): string {
  if (Math.abs(aheadMs) < 1_000) return 'within a second of'
  return `${seconds(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'}`
}

function seconds(ms: number): string {
  const whole = Math.round(ms / 1_000)
  if (whole < 120) return `${whole} s`
  return whole < 7_200 ? `${Math.round(whole / 60)} min` : `${(whole / 3_600).toFixed(1)} h`
}

async function newestFile(paths: readonly string[]): Promise<{ path: string; at: number } | undefined> {
  let newest: { path: string; at: number } | undefined
  for (const top of paths) {
    const names = await readdir(top).catch((): string[] => [])
    for (const path of [top, ...names.map((name) => join(top, name))]) {
      const at = (await stat(path).catch(() => undefined))?.mtimeMs
      if (at !== undefined && at > (newest?.at ?? 0)) newest = { path, at }
    }
  }
  return newest
}
