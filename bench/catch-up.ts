/** What two nodes say to find the channels in which they differ: exact bytes, round trips, and the CPU of a comparison. */
import { cpuUsage } from 'node:process'
import type { Channel } from '../src/model/ids.ts'
import { join, later, NO_BEACONS, ToyNode, threeBeacons } from '../test/unit/core-peers/dialogue.ts'
import type { Measured, Row } from './results.ts'
import { line, type Spread, spread } from './spread.ts'

const CHANNELS = 10_000
const STALE = [0, 1, 10, 100, 500] as const
/** A node asks once in 4.5 s, and is asked as often on average. */
const COMPARISONS_PER_SECOND = 2 / 4.5

/** Who is stale where 500 are: it dials or is dialled, and lacks the beacons of three seeds, too, or nobody has any. */
const CASES = [
  { who: 'it dials, and lacks the beacons of three seeds', dials: true, beacons: true },
  { who: 'it is dialled, and lacks the beacons of three seeds', dials: false, beacons: true },
  { who: 'it is dialled, no beacons', dials: false, beacons: false },
] as const

interface Found {
  readonly stale: number
  readonly roundTrips: number
  readonly bytes: number
  readonly envelopes: number
}

interface FoundIn {
  readonly who: string
  /** Until the last envelope has come. */
  readonly roundTrips: number
  readonly bytes: number
  readonly beaconBytes: number
  /** Older ones that the stale side offers. */
  readonly inVain: number
}

const channel = (number: number) => `team-${String(number % 97)}/app-${String(number)}` as Channel

function filled(beacons = false): [ToyNode, ToyNode] {
  const at = (hours: number) => (beacons ? threeBeacons(1_790_000_000_000 + hours * 3_600_000) : NO_BEACONS)
  const nodes: [ToyNode, ToyNode] = [new ToyNode('a', ['**'], {}, at(0)), new ToyNode('b', ['**'], {}, at(1))]
  for (const node of nodes)
    for (let at = 0; at < CHANNELS; at += 1) node.order({ channel: channel(at), counter: 1 })
  return nodes
}

function makeNewer(node: ToyNode, count: number): void {
  for (let at = 0; at < count; at += 1)
    node.order({ channel: channel(at * Math.floor(CHANNELS / count)), counter: 2 })
}

function find(stale: number): Found {
  const [asker, other] = filled()
  makeNewer(other, stale)
  const said = join(asker, other)
  if (said.envelopes !== stale) throw new Error(`${String(said.envelopes)} envelopes for ${String(stale)}`)
  return { stale, roundTrips: said.requests.length, bytes: said.digestBytes, envelopes: said.envelopes }
}

function findIn({ who, dials, beacons }: (typeof CASES)[number]): FoundIn {
  const [old, fresh] = filled(beacons)
  const stale = Math.max(...STALE)
  makeNewer(fresh, stale)
  const { trips, digestBytes, beaconBytes, envelopes } = dials ? join(old, fresh) : join(fresh, old)
  if (old.seen().join() !== fresh.seen().join()) throw new Error('it has not caught up')
  return { who, roundTrips: trips, bytes: digestBytes, beaconBytes, inVain: envelopes - stale }
}

/** CPU of both sides for one comparison of what has not changed, messages encoded and decoded, in milliseconds. */
function idle(runs: number): Spread {
  const [asker, other] = filled()
  join(asker, other)
  const samples = Array.from({ length: runs }, () => {
    const before = cpuUsage()
    const said = later(asker, other)
    const { user, system } = cpuUsage(before)
    if (said.requests.join() !== 'digests') throw new Error('more was said than that nothing changed')
    return (user + system) / 1000
  })
  return spread(samples.slice(5), 2)
}

export async function catchUp({ quick }: { readonly quick: boolean }): Promise<Measured> {
  const found = STALE.map(find)
  const foundIn = CASES.map(findIn)
  const idleMs = idle(quick ? 25 : 105)
  const share = (idleMs.p50 / 10) * COMPARISONS_PER_SECOND
  const rows: Row[] = found.map(({ stale, roundTrips, bytes }) => ({
    what: `${String(stale)} stale of ${CHANNELS.toLocaleString('en')}: round trips · bytes beside the envelopes`,
    figure: `${String(roundTrips)} · ${bytes.toLocaleString('en')}`,
  }))
  for (const { who, roundTrips, bytes, beaconBytes, inVain } of foundIn)
    rows.push({
      what: `500 stale, ${who}: round trips · bytes beside envelopes and beacons · of beacons · envelopes in vain`,
      figure: [roundTrips, bytes, beaconBytes, inVain].map((each) => each.toLocaleString('en')).join(' · '),
    })
  rows.push(
    {
      what: 'a comparison of what has not changed, CPU of both sides, ms (p50 / p99 / max)',
      figure: line(idleMs),
    },
    { what: 'of a core, at the two comparisons in 4.5 s of a node, %', figure: share.toFixed(3) },
  )
  return {
    about: [
      `two nodes with ${CHANNELS.toLocaleString('en')} channels in one process: the real stage and the real codec; no network, no other stage; an envelope of 1,500 bytes stands for a signed release`,
      'bytes and round trips are exact and the same in every run; goal: 2 round trips and 70 kB for 500, of a node that dials and lacks no beacons: those are asked for in a round trip of their own, before the entries',
    ],
    rows,
    figures: { channels: CHANNELS, found, foundIn, idleComparisonMs: idleMs },
  }
}
