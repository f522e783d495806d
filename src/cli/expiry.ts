/** When the time of a release is over: what has no time left is not brought to a seed, for no node would activate it. */
import { MeshError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Release } from '../model/release.ts'
import type { Seed } from '../publish/seeds.ts'
import { isPast } from '../publish/standing.ts'
import { realTime, timeOf } from './time.ts'

/** @returns milliseconds since 1970 */
export function expiryOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text)
    ? realTime(text)
    : Number.NaN
  if (Number.isNaN(ms))
    throw new MeshError('USAGE', `--expires: "${text}" is no time such as 2030-01-31T12:00:00Z`)
  if (ms <= Date.now())
    throw new MeshError('USAGE', `--expires: ${text} is in the past; no node would activate it`)
  return ms
}

/**
 * Of a release that was signed earlier. One that is there already is left to the seed's answer, so that a run that was done
 * may be run again; so is one that comes too late. @throws MeshError USAGE, NET_*
 */
export async function requireUnexpired(
  file: string,
  release: Release,
  seeds: readonly Seed[],
): Promise<void> {
  const { expires } = release.header
  if (expires === undefined || expires > Date.now()) return
  if (await isPast(seeds, release, LIMITS)) return
  const text = `${file}: expired at ${timeOf(expires)}, which is in the past; no node would activate it`
  throw new MeshError('USAGE', text, { path: file })
}
