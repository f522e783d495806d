// kill -9 at random moments, many times: real processes, short lives, a stream of releases all along.
//
//   npm run kills [-- --times 1000] [--nodes 4] [--seed N] [--patience 1]
//
// Several nodes at once, each killed again and again: a third of the times while it comes up, else some time after it
// shows what was newest. After each kill its files are whole and none older than before, the floor has not fallen, and
// a copy of its store verifies clean; each that comes up again shows the newest. Exit 1 where anything is broken.

import { Checker } from './chaos/checker.ts'
import { confmesh } from './chaos/fleet.ts'
import { caughtUp, killing } from './chaos/killing.ts'
import { randomOf } from './chaos/random.ts'
import { onSmallFleet, type SmallFleet } from './chaos/small-fleet.ts'
import { streaming } from './chaos/stream.ts'
import { optionsOf, wholeNumber } from './options.ts'
import { revision } from './revision.ts'

const START_MS = 120_000
const SAY_EVERY = 10

const { values } = optionsOf({
  options: {
    times: { type: 'string', default: '1000' },
    nodes: { type: 'string', default: '4' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    patience: { type: 'string', default: '1' },
  },
})
const times = wholeNumber('times', values.times)
const seed = wholeNumber('seed', values.seed, 0)
const patience = wholeNumber('patience', values.patience)
const nodes = wholeNumber('nodes', values.nodes)
const startMs = performance.now()
const say = (text: string): void => {
  process.stdout.write(`${((performance.now() - startMs) / 1_000).toFixed(1).padStart(8)} s  ${text}\n`)
}

async function kill(fleet: SmallFleet, checker: Checker): Promise<void> {
  const random = randomOf(seed)
  let begun = 0
  let over = false
  const done: Record<string, number> = {}
  const next = (): boolean => {
    const isNext = begun < times && checker.broken.length === 0
    if (isNext && ++begun % SAY_EVERY === 0) say(`${begun} of ${times}, ${checker.acknowledgements} releases`)
    return isNext
  }
  const stream = streaming(fleet, { checker, over: () => over, gapMs: () => random.between(100, 600) })
  // thrown where it is awaited; without releases the kills show nothing
  stream.catch((error: unknown) => checker.break(`the stream of releases ended: ${String(error)}`))
  try {
    await Promise.all(
      fleet.nodes.map((member, at) =>
        killing({ member, checker, random: randomOf(seed + at), patience, next, done }),
      ),
    )
  } finally {
    over = true
  }
  await stream
  for (const member of fleet.nodes) await member.start(START_MS * patience)
  for (const member of fleet.nodes) await caughtUp(member, checker, patience)
  say(
    `killed ${Object.entries(done)
      .map(([when, count]) => `${count} times ${when}`)
      .join(', ')}`,
  )
}

/** Stopped as it should be, by the tool's own command. */
async function verified({ nodes }: SmallFleet, checker: Checker): Promise<void> {
  for (const member of nodes) {
    await member.kill('SIGTERM')
    const { code, out } = await confmesh(['verify', '--data', member.data, '--json'])
    if (code !== 0) checker.break(`${member.name}: verify ends with ${code}: ${out.slice(0, 500)}`)
  }
}

async function main(): Promise<number> {
  say(`seed ${seed}: ${times} kills of ${nodes} nodes, commit ${revision()}`)
  const checker = new Checker(patience, (text) => say(`broken: ${text}`))
  return onSmallFleet(nodes, say, async (fleet) => {
    await kill(fleet, checker)
    await verified(fleet, checker)
    if (checker.acknowledgements < fleet.nodes.length) checker.break('hardly a release was published')
    checker.inOrder()
    const broken = [...checker.broken, ...fleet.nodes.flatMap(({ failures }) => failures)]
    for (const text of broken) say(`BROKEN ${text.replaceAll(fleet.dir, 'DIR')}`)
    const counts = Object.entries(checker.checks).map(([what, count]) => `${count} × ${what}`)
    say(`${checker.releases} releases; checks: ${counts.join(', ')}`)
    say(broken.length === 0 ? 'every promise held' : `${broken.length} broken promises`)
    return broken.length === 0 ? 0 : 1
  })
}

process.exit(await main())
