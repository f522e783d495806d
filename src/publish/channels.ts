/** Which channels seeds hold: a raised epoch leaves each of them without a release until it is issued again. */
import { isMeshError, type MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Channel, Pattern } from '../model/ids.ts'
import { matchesAny } from '../model/pattern.ts'
import { askPatiently, type Seed } from './seeds.ts'

/** Answers taken from one seed: all channels that one can hold. */
const mostPages = ({ maxChannels, maxListed }: Limits): number => Math.ceil(maxChannels / maxListed)

/**
 * Of all seeds that answer, those under the patterns, ascending.
 * @param unsaid told of each seed whose list is missing or ends early: whoever relies on the list must say so
 */
export async function channelsUnder(
  patterns: readonly Pattern[],
  seeds: readonly Seed[],
  limits: Limits,
  unsaid: (seed: Seed, error: MeshError) => void,
): Promise<readonly Channel[]> {
  const found = new Set<Channel>()
  for (const seed of seeds) {
    try {
      for await (const channel of channelsOf(seed, limits))
        if (matchesAny(patterns, channel)) found.add(channel)
    } catch (error) {
      if (!isMeshError(error)) throw error
      unsaid(seed, error)
    }
  }
  return [...found].sort()
}

async function* channelsOf(seed: Seed, limits: Limits): AsyncGenerator<Channel> {
  let after: Channel | undefined
  for (let page = 0; page < mostPages(limits); page += 1) {
    const request = { type: 'channels', ...(after === undefined ? {} : { after }) } as const
    const { channels, more } = await askPatiently(seed, request, ['channels'], limits)
    yield* channels
    const last = channels.at(-1)
    if (!more || last === undefined || (after !== undefined && last <= after)) return
    after = last
  }
}
