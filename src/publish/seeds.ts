/** Connections to seeds: all are tried at once, the first reached takes the upload, the others are heard on what is newest. */
import { setTimeout as delay } from 'node:timers/promises'
import { MAX_OWN_TEXT_CHARS } from '../codec/message-forms.ts'
import { type Code, isMeshError, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Address, PeerId } from '../model/ids.ts'
import type { PublishReply, PublishRequest } from '../model/messages.ts'
import type { PublishConnection } from '../net/dial.ts'
import { codeOf } from './refusals.ts'

/** A seed as the tool sees it; tests put their own in its place. */
export interface Seed extends Pick<PublishConnection, 'peer' | 'ask' | 'askInOrder' | 'close'> {
  /** The connection has ended, as one does that nothing was asked over for `leaseMs`. */
  readonly isGone?: boolean
  /** Makes a new connection, to where it was reached; absent where there is only this one. @throws MeshError NET_* */
  redial?(): Promise<void>
}

export interface Seeds {
  /** In the order reached, at least one. */
  readonly reached: readonly Seed[]
  readonly missed: readonly { readonly address: Address; readonly error: MeshError }[]
  close(): Promise<void>
}

/** @param signal ends a dial that nobody waits for any more */
type Dial = (address: Address, signal: AbortSignal) => Promise<Seed>

/** The network's code is loaded only now: a wrong command line, a wrong key are told without it. */
const overNetwork =
  (limits: Limits): Dial =>
  async (address, signal) => {
    const { dialPublisher } = await import('../net/dial.ts')
    return dialPublisher(address, { limits, signal })
  }

/**
 * @throws MeshError NET_UNREACHABLE, NET_TIMEOUT, NET_PEER_ID where none is reached
 */
export async function reachSeeds(
  addresses: readonly Address[],
  limits: Limits,
  dial: Dial = overNetwork(limits),
): Promise<Seeds> {
  const reached: Seed[] = []
  const addressesOf = new Map<PeerId, Address[]>()
  const missed: { address: Address; error: MeshError }[] = []
  const open = new Set(addresses)
  const closed = new AbortController()
  const met = new AbortController()
  const dials = [...open].map(async (address) => {
    try {
      const seed = await overCuts(() => dial(address, closed.signal), limits, met.signal)
      // One seed by two addresses is one holder, and asked once; the other stays for when the first stops working.
      const others = addressesOf.get(seed.peer)
      others?.push(address)
      if (closed.signal.aborted || others !== undefined) {
        await seed.close()
      } else {
        const own = [address]
        addressesOf.set(seed.peer, own)
        reached.push(lasting(seed, own, dial, limits, () => reached.every(({ isGone }) => isGone === true)))
        met.abort()
      }
    } catch (error) {
      if (!isMeshError(error)) throw error
      if (!closed.signal.aborted) missed.push({ address, error })
    } finally {
      open.delete(address)
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
  missed.push(...[...open].map((address) => ({ address, error: stillSilent(address, limits) })))
  // Its timers would keep the command from ending.
  closed.abort()
  return {
    reached,
    missed,
    async close() {
      await Promise.allSettled(reached.map((seed) => seed.close()))
    },
  }
}

/** Of a first dial that is cut: a few seconds in all. */
const CUT_TRIES = 4

/**
 * A seed cuts a connection that it takes up while too many are not admitted yet, as for seconds where the nodes behind the same
 * address start at once. One that is not there fails at once.
 * @param signal it is not wanted any more
 * @throws MeshError as the last try did
 */
async function overCuts<T>(run: () => Promise<T>, { redialMinMs }: Limits, signal: AbortSignal): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await run()
    } catch (error) {
      const isCut = isMeshError(error) && error.details.cut === true
      if (!isCut || tries === CUT_TRIES || signal.aborted) throw error
      const pauseMs = redialMinMs * 2 ** (tries - 1) * (0.5 + Math.random() / 2)
      await delay(pauseMs, undefined, { signal }).catch(() => Promise.reject(error))
    }
  }
}

/**
 * @param addresses where it was reached, the first first; more may come
 * @param isWanted no other seed that was reached is left
 */
function lasting(
  first: Seed,
  addresses: readonly Address[],
  dial: Dial,
  limits: Limits,
  isWanted: () => boolean,
): Seed {
  let seed = first
  /** Nothing was answered yet, and it was not waited for. */
  let isNew = true
  let dialling: Promise<void> | undefined
  const closed = new AbortController()
  const again = async () => {
    await seed.close()
    seed = await dialInTurn(addresses, dial, closed.signal)
    // Reached as it was closed: it would keep the command from ending.
    if (closed.signal.aborted) await seed.close()
  }
  const redial = () => {
    dialling ??= again().finally(() => {
      dialling = undefined
    })
    return dialling
  }
  /** By the seed: who dials is through the handshake before the seed knows who it is, and cuts. */
  const isCut = (error: unknown): error is MeshError =>
    isMeshError(error) && error.code === 'NET_UNREACHABLE' && isNew && seed.isGone === true && isWanted()
  return {
    peer: first.peer,
    get isGone() {
      return seed.isGone === true
    },
    async ask(request, timeoutMs) {
      let isLost = false
      const attempt = async () => {
        if (isLost && seed.isGone === true) await redial()
        try {
          return await seed.ask(request, timeoutMs)
        } catch (error) {
          if (!isCut(error)) throw error
          isLost = true
          throw new MeshError(error.code, error.message, { ...error.details, cut: true }, { cause: error })
        }
      }
      return overCuts(attempt, limits, closed.signal).finally(() => {
        isNew = false
      })
    },
    askInOrder: (requests, timeoutMs, onReply) => seed.askInOrder(requests, timeoutMs, onReply),
    async close() {
      closed.abort()
      await seed.close()
    },
    redial,
  }
}

/** @throws MeshError NET_*, as the last of them did */
async function dialInTurn(addresses: readonly Address[], dial: Dial, signal: AbortSignal): Promise<Seed> {
  const last = addresses.length - 1
  for (const address of addresses.slice(0, last)) {
    try {
      return await dial(address, signal)
    } catch (error) {
      if (!isMeshError(error)) throw error
    }
  }
  return dial(addresses[last] as Address, signal)
}

const stillSilent = (address: Address, { otherSeedsMs }: Limits): MeshError =>
  new MeshError('NET_TIMEOUT', `${address}: no answer within ${otherSeedsMs} ms of the first seed's`)

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
  return replyOf(seed, request, await seed.ask(request, limits.publishDeadlineMs), expected)
}

/** What it was asked for. @throws MeshError the refusal's code, NET_PROTOCOL */
export function replyOf<T extends PublishReply['type']>(
  seed: Seed,
  request: PublishRequest,
  reply: PublishReply,
  expected: readonly T[],
): Extract<PublishReply, { type: T }> {
  if (reply.type === 'refused') throw new RefusedBySeed(seed, reply)
  if (!(expected as readonly string[]).includes(reply.type))
    throw new MeshError('NET_PROTOCOL', `${seed.peer} answered ${request.type} with ${reply.type}`)
  return reply as Extract<PublishReply, { type: T }>
}

/** Of a seed that says to come back at once: what it can make of one question. */
const TRIES = 25

/**
 * Again after as long as a seed says that is busy: questions are rationed for all who ask from one address, and a rotation
 * asks thousands. All in all no longer than one answer may take. @throws MeshError as the last try did
 */
export async function askPatiently<T extends PublishReply['type']>(
  seed: Seed,
  request: PublishRequest,
  expected: readonly T[],
  limits: Limits,
): Promise<Extract<PublishReply, { type: T }>> {
  const endMs = performance.now() + limits.publishDeadlineMs
  for (let tries = 1; ; tries += 1) {
    try {
      return await askSeed(seed, request, expected, limits)
    } catch (error) {
      const retryAfterMs =
        error instanceof RefusedBySeed && error.code === 'LIMIT_RATE' ? error.retryAfterMs : undefined
      const pauseMs = Math.max(0, retryAfterMs ?? 0) * (1 + Math.random() / 4)
      if (retryAfterMs === undefined || tries === TRIES || performance.now() + pauseMs > endMs) throw error
      await delay(pauseMs)
    }
  }
}

/** Ten seconds of waits in all: a seed that restarts is back by then. */
const RESTART_TRIES = 5

const CUT: ReadonlySet<Code> = new Set(['NET_UNREACHABLE'])

/** Also by its time being over: of such a question nobody knows what came of it. */
export const UNANSWERED: ReadonlySet<Code> = new Set(['NET_UNREACHABLE', 'NET_TIMEOUT'])

/**
 * Again over new connections where all were cut, for what cannot be made up for later.
 * @param passing what is tried again; silence, which costs a deadline each time, no longer than one answer may take
 * @throws MeshError as the last try did
 */
export async function overRestarts<T>(
  seeds: readonly Seed[],
  limits: Limits,
  run: () => Promise<T>,
  passing = CUT,
): Promise<T> {
  let endMs = Number.POSITIVE_INFINITY
  for (let tries = 1; ; tries += 1) {
    try {
      return await run()
    } catch (error) {
      const passes = isMeshError(error) && passing.has(error.code)
      const lost = seeds.filter(({ redial }) => redial !== undefined)
      if (!passes || lost.length === 0 || tries === RESTART_TRIES || performance.now() > endMs) throw error
      if (error.code === 'NET_TIMEOUT') endMs = Math.min(endMs, performance.now() + limits.publishDeadlineMs)
      await delay(limits.redialMinMs * tries)
      // One that is not back yet says so when it is asked.
      await Promise.allSettled(lost.map((seed) => seed.redial?.()))
    }
  }
}

/**
 * New connections in the place of those that have ended, before what makes do with whoever answers.
 * @throws MeshError NET_* where no seed is left
 */
export async function redialGone(seeds: readonly Seed[]): Promise<void> {
  const gone = seeds.filter(({ isGone }) => isGone === true)
  const dialled = await Promise.allSettled(gone.map(async (seed) => seed.redial?.()))
  const failed = dialled.filter((one) => one.status === 'rejected')
  if (failed[0] !== undefined && failed.length === seeds.length) throw failed[0].reason
}

/** A seed's coded refusal. */
export class RefusedBySeed extends MeshError {
  readonly retryAfterMs: number | undefined
  readonly envelope: Uint8Array | undefined

  constructor(seed: Seed, refused: Extract<PublishReply, { type: 'refused' }>) {
    super(codeOf(refused.code), `${saidBy(refused.text)} (said by seed ${seed.peer})`, { seed: seed.peer })
    this.retryAfterMs = refused.retryAfterMs
    this.envelope = refused.envelope
  }
}

/** No longer than an honest seed's: who said it, and what to do about it, stand behind it in a line that is cut. */
const saidBy = (text: string): string =>
  text.length > MAX_OWN_TEXT_CHARS ? `${text.slice(0, MAX_OWN_TEXT_CHARS)}…` : text
