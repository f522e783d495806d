/** Which channels a change touches, by the word of running seeds. Network code is loaded only by who asks. */
import type { MeshError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Channel, Pattern } from '../model/ids.ts'
import { channelsUnder } from '../publish/channels.ts'
import type { Seed } from '../publish/seeds.ts'
import { warn } from './output.ts'
import { connect, seedAddresses } from './publish-session.ts'

export async function channelsAt(
  addresses: readonly string[],
  patterns: readonly Pattern[],
): Promise<readonly Channel[]> {
  const seeds = await connect(seedAddresses({ seed: addresses }))
  try {
    return await channelsUnder(patterns, seeds.reached, LIMITS, warnUnsaid(PUBLISH_IT_TOO))
  } finally {
    await seeds.close()
  }
}

/** Of commands that issue nothing again themselves. */
export const PUBLISH_IT_TOO =
  'what it holds besides and gets a new epoch must be published again, too; confmesh status there lists it'

/**
 * A channel that nobody names is not issued again: the list's gaps are said.
 * @param advice what to do about them, at this command
 */
export const warnUnsaid =
  (advice: string) =>
  ({ peer }: Seed, { code, message }: MeshError): void =>
    warn(`seed ${peer} did not name all its channels: ${code}: ${message}; ${advice}`)
