/** Which channels seeds hold: a raised epoch leaves each of them without a release until it is issued again. */
import { isMeshError, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Channel, Pattern } from '../model/ids.ts'
import { matchesAny } from '../model/pattern.ts'
import { askPatiently, type Seed } from './seeds.ts'

/** Names taken from one seed, in pages as long as it likes: of all channels that it can hold, those it stored once among them. */
const mostNames = ({ maxChannels, maxFormerChannels }: Limits): number => maxChannels + maxFormerChannels

/** For all pages of one seed: so many names take it a minute, as lists are rationed. One that gives them singly has no end. */
const MOST_MS = 10 * 60_000

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

/** @throws MeshError LIMIT_CHANNELS, NET_PROTOCOL, NET_TIMEOUT where the list goes on and is not followed; a refusal's code, NET_* */
async function* channelsOf(seed: Seed, limits: Limits): AsyncGenerator<Channel> {
  const most = mostNames(limits)
  const endMs = performance.now() + MOST_MS
  let names = 0
  let after: Channel | undefined
  while (performance.now() < endMs) {
    const request = { type: 'channels', ...(after === undefined ? {} : { after }) } as const
    const { channels, more } = await askPatiently(seed, request, ['channels'], limits)
    yield* channels
    if (!more) return
    const last = channels.at(-1)
    if (last === undefined || (after !== undefined && last <= after))
      throw new MeshError('NET_PROTOCOL', `its list does not go on behind ${after ?? 'its beginning'}`)
    names += channels.length
    if (names >= most) throw new MeshError('LIMIT_CHANNELS', `it has more than ${most}`)
    after = last
  }
  throw new MeshError('NET_TIMEOUT', `its list did not end within ${MOST_MS / 60_000} minutes`)
}
