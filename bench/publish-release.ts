/** One release over a session that stands: what every bench publishes with, and nothing asked. */
import type { Session } from '../src/cli/publish-session.ts'
import { LIMITS } from '../src/limits.ts'
import type { VectorClock } from '../src/model/clock.ts'
import type { Channel, ReleaseId } from '../src/model/ids.ts'
import type { Content } from '../src/publish/content.ts'
import { publish } from '../src/publish/publish.ts'

export interface Published {
  readonly release: ReleaseId
  readonly clock: VectorClock
  /** When it was signed, by the wall clock. */
  readonly signedMs: number
}

export async function publishRelease(
  session: Session,
  channel: Channel,
  content: Content,
  message: string,
): Promise<Published> {
  let signedMs = 0
  const wallMs = () => {
    signedMs = Date.now()
    return signedMs
  }
  const { root, seeds } = { root: session.chain.current, seeds: session.seeds.reached }
  const { signers, memory, publisher } = session
  const { release, clock } = await publish({
    ...{ channel, content, root, seeds, signers, memory, publisher, message, wallMs },
    expires: undefined,
    expect: undefined,
    checkName: false,
    again: false,
    until: 'submitted',
    limits: LIMITS,
    confirm: async () => true,
  })
  return { release, clock, signedMs }
}
