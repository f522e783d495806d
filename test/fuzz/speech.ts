/** What a member says next: mostly what can change something, in part crossed with another message, or broken. */
import type { Random } from '../../scripts/chaos/random.ts'
import { decodeReply, decodeRequest, encodeReply, encodeRequest } from '../../src/codec/messages.ts'
import { isMeshError } from '../../src/errors.ts'
import { LIMITS } from '../../src/limits.ts'
import type { AnyReply, AnyRequest, Protocol } from '../../src/model/messages.ts'
import { EPOCH_MS } from '../../src/sim/time.ts'
import { replies, requests } from '../unit/codec/message-samples.ts'
import { GOSSIP, MEMBERS, type Member, ROOTS } from './fleet.ts'
import { corpus } from './inputs.ts'
import { mutator } from './mutate.ts'
import { controlOf, honest, requestsOf, TALKS } from './sayings.ts'
import { PROTOCOLS } from './targets.ts'

/** How often bytes are broken until some can be read. */
const TRIES = 5
const ANY = corpus()
const [NEAR] = MEMBERS as readonly [Member]

/** Everything a member may say, and one of each other message. */
const REQUESTS = byProtocol((protocol) =>
  MEMBERS.flatMap((member) => requestsOf(protocol, member, EPOCH_MS)).concat(requests[protocol]),
)
const REPLIES = byProtocol((protocol) =>
  REQUESTS[protocol]
    .map((message) => honest({ protocol, message } as AnyRequest, NEAR, EPOCH_MS, ROOTS.length))
    .concat(replies[protocol]),
)
const REQUEST_BYTES = byProtocol((protocol) =>
  REQUESTS[protocol].map((message) => encodeRequest(protocol, message as never)),
)
const REPLY_BYTES = byProtocol((protocol) =>
  REPLIES[protocol].map((message) => encodeReply(protocol, message as never)),
)

function byProtocol<T>(make: (protocol: Protocol) => readonly T[]): Record<Protocol, readonly T[]> {
  return Object.fromEntries(PROTOCOLS.map((protocol) => [protocol, make(protocol)])) as never
}

type Broken = Record<Protocol, () => Uint8Array>

export class Speech {
  /** The newest root that members know of themselves: one that ends an epoch leaves little of what is there. */
  readonly rootVersion: number
  readonly #random: Random
  /** Those that it asks in by itself; whatever is asked of it is answered. */
  readonly #protocols: readonly Protocol[]
  readonly #brokenRequest: Broken
  readonly #brokenReply: Broken
  readonly #brokenGossip: () => Uint8Array

  constructor(seed: number, random: Random, protocols: readonly Protocol[] = PROTOCOLS) {
    const broken = (of: Record<Protocol, readonly Uint8Array[]>): Broken =>
      Object.fromEntries(PROTOCOLS.map((protocol) => [protocol, mutator(seed, of[protocol])])) as never
    this.#random = random
    this.#protocols = protocols
    this.rootVersion = random() < 0.7 ? 1 : 1 + Math.floor(random() * ROOTS.length)
    this.#brokenRequest = broken(REQUEST_BYTES)
    this.#brokenReply = broken(REPLY_BYTES)
    this.#brokenGossip = mutator(seed, [...GOSSIP.releases, ...GOSSIP.control, ...ANY])
  }

  request(by: Member, at: number): AnyRequest {
    const protocol = this.#random.pick(this.#protocols)
    const sound = this.#oneOf(this.#random() < 0.8 ? requestsOf(protocol, by, at) : REQUESTS[protocol])
    const said = this.#random() < 0.15 ? this.#crossed(sound, REQUESTS[protocol]) : sound
    const bytes = encodeRequest(protocol, said as never)
    const broken = () => (this.#random() < 0.15 ? this.#brokenRequest[protocol]() : bytes)
    return (
      readable(() => decodeRequest(protocol, broken(), LIMITS)) ??
      decodeRequest(protocol, encodeRequest(protocol, sound as never), LIMITS)
    )
  }

  honestReply(request: AnyRequest, by: Member, at: number): AnyReply {
    const { protocol } = request
    return decodeReply(
      protocol,
      encodeReply(protocol, honest(request, by, at, this.rootVersion) as never),
      LIMITS,
    )
  }

  /** Undefined: none comes. */
  reply(request: AnyRequest, by: Member, at: number): AnyReply | undefined {
    const { protocol } = request
    const chance = this.#random()
    if (chance < 0.1) return undefined
    if (chance < 0.2) return readable(() => decodeReply(protocol, this.#brokenReply[protocol](), LIMITS))
    if (chance < 0.7) return this.honestReply(request, by, at)
    const said = this.#crossed(this.#oneOf(REPLIES[protocol]), REPLIES[protocol])
    return readable(() => decodeReply(protocol, encodeReply(protocol, said as never), LIMITS))
  }

  talk(): readonly AnyRequest[] {
    const all = this.#random.pick(this.#random.pick([TALKS.comparison, TALKS.uploads, TALKS.asking]))
    return all.filter(({ protocol }) => this.#protocols.includes(protocol))
  }

  /** Those made first; what each replaces comes before it. */
  firstReleases(): readonly Uint8Array[] {
    return GOSSIP.releases.slice(0, 1 + Math.floor(this.#random() * GOSSIP.releases.length))
  }

  gossip(topic: 'releases' | 'control', by: Member, at: number): Uint8Array {
    if (this.#random() < 0.3) return this.#brokenGossip()
    return this.#random.pick(topic === 'releases' ? GOSSIP.releases : controlOf(by, at))
  }

  /** Each type as often as the others, of however many messages it has. */
  #oneOf<T extends { readonly type: string }>(messages: readonly T[]): T {
    const type = this.#random.pick([...new Set(messages.map((message) => message.type))])
    return this.#random.pick(messages.filter((message) => message.type === type))
  }

  /** One field of another message of its type in place of its own. */
  #crossed<T extends { readonly type: string }>(message: T, all: readonly T[]): T {
    const other = this.#random.pick(all.filter(({ type }) => type === message.type).concat(message))
    const field = this.#random.pick(Object.keys(other)) as keyof T
    return { ...message, [field]: other[field] }
  }
}

function readable<T>(decode: () => T): T | undefined {
  for (let tries = 0; tries < TRIES; tries += 1)
    try {
      return decode()
    } catch (error) {
      if (!isMeshError(error)) throw error
    }
  return undefined
}
