import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { CoreView } from '../../../src/core/view.ts'
import { createMetrics, type NodeMetrics } from '../../../src/daemon/metrics.ts'
import { COUNTERS, GAUGES, HISTOGRAMS, NETWORK } from '../../../src/daemon/metrics-table.ts'
import { CODES } from '../../../src/errors.ts'
import { GATES } from '../../../src/model/channel-state.ts'

let certificate: number | undefined
let scores: readonly number[]
let metrics: NodeMetrics
let views: number
let sessions: CoreView['sessions']
let forked = false
let short = false

/** When the two fetches began. */
const [older, newer] = [10_000, 50_000]

const view = {
  channels: [
    { state: 'active', gate: null, unhealthy: true },
    { state: 'active', gate: 'health' },
    { state: 'active', gate: null, fetch: { have: 1, blocks: 10, sinceMonoMs: newer } },
    { state: 'held', gate: 'expired', fetch: { have: 5, blocks: 7, sinceMonoMs: older } },
  ],
  sessions: [{ hello: { region: 'eu' } }, { hello: { region: 'us' } }, { hello: { region: 'eu' } }, {}],
  root: {
    version: 3,
    expires: Date.now() + 60_000,
    get forked() {
      return forked
    },
  },
  readOnly: true,
  get isShort() {
    return short
  },
  ready: true,
  beaconMonoMs: 15_000,
  heardBeacon: true,
  silentKeys: 2,
} as unknown as CoreView

beforeEach(() => {
  certificate = undefined
  short = false
  views = 0
  scores = [0, -19.6, 3]
  sessions = view.sessions
  metrics = createMetrics({
    region: 'eu',
    view: () => {
      views += 1
      return { ...view, sessions }
    },
    store: () => ({ bytes: () => 42, commitAgeMs: () => 5_500 }),
    certificateExpires: () => certificate,
    gossip: (asked) => ({
      topics: 2,
      remembered: 7,
      meshPeers: { releases: 5, control: 4 },
      scores: asked === sessions ? scores : [],
    }),
  })
})
afterEach(() => {
  metrics.stop()
  vi.useRealTimers()
  vi.restoreAllMocks()
})

async function valueOfGauge({ name }: { readonly name: string }): Promise<number> {
  const line = (await metrics.text()).split('\n').find((one) => one.startsWith(`${name} `))
  if (line === undefined) throw new Error(`${name} is not there`)
  return Number(line.slice(name.length + 1))
}

test('every metric of the table is there', async () => {
  certificate = Date.now()
  const text = await metrics.text()
  for (const { name, type } of [COUNTERS, GAUGES, HISTOGRAMS, NETWORK].flatMap((table) =>
    Object.values(table),
  ))
    expect(text).toContain(`# TYPE ${name} ${type}`)
})

test('what alerts count stands at 0 from the start: a series that appears with its first count has no increase', async () => {
  const lines = (await metrics.text()).split('\n')
  for (const code of [...CODES, 'other']) expect(lines).toContain(`confmesh_refused_total{code="${code}"} 0`)
  for (const { name, labels, zeros } of Object.values(COUNTERS)) {
    expect(zeros === undefined).toBe(labels === undefined)
    expect(zeros).not.toEqual([])
    for (const value of zeros ?? []) expect(lines).toContain(`${name}{${labels?.[0]}="${value}"} 0`)
  }
})

test('a scrape goes through all channels once', async () => {
  await metrics.text()
  expect(views).toBe(1)
})

test('gauges say what the node is now', async () => {
  const lines = (await metrics.text()).split('\n')
  expect(lines).toContain(`${GAUGES.active.name}{state="active"} 3`)
  expect(lines).toContain(`${GAUGES.active.name}{state="held"} 1`)
  expect(lines).toContain(`${GAUGES.peers.name}{region="eu"} 2`)
  expect(lines).toContain(`${GAUGES.rootVersion.name} 3`)
  expect(lines).toContain(`${GAUGES.storeBytes.name} 42`)
  expect(lines).toContain(`${GAUGES.storeReadOnly.name} 1`)
  expect(lines).toContain(`${GAUGES.commitAge.name} 5.5`)
  expect(lines).toContain(`${GAUGES.fetchBlocks.name} 17`)
  expect(lines).toContain(`${GAUGES.fetchMissing.name} 11`)
  expect(lines).toContain(`${GAUGES.keysSilent.name} 2`)
  expect(lines).toContain(`${GAUGES.beaconHeard.name} 1`)
  expect(lines).toContain(`${GAUGES.gossipTopics.name} 2`)
  expect(lines).toContain(`${GAUGES.meshPeers.name}{topic="control"} 4`)
  expect(lines).toContain(`${GAUGES.scoreMin.name} -19.6`)
})

test('a disk without room for content is told beside one that takes no writes', async () => {
  expect(await valueOfGauge(GAUGES.storeShort)).toBe(0)
  short = true
  expect(await valueOfGauge(GAUGES.storeShort)).toBe(1)
})

test('a gate is counted whatever the state is; what runs although it failed its health check counts as health', async () => {
  const lines = (await metrics.text()).split('\n')
  const counts = GATES.map((gate) => [
    gate,
    lines.find((line) => line.startsWith(`${GAUGES.gated.name}{gate="${gate}"} `))?.split(' ')[1],
  ])
  expect(counts.filter(([, count]) => count !== '0')).toEqual([
    ['expired', '1'],
    ['health', '2'],
  ])
})

test('a node without peers says 0 in its own region: what has no series is below no bound of an alert', async () => {
  const peers = async () =>
    (await metrics.text()).split('\n').filter((line) => line.startsWith(`${GAUGES.peers.name}{`))
  const name = GAUGES.peers.name
  expect(await peers()).toEqual([`${name}{region="eu"} 2`, `${name}{region="us"} 1`])
  sessions = view.sessions.filter(({ hello }) => hello?.region === 'us')
  expect(await peers()).toEqual([`${name}{region="eu"} 0`, `${name}{region="us"} 1`])
  sessions = []
  expect(await peers()).toEqual([`${name}{region="eu"} 0`])
})

test('without peers there is no lowest score', async () => {
  scores = []
  expect(await metrics.text()).not.toContain(`\n${GAUGES.scoreMin.name} `)
})

test('a refusal is counted by its code; a code of no list cannot make a series of its own', async () => {
  metrics.refused('TRUST_ROOT_FORK')
  metrics.refused('evil"} 1\n')
  metrics.refused('EVIL_2')
  const lines = (await metrics.text()).split('\n')
  expect(lines).toContain('confmesh_refused_total{code="TRUST_ROOT_FORK"} 1')
  expect(lines).toContain('confmesh_refused_total{code="other"} 2')
})

test('the alarm of a fork is of the root in force', async () => {
  expect(await metrics.text()).toContain(`\n${GAUGES.rootFork.name} 0\n`)
  forked = true
  expect(await metrics.text()).toContain(`\n${GAUGES.rootFork.name} 1\n`)
  forked = false
  expect(await metrics.text()).toContain(`\n${GAUGES.rootFork.name} 0\n`)
})

test('bytes of the network are counted by direction; a release from the future took no time', async () => {
  metrics.networkBytes('sent', 5)
  metrics.networkBytes('received', 7)
  metrics.observe({ kind: 'observe', metric: 'fetch', ms: -5_000 })
  const lines = (await metrics.text()).split('\n')
  expect(lines).toContain('confmesh_network_sent_bytes_total 5')
  expect(lines).toContain('confmesh_network_received_bytes_total 7')
  expect(lines).toContain('confmesh_fetch_seconds_sum 0')
})

test('without a certificate there is no time of its expiry', async () => {
  expect(await metrics.text()).not.toMatch(new RegExp(`^${GAUGES.poolExpires.name} `, 'm'))
})

test('how long ago the oldest fetch began, and the last beacon came', async () => {
  vi.spyOn(performance, 'now').mockReturnValue(100_000)
  expect(await valueOfGauge(GAUGES.fetchAge)).toBe(90)
  expect(await valueOfGauge(GAUGES.beaconAge)).toBe(85)
})

test('where nothing is fetched, no fetch is old', async () => {
  vi.spyOn(view, 'channels', 'get').mockReturnValue([])
  expect(await valueOfGauge(GAUGES.fetchAge)).toBe(0)
})

test('in how many seconds the root and the certificate expire, and how long ago they did', async () => {
  certificate = view.root.expires - 30_000
  vi.setSystemTime(view.root.expires - 50_000)
  expect(await valueOfGauge(GAUGES.rootExpires)).toBe(50)
  expect(await valueOfGauge(GAUGES.poolExpires)).toBe(20)
  vi.setSystemTime(view.root.expires + 5_000)
  expect(await valueOfGauge(GAUGES.rootExpires)).toBe(-5)
  expect(await valueOfGauge(GAUGES.poolExpires)).toBe(-35)
})

test('a loop that is held up is seen in its lag', async () => {
  // A delay is what lies between two samples, so the first of them must have come, 100 ms after the last reading.
  const heldUp = async (): Promise<number> => {
    for (const until = performance.now() + 300; performance.now() < until; );
    await new Promise(setImmediate)
    return valueOfGauge(GAUGES.loopLag)
  }
  await expect.poll(heldUp, { interval: 200, timeout: 5_000 }).toBeGreaterThanOrEqual(0.1)
})
