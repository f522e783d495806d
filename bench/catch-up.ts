/** What two nodes say to find the channels in which they differ: exact bytes, round trips, and the CPU of a comparison. */
import { cpuUsage } from 'node:process'
import type { Channel } from '../src/model/ids.ts'
import { join, later, ToyNode } from '../test/unit/core-peers/dialogue.ts'
import type { Measured, Row } from './results.ts'
import { line, type Spread, spread } from './spread.ts'

const CHANNELS = 10_000
const STALE = [0, 1, 10, 100, 500] as const
/** A node asks once in 4.5 s, and is asked as often on average. */
const COMPARISONS_PER_SECOND = 2 / 4.5

interface Found {
  readonly stale: number
  readonly roundTrips: number
  readonly bytes: number
  readonly envelopes: number
}

const channel = (number: number) => `team-${String(number % 97)}/app-${String(number)}` as Channel

function filled(): [ToyNode, ToyNode] {
  const nodes: [ToyNode, ToyNode] = [new ToyNode('a'), new ToyNode('b')]
  for (const node of nodes)
    for (let at = 0; at < CHANNELS; at += 1) node.order({ channel: channel(at), counter: 1 })
  return nodes
}

function find(stale: number): Found {
  const [asker, other] = filled()
  for (let at = 0; at < stale; at += 1)
    other.order({ channel: channel(at * Math.floor(CHANNELS / stale)), counter: 2 })
  const said = join(asker, other)
  if (said.envelopes !== stale) throw new Error(`${String(said.envelopes)} envelopes for ${String(stale)}`)
  return { stale, roundTrips: said.requests.length, bytes: said.digestBytes, envelopes: said.envelopes }
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
  const idleMs = idle(quick ? 25 : 105)
  const share = (idleMs.p50 / 10) * COMPARISONS_PER_SECOND
  const rows: Row[] = found.map(({ stale, roundTrips, bytes }) => ({
    what: `${String(stale)} stale of ${CHANNELS.toLocaleString('en')}: round trips · bytes beside the envelopes`,
    figure: `${String(roundTrips)} · ${bytes.toLocaleString('en')}`,
  }))
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
      'bytes and round trips are exact and the same in every run; goal: 2 round trips and 70 kB for 500',
    ],
    rows,
    figures: { channels: CHANNELS, found, idleComparisonMs: idleMs },
  }
}
