// Real processes under faults, watched from outside.
//
//   npm run chaos [-- --minutes 60] [--nodes 30] [--seed N] [--patience 1] [--keep]
//
// Nodes in three regions, a seed in each; three publishers all along, at seeds and at other nodes; kill -9, SIGSTOP,
// links cut and slowed by proxies, regions parted, all seeds dead, stores or floors deleted, bytes flipped, full disks
// (where this machine lets us mount a small one; else it says that there were none), nodes upgraded. The schedule
// follows from the printed seed, what the machine makes of it does not. Exit 1 when a promise was broken, a node ended
// by itself, or the fleet did not converge once all was over. Every bound that the checker grants is multiplied by the
// patience: more than 1 only where the machine has other work to do. SIGINT ends the faults and judges what was done.

import { rmSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { Checker } from './chaos/checker.ts'
import { carryOut } from './chaos/faults.ts'
import { confmesh, type Fleet, found } from './chaos/fleet.ts'
import type { Member } from './chaos/member.ts'
import { askChannel, askFile, lookAt, treeOf } from './chaos/observe.ts'
import { goFirst } from './chaos/priority.ts'
import { type Publishing, publishing, publishingLast } from './chaos/publishing.ts'
import { randomOf } from './chaos/random.ts'
import { schedule } from './chaos/schedule.ts'
import { optionsOf, wholeNumber } from './options.ts'
import { revision } from './revision.ts'

const CONVERGE_MS = 180_000
const LOOK_EVERY_MS = 100
/** A look at every byte even where the link still shows the same. */
const READ_EVERY_MS = 1_000
const ASK_EVERY_MS = 2_000
/** In so long some node was left alone for as long as progress may take: if none was, nothing was learnt of promise 7. */
const PROGRESS_SEEN_MS = 20 * 60_000
/** A node that was started and has not said that it listens. */
const COMING_UP_MS = 180_000

const { values } = optionsOf({
  options: {
    minutes: { type: 'string', default: '60' },
    nodes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    patience: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
  },
})
const seed = wholeNumber('seed', values.seed, 0)
const count = wholeNumber('nodes', values.nodes)
const patience = wholeNumber('patience', values.patience)
const lastMs = wholeNumber('minutes', values.minutes) * 60_000
const startMs = performance.now()
let folder = ''
const say = (text: string): void => {
  const at = `${((performance.now() - startMs) / 1_000).toFixed(1).padStart(8)} s`
  process.stdout.write(`${at}  ${folder === '' ? text : text.replaceAll(folder, 'DIR')}\n`)
}
const sayCounts = (what: string, counts: Readonly<Record<string, number>>): void => {
  const sorted = Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1))
  say(`${what}: ${sorted.map(([kind, times]) => `${times} × ${kind}`).join(', ')}`)
}

async function watching(members: readonly Member[], checker: Checker, over: () => boolean): Promise<void> {
  const last = new Map<Member, { tree: string | undefined; atMs: number }>()
  while (!over()) {
    for (const member of members) {
      const tree = treeOf(member.trees)
      const before = last.get(member)
      if (before?.tree === tree && performance.now() - (before?.atMs ?? 0) < READ_EVERY_MS) continue
      checker.files(member.name, lookAt(member.trees))
      last.set(member, { tree, atMs: performance.now() })
    }
    await delay(LOOK_EVERY_MS)
  }
}

async function asking(member: Member, checker: Checker, over: () => boolean): Promise<void> {
  let comingUpMs = performance.now()
  while (!over()) {
    if (member.ready || member.busy || !member.up) comingUpMs = performance.now()
    else if (performance.now() - comingUpMs > COMING_UP_MS * patience)
      member.failures.push(`${member.name} does not come up: ${member.lastWords}`)
    const { life } = member
    if (member.ready) {
      const answer = await askFile(member.api, member.trees)
      const view = await askChannel(member.api)
      const isSame = member.life === life && member.ready
      if (view !== undefined) checker.channel(member.name, view)
      if (isSame) {
        if (answer === undefined) checker.noAnswer(member.name, member.calmMs, performance.now())
        else checker.answer(member.name, answer, member.calmMs, performance.now())
        checker.progress(member.name, member.calmMs, performance.now())
      }
    }
    await delay(ASK_EVERY_MS)
  }
}

async function troubles(fleet: Fleet, checker: Checker, done: Record<string, number>): Promise<void> {
  const plan = schedule(randomOf(seed), { nodes: count, regions: fleet.regions.length, lastMs })
  const sinceMs = performance.now()
  const under: Promise<void>[] = []
  const hasten = new AbortController()
  process.once('SIGINT', () => hasten.abort())
  for (const fault of plan) {
    const waitMs = Math.max(0, fault.atMs - (performance.now() - sinceMs))
    await delay(waitMs, undefined, { signal: hasten.signal }).catch(() => undefined)
    if (hasten.signal.aborted) {
      say(`no more faults are begun after ${((performance.now() - sinceMs) / 60_000).toFixed(1)} min`)
      break
    }
    const random = randomOf(seed + under.length)
    under.push(carryOut({ fleet, checker, random, say, patience, done }, fault))
  }
  await Promise.all(under)
}

/** Once nothing is done to it any more, the fleet agrees. */
async function converged({ members }: Fleet, checker: Checker): Promise<string | undefined> {
  for (const member of members) if (!member.up) await member.start(CONVERGE_MS * patience)
  const endMs = performance.now() + CONVERGE_MS * patience
  for (;;) {
    const problems: string[] = []
    for (const member of members) {
      if (!member.ready) problems.push(`${member.name} is not up: ${member.lastWords}`)
      const view = await askChannel(member.api)
      const problem = checker.unsettled(member.name, lookAt(member.trees), view)
      if (problem !== undefined) problems.push(problem)
    }
    const trees = new Set(members.map(({ trees }) => treeOf(trees)?.slice(0, 75)))
    if (trees.size !== 1) problems.push(`${trees.size} releases are shown`)
    if (problems.length === 0 || performance.now() > endMs)
      return problems.length === 0 ? undefined : problems.join('; ')
    await delay(LOOK_EVERY_MS)
  }
}

/** Every stored byte once more, with the tool's own eyes: sound wherever no bytes were flipped. */
async function verified({ members }: Fleet, checker: Checker): Promise<string> {
  let sound = 0
  for (const member of members) {
    await member.kill('SIGTERM')
    const { code, out } = await confmesh(['verify', '--data', member.data, '--json'])
    if (code === 0) sound += 1
    else if (!checker.hasFlippedBits(member.name))
      checker.break(`${member.name}: verify ends with ${code}: ${out.slice(0, 500)}`)
  }
  const rest = sound === members.length ? '' : ', the others had bytes flipped'
  return `verify: ${sound} of ${members.length} stores are sound${rest}`
}

async function underWay(fleet: Fleet, checker: Checker): Promise<boolean> {
  const { members } = fleet
  const done: Record<string, number> = {}
  const outcomes: Record<string, number> = {}
  let over = false
  let quiet = false
  const watch = Promise.all([
    watching(members, checker, () => over),
    ...members.map((member) => asking(member, checker, () => over)),
  ])
  const publisherOf = (at: number): Publishing => ({
    ...{ fleet, checker, say, patience, outcomes },
    ...{ random: randomOf(seed + 77 + at), over: () => quiet },
  })
  const publish = fleet.publishers.map((publisher, at) => publishing(publisherOf(at), publisher))
  try {
    await troubles(fleet, checker, done)
    quiet = true
    say('no more faults')
    await Promise.all(publish)
    await publishingLast(publisherOf(fleet.publishers.length))
    say('no more releases')
    const calmMs = performance.now()
    const problem = await converged(fleet, checker)
    say(
      problem === undefined
        ? `converged ${((performance.now() - calmMs) / 1_000).toFixed(1)} s after the last release`
        : `NOT CONVERGED: ${problem}`,
    )
    over = true
    await watch
    say(await verified(fleet, checker))
    return problem === undefined
  } finally {
    over = true
    quiet = true
    sayCounts('faults', done)
    sayCounts('publishing', outcomes)
  }
}

async function main(): Promise<number> {
  say(
    `seed ${seed}: ${count} nodes in 3 regions for ${values.minutes} min, patience ${patience}, commit ${revision()}`,
  )
  const problem = goFirst()
  if (problem !== undefined) say(`links share the cores with the nodes: ${problem}`)
  const checker = new Checker(patience, (text) => say(`broken: ${text}`))
  const fleet = await found(count, patience, say)
  folder = fleet.dir
  process.once('SIGTERM', () => {
    say('given up')
    void fleet.end().finally(() => process.exit(1))
  })
  const { members } = fleet
  if (!members.some(({ hasDisk }) => hasDisk)) say('no small disk can be mounted here: NO full disks')
  try {
    const isConverged = await underWay(fleet, checker)
    const unplaced = checker.inOrder()
    const broken = [...new Set([...checker.broken, ...members.flatMap(({ failures }) => failures)])]
    sayCounts('checks', checker.checks)
    say(
      `${checker.releases} releases, ${checker.acknowledgements} acknowledged; ${unplaced} shown without a known place`,
    )
    if (lastMs >= PROGRESS_SEEN_MS && checker.checks['checks of progress'] === undefined)
      broken.push('no node was left alone for long enough: promise 7 was never looked at')
    for (const text of broken) say(`BROKEN ${text}`)
    say(broken.length === 0 && isConverged ? 'every promise held' : `${broken.length} broken promises`)
    return broken.length === 0 && isConverged ? 0 : 1
  } finally {
    await fleet.end()
    if (values.keep) say('kept')
    else rmSync(fleet.dir, { recursive: true, force: true })
  }
}

process.exit(await main())
