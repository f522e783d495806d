/** What a root that is out leaves without a release: of this run, or of one before it that was cut off. */
import { type Code, isMeshError, type MeshError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Channel } from '../model/ids.ts'
import type { Release } from '../model/release.ts'
import type { TrustRoot } from '../model/root.ts'
import type { Seed } from '../publish/seeds.ts'
import { type Standing, type StandingOptions, standingOf } from '../publish/standing.ts'
import { progress } from './output.ts'

/** What counted in a channel before the root. */
export type Target = readonly [Channel, Release]

/** Without a release under the root that is out, and why. */
export interface Left {
  readonly channel: Channel
  readonly code: Code
  readonly message: string
}

/** Such a channel holds something, and nothing of its epoch. */
export const STALE = 'ORDER_STALE_EPOCH'

/** Where no seed answers any more the rest is not asked about, and may be without one. */
export async function leftWithout(
  channels: readonly Channel[],
  root: TrustRoot,
  seeds: readonly Seed[],
): Promise<readonly Left[]> {
  const left: Left[] = []
  const rest = new Set(channels)
  try {
    for await (const [channel, { releases }] of standings(channels, root, seeds)) {
      rest.delete(channel)
      const message = 'what it holds is of an older epoch, and what counted there is not known any more'
      if (releases.length === 0) left.push({ channel, code: STALE, message })
    }
  } catch (error) {
    if (!isMeshError(error)) throw error
    for (const channel of rest) left.push({ channel, ...unknown(error) })
  }
  return left
}

const unknown = ({ code, message }: MeshError) => ({
  code,
  message: `no seed says what it holds: ${message}`,
})

/** @param known found before: a seed that told of it may be silent now */
export async function* standings(
  channels: readonly Channel[],
  root: TrustRoot,
  seeds: readonly Seed[],
  known: readonly Target[] = [],
  how: Pick<StandingOptions, 'isLeft'> = {},
): AsyncGenerator<readonly [Channel, Standing]> {
  const before = new Map(known)
  for (const [index, channel] of channels.entries()) {
    if (index > 0 && index % 100 === 0) progress(`looked at ${index} of ${channels.length} channels`)
    const release = before.get(channel)
    const also = release === undefined ? [] : [release]
    yield [channel, await standingOf(seeds, root, channel, { limits: LIMITS, also, ...how })]
  }
}
