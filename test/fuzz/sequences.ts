/** Messages of every protocol in any order to a whole core, some of them broken: it never throws and can always be looked at. */
import { randomOf } from '../../scripts/chaos/random.ts'
import { encodeReleaseGossip } from '../../src/codec/gossip.ts'
import { decodeReply, decodeRequest, encodeReply, encodeRequest } from '../../src/codec/messages.ts'
import type { Effect } from '../../src/core/effects.ts'
import { createNode } from '../../src/core/node.ts'
import { EMPTY_SNAPSHOT } from '../../src/core/snapshot.ts'
import { isMeshError } from '../../src/errors.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Address, PeerId } from '../../src/model/ids.ts'
import type { AnyReply, AnyRequest } from '../../src/model/messages.ts'
import type { Event } from '../../src/runtime/ports.ts'
import { replies, requests } from '../unit/codec/message-samples.ts'
import { coreConfig, make, OTHER, PEER, ROOT, rootBytes, WALL_MS } from '../unit/core/fleet.ts'
import { mutator } from './mutate.ts'
import { corpus, PROTOCOLS } from './targets.ts'

const STEPS = 60

/** What was thrown, or undefined. */
export function sequenceFault(seed: number, submit: boolean): string | undefined {
  const random = randomOf(seed)
  const mutated = mutator(seed, corpus())
  const node = createNode(coreConfig({ submit }))
  const made = [1, 2, 3].map((counter) => make({ clock: { alice: counter } }))
  const asked: (Effect & { kind: 'request' })[] = []
  const tickets: number[] = []
  let monoMs = 0
  let lastId = 1_000_000

  const handle = (event: Event): void => {
    for (const effect of node.handle(event, { monoMs, wallMs: WALL_MS + monoMs })) {
      if (effect.kind === 'request') asked.push(effect)
      if (effect.kind === 'persist') tickets.push(effect.ticket)
    }
    node.view({ monoMs, wallMs: WALL_MS + monoMs })
  }
  const gossip = made.map(({ envelope, page, block }) =>
    encodeReleaseGossip({ envelope, attached: random() < 0.5 ? [page, block] : [] }),
  )
  const bytes = (): Uint8Array => (random() < 0.4 ? random.pick(gossip) : mutated())
  const events: (() => Event | undefined)[] = [
    () => ({
      kind: 'connected',
      peer: random.pick([PEER, OTHER]),
      direction: random.pick(['inbound', 'outbound']),
      address: `/ip4/127.0.0.1/tcp/1/p2p/${PEER}` as Address,
      ownHost: random() < 0.5,
    }),
    () => (random() < 0.3 ? { kind: 'disconnected', peer: random.pick([PEER, OTHER]) } : undefined),
    () => ({ kind: 'tick' }),
    () => ({
      kind: 'gossip',
      topic: random.pick(['releases', 'control']),
      from: random.pick([PEER, OTHER]),
      id: `${lastId++}`,
      bytes: bytes(),
    }),
    () => {
      const request = anyRequest(random, mutated)
      return request && { kind: 'request', id: lastId++ as never, peer: random.pick([PEER, OTHER]), request }
    },
    () => {
      const [one] = asked.splice(Math.floor(random() * asked.length), 1)
      if (one === undefined) return undefined
      const reply = anyReply(random, mutated, one.request.protocol)
      return random() < 0.2 || reply === undefined
        ? { kind: 'requestFailed', id: one.id, code: 'NET_TIMEOUT' }
        : { kind: 'reply', id: one.id, reply }
    },
    () => {
      const ticket = tickets.shift()
      if (ticket === undefined) return undefined
      return random() < 0.1
        ? { kind: 'persistFailed', ticket, code: 'STORE_FULL' }
        : { kind: 'persisted', ticket }
    },
    () => ({ kind: 'misbehaved', peer: random.pick([PEER, OTHER] as PeerId[]), code: 'CODEC_MALFORMED' }),
  ]

  try {
    const roots = [{ version: 1, envelope: rootBytes(ROOT) }]
    handle({ kind: 'started', snapshot: { ...EMPTY_SNAPSHOT, roots } })
    for (let step = 0; step < STEPS; step += 1) {
      monoMs += random() < 0.1 ? random.between(0, 120_000) : random.between(0, 500)
      const event = random.pick(events)()
      if (event !== undefined) handle(event)
    }
    return undefined
  } catch (error) {
    return String((error as Error).stack ?? error)
  }
}

type Random = ReturnType<typeof randomOf>

function anyRequest(random: Random, mutated: () => Uint8Array): AnyRequest | undefined {
  const protocol = random.pick(PROTOCOLS)
  const sample = random.pick(requests[protocol] as readonly object[])
  return read(() =>
    decodeRequest(protocol, random() < 0.2 ? mutated() : encodeRequest(protocol, sample as never), LIMITS),
  )
}

function anyReply(
  random: Random,
  mutated: () => Uint8Array,
  protocol: (typeof PROTOCOLS)[number],
): AnyReply | undefined {
  const sample = random.pick(replies[protocol] as readonly object[])
  return read(() =>
    decodeReply(protocol, random() < 0.2 ? mutated() : encodeReply(protocol, sample as never), LIMITS),
  )
}

function read<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (isMeshError(error)) return undefined
    throw error
  }
}
