import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Session } from '../core/session.ts'
import type { CoreView } from '../core/view.ts'
import { CODES } from '../errors.ts'
import { GATES } from '../model/channel-state.ts'
import type { MetricsPort } from '../runtime/ports.ts'
import type { LevelStore } from '../store/level.ts'
import { COUNTERS, GAUGES, HISTOGRAMS, type MetricRow, NETWORK } from './metrics-table.ts'

/** Values read when someone scrapes. */
export interface Gauged {
  /** Of this node, as its peers count it. */
  readonly region: string
  view(): CoreView
  store(): Pick<LevelStore, 'bytes' | 'commitAgeMs'>
  certificateExpires(): number | undefined
  /** As gossipsub counts them itself; scores of these peers, which are admitted. */
  gossip(sessions: readonly Session[]): GossipNumbers
}

export interface GossipNumbers {
  readonly topics: number
  readonly remembered: number
  readonly meshPeers: { readonly releases: number; readonly control: number }
  readonly scores: readonly number[]
}

export interface NodeMetrics extends MetricsPort {
  /** Told of every byte on libp2p connections. */
  readonly networkBytes: (direction: 'sent' | 'received', bytes: number) => void
  refused(code: string): void
  text(): Promise<string>
  stop(): void
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
/** Two samplers wake the process so often, also an idle one: every 10 ms costs a tenth of a percent of a core. */
const LAG_SAMPLE_MS = 100
const STATES = ['active', 'fetching', 'conflict', 'held', 'stale', 'empty'] as const

export function createMetrics(gauged: Gauged): NodeMetrics {
  const registry = new Registry()
  collectDefaultMetrics({
    register: registry,
    prefix: 'confmesh_',
    eventLoopMonitoringPrecision: LAG_SAMPLE_MS,
  })
  const lag = monitorEventLoopDelay({ resolution: LAG_SAMPLE_MS })
  lag.enable()
  const counters = new Map(Object.entries(COUNTERS).map(([key, row]) => [key, counterOf(registry, row)]))
  const histograms = new Map(
    Object.entries(HISTOGRAMS).map(([key, row]) => [
      key,
      new Histogram({ ...settings(registry, row), buckets: SECONDS }),
    ]),
  )
  const gauges = new Map(
    Object.entries(GAUGES).map(([key, row]) => [
      key as keyof typeof GAUGES,
      new Gauge(settings(registry, row)),
    ]),
  )
  const network = {
    sent: new Counter(settings(registry, NETWORK.sent)),
    received: new Counter(settings(registry, NETWORK.received)),
  }
  const known = new Set<string>(CODES)

  return {
    count({ metric, by, label }) {
      const name = COUNTERS[metric].labels?.[0]
      if (name === undefined) counters.get(metric)?.inc(by)
      else counters.get(metric)?.inc({ [name]: label ?? 'other' }, by)
    },
    observe({ metric, ms }) {
      // Clocks differ between hosts: a release "from the future" took no time.
      histograms.get(metric)?.observe(Math.max(0, ms) / 1000)
    },
    networkBytes(direction, bytes) {
      network[direction].inc(bytes)
    },
    refused(code) {
      counters.get('refused')?.inc({ code: known.has(code) ? code : 'other' })
    },
    async text() {
      // What is recorded is the time between two samples: their distance is no delay.
      fill(gauges, gauged, Math.max(0, lag.percentile(99) / 1e9 - LAG_SAMPLE_MS / 1_000))
      lag.reset()
      return registry.metrics()
    },
    stop: () => lag.disable(),
  }
}

const settings = (registry: Registry, row: MetricRow) => ({
  name: row.name,
  help: row.help,
  labelNames: [...(row.labels ?? [])],
  registers: [registry],
})

function counterOf(registry: Registry, row: MetricRow): Counter {
  const counter = new Counter(settings(registry, row))
  const [label = ''] = row.labels ?? []
  for (const value of row.zeros ?? []) counter.inc({ [label]: value }, 0)
  return counter
}

function fill(gauges: Map<keyof typeof GAUGES, Gauge>, gauged: Gauged, lagSeconds: number): void {
  const view = gauged.view()
  const set = (key: keyof typeof GAUGES, value: number, labels: Record<string, string> = {}): void =>
    gauges.get(key)?.set(labels, value)
  for (const state of STATES)
    set('active', view.channels.filter((channel) => channel.state === state).length, { state })
  // What runs although it failed stands before what keeps a newer one from running: it is the worse of the two.
  const gates = view.channels.map(({ gate, unhealthy }) => (unhealthy ? 'health' : gate))
  for (const gate of GATES) set('gated', gates.filter((closed) => closed === gate).length, { gate })
  gauges.get('peers')?.reset()
  // Without any peer there would be no series: what is not there is below no bound of an alert.
  set('peers', 0, { region: gauged.region })
  for (const [region, count] of peersByRegion(view.sessions)) set('peers', count, { region })
  set('rootVersion', view.root.version)
  set('rootFork', view.root.forked ? 1 : 0)
  set('rootExpires', (view.root.expires - Date.now()) / 1000)
  set('storeBytes', gauged.store().bytes())
  set('commitAge', gauged.store().commitAgeMs() / 1000)
  set('storeReadOnly', view.readOnly ? 1 : 0)
  set('storeShort', view.isShort ? 1 : 0)
  const fetches = view.channels.flatMap(({ fetch }) => (fetch === undefined ? [] : [fetch]))
  const since = fetches.map(({ sinceMonoMs }) => sinceMonoMs)
  set('fetchAge', since.length === 0 ? 0 : (performance.now() - Math.min(...since)) / 1000)
  set('fetchBlocks', sum(fetches.map(({ blocks }) => blocks)))
  set('fetchMissing', sum(fetches.map(({ blocks, have }) => blocks - have)))
  const certificate = gauged.certificateExpires()
  // Without one there is no such series: 0 would be "expired".
  if (certificate === undefined) gauges.get('poolExpires')?.remove()
  else set('poolExpires', (certificate - Date.now()) / 1000)
  const { topics, remembered, meshPeers, scores } = gauged.gossip(view.sessions)
  set('gossipTopics', topics)
  set('gossipRemembered', remembered)
  for (const [topic, count] of Object.entries(meshPeers)) set('meshPeers', count, { topic })
  // No peer, no lowest score: 0 would look like one.
  if (scores.length === 0) gauges.get('scoreMin')?.remove()
  else set('scoreMin', Math.min(...scores))
  set('keysSilent', view.silentKeys)
  set('beaconHeard', view.heardBeacon ? 1 : 0)
  set('beaconAge', (performance.now() - view.beaconMonoMs) / 1000)
  set('loopLag', Number.isFinite(lagSeconds) ? lagSeconds : 0)
  set('ready', view.ready ? 1 : 0)
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

/** Admitted peers by the region of their hello. */
export function peersByRegion(sessions: readonly Session[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { hello } of sessions)
    if (hello !== undefined) counts.set(hello.region, (counts.get(hello.region) ?? 0) + 1)
  return new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)))
}
