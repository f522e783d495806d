/** Releases to a fleet of real processes: from acknowledgement and from signing to active on every node, and the bytes. */
import { setTimeout as delay } from 'node:timers/promises'
import { RealFleet, type RealNode, until } from '../test/e2e/real-fleet.ts'
import { total } from './metrics.ts'
import { CHANNEL, CONFIG_BYTES, type Scenario, type Sent, send } from './release-stream.ts'
import type { Measured, Row } from './results.ts'
import { line, type Spread, spread } from './spread.ts'
import { tcpFanOut } from './tcp-fan-out.ts'

/** A small config as gossip carries it: content, manifest page, envelope. */
const MESSAGE_BYTES = CONFIG_BYTES + 700
const DEADLINE_MS = 60_000
const IDLE_MS = 5_000

interface Figures {
  readonly processes: number
  readonly releases: number
  readonly fromAcknowledgementMs: Spread
  readonly fromSigningMs: Spread
  /** Of all nodes' releases; each node did reach the last one, or there is no result. */
  readonly missed: number
  readonly sentBytesPerNodeAndRelease: Spread
  readonly sentBytesPerRelease: { readonly fleet: number; readonly seed: number }
  /** The whole fleet, before the first release. */
  readonly idleSentBytesPerSecond: number
  readonly bareTcpMs: Spread
  readonly bareTcpMissed: number
  /** p99 from signing over p99 of the bare fan-out. */
  readonly ratioToFloor: number
}

/** From each node's own history, read once all is over: asking meanwhile would be part of what is measured. */
async function arrivals(nodes: readonly RealNode[], sent: readonly Sent[]) {
  const last = sent.at(-1)?.release
  const found = { fromAcknowledgement: [] as number[], fromSigning: [] as number[], missed: 0 }
  for (const node of nodes) {
    const channel = await until(`${node.name} runs the last release`, DEADLINE_MS, async () => {
      const view = await node.client.channel(CHANNEL)
      return view.active?.release === last ? view : undefined
    })
    const lived = channel.active === null ? channel.history : [...channel.history, channel.active]
    const at = new Map(lived.map(({ release, activatedAt }) => [release, Date.parse(activatedAt)]))
    for (const { release, signedMs, acknowledgedMs } of sent) {
      const active = at.get(release)
      if (active === undefined) {
        found.missed += 1
        continue
      }
      found.fromAcknowledgement.push(active - acknowledgedMs)
      found.fromSigning.push(active - signedMs)
    }
  }
  return found
}

const sentBytes = (nodes: readonly RealNode[]): Promise<number[]> =>
  Promise.all(nodes.map((node) => total(node.api, 'confmesh_network_sent_bytes_total')))

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

async function run(o: Scenario): Promise<Figures> {
  const fleet = new RealFleet()
  try {
    const init = await fleet.init('fleet', ['--channel', 'bench/*'])
    const seed = await fleet.start('seed', init.seedConfig)
    const nodes: RealNode[] = [seed]
    for (let i = 1; i <= o.nodes; i++) nodes.push(await fleet.startNode(`node-${i}`, init))
    // Links and gossip's mesh take a few heartbeats to stand.
    await delay(5_000)
    const idleFrom = await sentBytes(nodes)
    await delay(IDLE_MS)
    const before = await sentBytes(nodes)
    const sent = await send(fleet, init, seed, o)
    const found = await arrivals(nodes, sent)
    const after = await sentBytes(nodes)
    const bytes = after.map((value, i) => (value - (before[i] ?? 0)) / o.releases)
    // The fleet idles on beside it: the same processes, the same machine, the same minute.
    const tcp = await tcpFanOut({
      receivers: o.nodes,
      payloadBytes: MESSAGE_BYTES,
      rounds: o.releases,
      gapMs: Math.min(o.gapMs, 300),
    })
    const fromSigningMs = spread(found.fromSigning)
    const bareTcpMs = spread(tcp.times, 2)
    return {
      processes: nodes.length,
      releases: o.releases,
      fromAcknowledgementMs: spread(found.fromAcknowledgement),
      fromSigningMs,
      missed: found.missed,
      sentBytesPerNodeAndRelease: spread(bytes),
      sentBytesPerRelease: {
        fleet: Math.round(sum(bytes)),
        seed: Math.round(bytes[0] ?? 0),
      },
      idleSentBytesPerSecond: Math.round(((sum(before) - sum(idleFrom)) * 1_000) / IDLE_MS),
      bareTcpMs,
      bareTcpMissed: tcp.missed,
      ratioToFloor: Number((fromSigningMs.p99 / bareTcpMs.p99).toFixed(1)),
    }
  } finally {
    await fleet.end()
  }
}

const rowsOf = (f: Figures): readonly Row[] => {
  const who = `1 seed + ${f.processes - 1} nodes, ${f.releases} releases`
  return [
    { what: `${who}: acknowledged → active, ms (p50 / p99 / max)`, figure: line(f.fromAcknowledgementMs) },
    { what: `${who}: signed → active, ms`, figure: line(f.fromSigningMs) },
    { what: `${who}: missed (replaced before that node ran it)`, figure: String(f.missed) },
    { what: 'bare TCP fan-out of the same bytes to as many processes, ms', figure: line(f.bareTcpMs) },
    { what: 'p99 signed → active, over p99 of bare TCP', figure: `${f.ratioToFloor} ×` },
    { what: 'bytes sent by the whole fleet while idle, B/s', figure: String(f.idleSentBytesPerSecond) },
    {
      what: 'bytes sent for each release: whole fleet · seed',
      figure: `${f.sentBytesPerRelease.fleet} · ${f.sentBytesPerRelease.seed}`,
    },
  ]
}

export async function wire({ quick }: { readonly quick: boolean }): Promise<Measured> {
  const figures = [
    await run({ nodes: 9, releases: 30, gapMs: quick ? 600 : 1_000 }),
    await run({ nodes: 29, releases: quick ? 10 : 30, gapMs: quick ? 1_000 : 2_000 }),
  ]
  return {
    about: [
      `real processes on one machine over loopback, real libp2p, LevelDB and signatures; no wide-area delay; a config of ${CONFIG_BYTES} bytes, one release after another, published in one process over one connection to the seed`,
      'active is what the node itself recorded in its history; the seed counts as a node; a time from acknowledgement below zero means active before the publisher had heard of it',
      'bytes are all that libp2p connections sent meanwhile, idle traffic of the gaps included',
    ],
    rows: figures.flatMap(rowsOf),
    figures,
  }
}
