/** Bare gossipsub: the payload itself as a message on one topic, no signatures, no store. */
import { readFileSync } from 'node:fs'
import { gossipsub as createGossip, type GossipSub, StrictNoSign } from '@chainsafe/libp2p-gossipsub'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { ORIGIN_ADDRESS, Program } from './lab.ts'
import { nowMs, type Running, readyOf, type System, seqOf, shares, until } from './system.ts'
import type { Role } from './worker.ts'

const PORT = 10_000
const TOPIC = 'payload'
const ORIGIN_DEGREE = 8
const DIALS = 8
const MAX_BYTES = 64 * 1024 * 1024
const DEADLINE_MS = 120_000

export const gossipsub: System = {
  name: 'bare gossipsub',
  about: `libp2p with noise and yamux, D = 8, IDONTWANT, no flood publish; the origin has ${ORIGIN_DEGREE} neighbours, each subscriber dials ${DIALS} others`,
  missing: () => undefined,
  async start(lab, subscribers): Promise<Running> {
    const origin = new Program(lab, 'origin', 'gossipsub', 'source', {})
    await until('the origin listens', DEADLINE_MS, () => (readyOf(origin.said) === 1 ? true : undefined))
    let first = 0
    const fleet = shares(subscribers).map((count) => {
      const options = { first, count, total: subscribers }
      first += count
      return new Program(lab, 'fleet', 'gossipsub', 'subscribers', options)
    })
    await until('all are linked', DEADLINE_MS, () =>
      fleet.reduce((sum, { said }) => sum + readyOf(said), 0) === subscribers ? true : undefined,
    )
    return {
      publish: async (_seq, path) => origin.tell({ path }),
      said: () => fleet.flatMap(({ said }) => said),
    }
  },
}

type Node = Libp2p<{ pubsub: GossipSub }>

async function host(address: string, port: number): Promise<Node> {
  const node = (await createLibp2p({
    addresses: { listen: [`/ip4/${address}/tcp/${port}`] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { maxConnections: 200, inboundConnectionThreshold: 10_000 },
    services: {
      identify: identify(),
      pubsub: createGossip({
        D: 8,
        Dlo: 6,
        Dhi: 12,
        floodPublish: false,
        globalSignaturePolicy: StrictNoSign,
        maxInboundDataLength: MAX_BYTES,
        scoreParams: { IPColocationFactorWeight: 0 },
      }),
    },
  })) as unknown as Node
  node.services.pubsub.subscribe(TOPIC)
  return node
}

const link = (node: Node, address: string, port: number): Promise<unknown> =>
  until(`a link to ${port}`, DEADLINE_MS, async () => {
    try {
      return await node.dial(multiaddr(`/ip4/${address}/tcp/${port}`))
    } catch {
      return undefined
    }
  })

export const source: Role = async (_options, { say, commands }) => {
  const node = await host(ORIGIN_ADDRESS, PORT)
  say({ ready: 1 })
  for await (const command of commands) {
    const payload = readFileSync((JSON.parse(command) as { path: string }).path)
    await node.services.pubsub.publish(TOPIC, payload)
  }
}

export const subscribers: Role = async (o, { say }) => {
  const [first, count, total] = [Number(o.first), Number(o.count), Number(o.total)]
  const nodes: Node[] = []
  for (let at = 0; at < count; at++) nodes.push(await host('127.0.0.1', PORT + 1 + first + at))
  for (const node of nodes)
    node.services.pubsub.addEventListener('message', ({ detail }) =>
      say({ got: seqOf(detail.data), atMs: nowMs() }),
    )
  let ready = 0
  for (const [at, node] of nodes.entries()) {
    if (first + at < ORIGIN_DEGREE) await link(node, ORIGIN_ADDRESS, PORT)
    for (let n = 0; n < DIALS; n++) {
      const other = Math.floor(Math.random() * total)
      if (other !== first + at) await link(node, '127.0.0.1', PORT + 1 + other)
    }
    say({ ready: ++ready })
  }
  await new Promise(() => undefined)
}
