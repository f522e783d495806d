/** The simulated gossip beside what it stands for: a mesh that lasts, and heartbeats that tell those outside it. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../src/limits.ts'
import type { FleetId, PeerId } from '../../src/model/ids.ts'
import { Gate } from '../../src/net/gate.ts'
import { gossipOptions } from '../../src/net/gossip.ts'
import { Pace } from '../../src/net/pace.ts'
import { GOSSIP } from '../../src/sim/gossip.ts'
import { keyNamed, peerOfKey } from '../../src/sim/keys.ts'
import { addressOf, SimNetwork } from '../../src/sim/network.ts'
import { shuffled, stream } from '../../src/sim/random.ts'
import { VirtualTime } from '../../src/sim/time.ts'
import type { SimTransport } from '../../src/sim/transport.ts'

type Verdict = 'accept' | 'ignore' | 'reject'

interface End {
  readonly peer: PeerId
  readonly port: SimTransport
  /** First byte of a message → when it came. */
  readonly heard: Map<number, number>
}

class Fleet {
  readonly time = new VirtualTime()
  readonly network = new SimNetwork(this.time, stream(1, 'gossip'), LIMITS)
  readonly ends: End[] = []

  async add(verdict: Verdict, isSeed = false): Promise<End> {
    const peer = peerOfKey(keyNamed(`gossip ${this.ends.length}`))
    const port = this.network.attach(peer, isSeed)
    const heard = new Map<number, number>()
    await port.start((event) => {
      if (event.kind !== 'gossip') return
      heard.set(event.bytes[0] ?? 0, this.time.nowMs)
      port.perform({ kind: 'verdict', id: event.id, from: event.from, topic: event.topic, verdict })
    })
    const end = { peer, port, heard }
    this.ends.push(end)
    return end
  }

  /** Linked, and admitted by both. */
  join(a: End, b: End): void {
    a.port.perform({ kind: 'dial', address: addressOf(b.peer) })
    this.run(20)
    a.port.perform({ kind: 'admit', peer: b.peer, region: 'all' })
    b.port.perform({ kind: 'admit', peer: a.peer, region: 'all' })
  }

  run(ms: number): void {
    const untilMs = this.time.nowMs + ms
    this.time.after(ms, () => {})
    while (this.time.step(untilMs)) {}
  }

  say(from: End, marker: number): void {
    from.port.perform({ kind: 'publish', topic: 'releases', bytes: new Uint8Array(64).fill(marker) })
  }
}

const mesh = ({ port }: End): readonly PeerId[] => port.meshPeers('releases')

/** Everybody dials ten others. */
async function crowd(count: number, verdictOf: (at: number) => Verdict): Promise<Fleet> {
  const fleet = new Fleet()
  for (let at = 0; at < count; at++) await fleet.add(verdictOf(at), at === 0)
  for (const [at, end] of fleet.ends.entries())
    for (const other of shuffled(fleet.ends, stream(1, 'dials', at)).slice(0, 10))
      if (other !== end) fleet.join(end, other)
  fleet.run(5_000)
  return fleet
}

test('its settings are those of the real one', () => {
  const of = (seed: boolean) =>
    gossipOptions({
      ...{ fleetId: 'f1ee7'.padEnd(64, '0') as FleetId, region: 'default', seed },
      ...{ gate: new Gate(), pace: new Pace(LIMITS), limits: LIMITS },
    })
  const { D, Dlo, Dhi, Dout, Dlazy, mcacheLength, mcacheGossip, scoreThresholds, scoreParams } = of(false)
  const [topic] = Object.values(scoreParams?.topics ?? {})
  expect(GOSSIP).toMatchObject({
    ...{ degree: D, lowDegree: Dlo, highDegree: Dhi, outboundDegree: Dout, lazyDegree: Dlazy },
    ...{ cached: mcacheLength, told: mcacheGossip },
    gossipThreshold: scoreThresholds?.gossipThreshold,
    publishThreshold: scoreThresholds?.publishThreshold,
    graylistThreshold: scoreThresholds?.graylistThreshold,
    invalidWeight: topic?.invalidMessageDeliveriesWeight,
    invalidDecay: topic?.invalidMessageDeliveriesDecay,
  })
  expect(of(true).Dhi).toBe(GOSSIP.degree)
})

test('meshes have their degree, both ends agree on them, and a message changes nothing about it', async () => {
  const fleet = await crowd(60, () => 'accept')
  const before = fleet.ends.map(mesh)
  for (const [at, peers] of before.entries()) {
    expect(peers.length).toBeGreaterThanOrEqual(GOSSIP.lowDegree)
    expect(peers.length).toBeLessThanOrEqual(at === 0 ? GOSSIP.degree : GOSSIP.highDegree)
    for (const peer of peers) {
      const other = fleet.ends.findIndex((end) => end.peer === peer)
      expect(before[other]).toContain(fleet.ends[at]?.peer)
    }
  }
  for (const marker of [1, 2, 3]) {
    fleet.say(fleet.ends[marker] as End, marker)
    fleet.run(2_000)
  }
  expect(fleet.ends.map(mesh)).toEqual(before)
})

test('a fifth passes nothing on: nobody is left out by chance, whoever speaks', async () => {
  const fleet = await crowd(100, (at) => (at % 5 === 0 ? 'ignore' : 'accept'))
  const speakers = fleet.ends.filter((_, at) => at % 5 !== 0)
  for (let marker = 1; marker <= 40; marker++) {
    const sinceMs = fleet.time.nowMs
    fleet.say(speakers[marker] as End, marker)
    fleet.run(1_500)
    const after = fleet.ends.map(({ heard }) => (heard.get(marker) ?? Number.POSITIVE_INFINITY) - sinceMs)
    after[fleet.ends.indexOf(speakers[marker] as End)] = 0
    expect(Math.max(...after)).toBeLessThan(50)
  }
})

test('whoever has none but silent neighbours in its mesh is told of it at a heartbeat of others', async () => {
  const fleet = new Fleet()
  const left = await fleet.add('accept')
  for (let at = 0; at < GOSSIP.lowDegree; at++) fleet.join(left, await fleet.add('ignore'))
  const honest: End[] = []
  for (let at = 0; at < 12; at++) honest.push(await fleet.add('accept'))
  for (const [at, a] of honest.entries()) for (const b of honest.slice(at + 1)) fleet.join(a, b)
  // Until they have all the neighbours they want.
  fleet.run(3_000)
  for (const end of honest) fleet.join(left, end)
  fleet.run(3_000)
  expect(mesh(left).filter((peer) => honest.some((end) => end.peer === peer))).toEqual([])
  const [speaker, ...others] = honest
  // With fewer it would say it to others, too.
  expect(mesh(speaker as End).length).toBeGreaterThanOrEqual(GOSSIP.degree)
  const sinceMs = fleet.time.nowMs
  fleet.say(speaker as End, 1)
  fleet.run(GOSSIP.heartbeatMs + 20)
  // By then the mesh has carried it to all others. Each of these tells three of those outside its mesh, hence `left`, too.
  expect(others.map(({ heard }) => (heard.get(1) ?? Number.NaN) - sinceMs < 20)).not.toContain(false)
  expect(left.heard.get(1)).toBeGreaterThan(sinceMs + 20)
})

test('a seed tells those outside its mesh a heartbeat later than others would', async () => {
  const fleet = new Fleet()
  const seed = await fleet.add('accept', true)
  // As many as it passes a message to, or tells of it.
  for (let at = 0; at < GOSSIP.degree + GOSSIP.lazyDegree; at++) fleet.join(await fleet.add('accept'), seed)
  fleet.run(3_000)
  const sinceMs = fleet.time.nowMs
  fleet.say(seed, 1)
  fleet.run(2 * GOSSIP.heartbeatMs + 20)
  const outside = fleet.ends.filter((end) => end !== seed && !mesh(seed).includes(end.peer))
  expect(outside).toHaveLength(GOSSIP.lazyDegree)
  for (const { heard } of outside) {
    expect(heard.get(1)).toBeGreaterThan(sinceMs + GOSSIP.heartbeatMs)
    expect(heard.get(1)).toBeLessThanOrEqual(sinceMs + 2 * GOSSIP.heartbeatMs + 20)
  }
})

test('one bad message costs the place in the mesh, many the hearing', async () => {
  const fleet = new Fleet()
  const judge = await fleet.add('reject')
  const bad = await fleet.add('accept')
  fleet.join(bad, judge)
  fleet.run(1_500)
  expect(mesh(judge)).toEqual([bad.peer])
  for (let marker = 1; marker <= 20; marker++) {
    fleet.say(bad, marker)
    fleet.run(marker === 1 ? 1_000 : 20)
    if (marker === 1) expect(mesh(judge)).toEqual([])
  }
  expect([...judge.heard.keys()]).toEqual([1, 2, 3, 4, 5, 6, 7])
})
