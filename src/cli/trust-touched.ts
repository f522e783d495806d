/** Which channels a change touches, by the word of running seeds. Network code is loaded only by who asks. */
import { LIMITS } from '../limits.ts'
import type { Channel, Pattern } from '../model/ids.ts'
import { channelsUnder } from '../publish/channels.ts'
import { connect, seedAddresses } from './publish-session.ts'

export async function channelsAt(
  addresses: readonly string[],
  patterns: readonly Pattern[],
): Promise<readonly Channel[]> {
  const seeds = await connect(seedAddresses({ seed: addresses }))
  try {
    return await channelsUnder(patterns, seeds.reached, LIMITS)
  } finally {
    await seeds.close()
  }
}
