/** Connections to seeds: all are tried at once, the first reached takes the upload, the others are heard on what is newest. */
import { setTimeout as delay } from 'node:timers/promises'
import { isMeshError, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Address } from '../model/ids.ts'
import type { PublishReply, PublishRequest } from '../model/messages.ts'
import type { PublishConnection } from '../net/dial.ts'
import { codeOf } from './refusals.ts'

/** A seed as the tool sees it; tests put their own in its place. */
export type Seed = Pick<PublishConnection, 'peer' | 'ask' | 'close'>

export interface Seeds {
  /** In the order reached, at least one. */
  readonly reached: readonly Seed[]
  readonly missed: readonly { readonly address: Address; readonly error: MeshError }[]
  close(): Promise<void>
}

/** The network's code is loaded only now: a wrong command line, a wrong key are told without it. */
const overNetwork =
  (limits: Limits) =>
  async (address: Address): Promise<Seed> => {
    const { dialPublisher } = await import('../net/dial.ts')
    return dialPublisher(address, { limits })
  }

/**
 * @throws MeshError NET_UNREACHABLE, NET_TIMEOUT, NET_PEER_ID where none is reached
 */
export async function reachSeeds(
  addresses: readonly Address[],
  limits: Limits,
  dial: (address: Address) => Promise<Seed> = overNetwork(limits),
): Promise<Seeds> {
  const reached: Seed[] = []
  const missed: { address: Address; error: MeshError }[] = []
  let closed = false
  const dials = [...new Set(addresses)].map(async (address) => {
    try {
      const seed = await dial(address)
      if (closed) await seed.close()
      else reached.push(seed)
    } catch (error) {
      if (!isMeshError(error)) throw error
      missed.push({ address, error })
    }
  })
  const all = Promise.all(dials)
  // The first that is reached, or the news that none is.
  await Promise.race([all, Promise.any(dials.map(async (one) => one.then(() => requireOne(reached))))]).catch(
    () => all,
  )
  const rest = new AbortController()
  await Promise.race([all, delay(limits.otherSeedsMs, undefined, { signal: rest.signal })])
  rest.abort()
  if (reached.length === 0) throw noneReached(missed)
  const still = reached.slice()
  closed = true
  return {
    reached: still,
    missed,
    async close() {
      await Promise.allSettled(still.map((seed) => seed.close()))
    },
  }
}

function requireOne(reached: readonly Seed[]): void {
  if (reached.length === 0) throw new Error('not reached')
}

function noneReached(missed: readonly { readonly address: Address; readonly error: MeshError }[]): MeshError {
  const [first] = missed
  if (first === undefined) return new MeshError('USAGE', 'no seed is named; give --seed ADDRESS')
  const reasons = missed.map(({ error }) => error.message).join('; ')
  const alike = missed.every(({ error }) => error.code === first.error.code)
  const code = alike ? first.error.code : 'NET_UNREACHABLE'
  const what = missed.length === 1 ? reasons : `no seed was reached: ${reasons}`
  // Who answers as another peer says so himself, and what to look at.
  const advice = code === 'NET_PEER_ID' ? '' : '; is the seed running, and can this host reach its port?'
  return new MeshError(code, `${what}${advice}`, first.error.details, { cause: first.error })
}

/** A reply that is no refusal. @throws MeshError the refusal's code, NET_* */
export async function askSeed<T extends PublishReply['type']>(
  seed: Seed,
  request: PublishRequest,
  expected: readonly T[],
  limits: Limits,
): Promise<Extract<PublishReply, { type: T }>> {
  const reply = await seed.ask(request, limits.publishDeadlineMs)
  if (reply.type === 'refused') throw new RefusedBySeed(seed, reply)
  if (!(expected as readonly string[]).includes(reply.type))
    throw new MeshError('NET_PROTOCOL', `${seed.peer} answered ${request.type} with ${reply.type}`)
  return reply as Extract<PublishReply, { type: T }>
}

/** A seed's coded refusal. */
export class RefusedBySeed extends MeshError {
  readonly retryAfterMs: number | undefined
  readonly envelope: Uint8Array | undefined

  constructor(seed: Seed, refused: Extract<PublishReply, { type: 'refused' }>) {
    super(codeOf(refused.code), `${refused.text} (said by seed ${seed.peer})`, { seed: seed.peer })
    this.retryAfterMs = refused.retryAfterMs
    this.envelope = refused.envelope
  }
}
