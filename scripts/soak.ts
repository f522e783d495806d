// Releases as fast as they go, for long: does memory grow, do handles?
//
//   npm run soak [-- --minutes 10] [--nodes 4] [--seed N] [--patience 1]
//
// A seed and nodes as real processes. One of the nodes comes and goes all along, by kill -9 and by SIGTERM in turn; the
// others and the seed stay, and what Linux counts of them is sampled: resident memory, open handles. Exit 1 where a
// level of one that stayed moved by more than the bounds below, a promise was broken, or one ended by itself.

import { readdirSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { rssMiB } from '../bench/processes.ts'
import { Checker } from './chaos/checker.ts'
import { caughtUp } from './chaos/killing.ts'
import type { Member } from './chaos/member.ts'
import { lookAt } from './chaos/observe.ts'
import { randomOf } from './chaos/random.ts'
import { type Sample, slopeOf } from './chaos/slope.ts'
import { onSmallFleet, type SmallFleet } from './chaos/small-fleet.ts'
import { streaming } from './chaos/stream.ts'
import { optionsOf, wholeNumber } from './options.ts'
import { revision } from './revision.ts'

const START_MS = 120_000
/** What a busy fleet publishes: one each ten seconds. Six hours' worth are 2,160. */
const RELEASES_AN_HOUR = 360
/** Between the second and the last quarter. V8 takes what it is given before it collects: some MiB are no growth. */
const MAX_RSS_MIB = 24
/** Links of peers that come and go. */
const MAX_HANDLES = 12

const { values } = optionsOf({
  options: {
    minutes: { type: 'string', default: '10' },
    nodes: { type: 'string', default: '4' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    patience: { type: 'string', default: '1' },
  },
})
const seed = wholeNumber('seed', values.seed, 0)
const lastMs = wholeNumber('minutes', values.minutes) * 60_000
const patience = wholeNumber('patience', values.patience)
const nodes = wholeNumber('nodes', values.nodes)
const startMs = performance.now()
const say = (text: string): void => {
  process.stdout.write(`${((performance.now() - startMs) / 1_000).toFixed(1).padStart(8)} s  ${text}\n`)
}

/** What is counted of one process that stays. */
interface Counted {
  readonly member: Member
  readonly rss: Sample[]
  readonly handles: Sample[]
}

async function sampling(counted: readonly Counted[], checker: Checker, over: () => boolean): Promise<void> {
  const everyMs = Math.max(1_000, lastMs / 200)
  while (!over()) {
    for (const { member, rss, handles } of counted) {
      const { pid } = member
      if (pid === undefined) continue
      checker.files(member.name, lookAt(member.trees))
      const atMs = performance.now()
      rss.push({ atMs, value: rssMiB(pid) })
      handles.push({ atMs, value: readdirSync(`/proc/${pid}/fd`).length })
    }
    await delay(everyMs)
  }
}

async function comingAndGoing(member: Member, checker: Checker, over: () => boolean): Promise<number> {
  const random = randomOf(seed)
  let times = 0
  for (; !over(); times++) {
    await member.start(START_MS * patience)
    await caughtUp(member, checker, patience)
    await delay(random.between(0, 5_000))
    await member.kill(times % 2 === 0 ? 'SIGKILL' : 'SIGTERM')
    await delay(random.between(0, 3_000))
  }
  return times
}

/** @returns what moved too far */
function judged(counted: readonly Counted[]): string[] {
  const found: string[] = []
  for (const { member, ...figures } of counted)
    for (const [what, bound] of [
      ['rss', MAX_RSS_MIB],
      ['handles', MAX_HANDLES],
    ] as const) {
      const { perHour, early, late } = slopeOf(figures[what])
      const unit = what === 'rss' ? 'MiB RSS' : 'handles'
      const text = `${member.name}: ${early} ${unit} in the second quarter, ${late} in the last; slope ${perHour.toFixed(1)} an hour`
      say(text)
      if (late - early > bound) found.push(`${text}: more than ${bound}`)
    }
  return found
}

async function soak(fleet: SmallFleet, checker: Checker): Promise<string[]> {
  const [guest, ...staying] = fleet.nodes as [Member, ...Member[]]
  await Promise.all(staying.map((member) => member.start(START_MS * patience)))
  say(`${staying.length} nodes and a seed stay, one comes and goes`)
  const counted = [fleet.seed, ...staying].map((member): Counted => ({ member, rss: [], handles: [] }))
  const endMs = performance.now() + lastMs
  const over = (): boolean => performance.now() > endMs || checker.broken.length > 0
  const [, , times] = await Promise.all([
    streaming(fleet, { checker, over, gapMs: () => 0 }),
    sampling(counted, checker, over),
    comingAndGoing(guest, checker, over),
  ])
  for (const member of staying) await caughtUp(member, checker, patience)
  const hours = (checker.releases / RELEASES_AN_HOUR).toFixed(1)
  say(
    `${checker.releases} releases, ${hours} hours of one each ten seconds; ${times} times one came and went`,
  )
  return judged(counted)
}

async function main(): Promise<number> {
  say(`seed ${seed}: ${values.minutes} min, commit ${revision()}`)
  const checker = new Checker(patience, (text) => say(`broken: ${text}`))
  return onSmallFleet(nodes, say, async (fleet) => {
    const grown = await soak(fleet, checker)
    checker.inOrder()
    const failures = [fleet.seed, ...fleet.nodes].flatMap((member) => member.failures)
    const broken = [...grown, ...checker.broken, ...failures]
    for (const text of broken) say(`BROKEN ${text.replaceAll(fleet.dir, 'DIR')}`)
    say(broken.length === 0 ? 'flat, and every promise held' : `${broken.length} broken`)
    return broken.length === 0 ? 0 : 1
  })
}

process.exit(await main())
