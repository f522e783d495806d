/** Publishers, each on its own, all along: also while no seed is there, and some end in the middle. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Checker } from './checker.ts'
import { CHANNEL, type Clock, contentOf, FILES } from './facts.ts'
import { confmesh, type Fleet, type Publisher } from './fleet.ts'
import type { Random } from './random.ts'

/** Of each publisher's last release, greater than any before. */
const LAST = 1_000_000
const LAST_TRIES = 5
const HELD_BY_SEED = 'held by a seed'
const EVERY_MS = 6_000
/** A command that gets no answer is ended: a node may be gone for as long as a publisher is patient. */
const PATIENCE_MS = 60_000
const KILLED = 0.05
/** As often a release goes to nodes of the fleet that are no seeds. */
const ELSEWHERE = 0.3

export interface Publishing {
  readonly fleet: Fleet
  readonly checker: Checker
  readonly random: Random
  readonly say: (text: string) => void
  /** What the bounds are multiplied by. */
  readonly patience: number
  readonly over: () => boolean
  /** What came of it, by outcome. */
  readonly outcomes: Record<string, number>
}

/** One release after another; what is refused or gets no answer may still be ordered. */
export async function publishing(init: Publishing, publisher: Publisher): Promise<void> {
  let elsewhere = false
  for (let number = 1; !init.over(); number++) {
    const outcome = await release(init, publisher, number, elsewhere || init.random() < ELSEWHERE)
    elsewhere = outcome.startsWith('exit 4')
    init.outcomes[outcome] = (init.outcomes[outcome] ?? 0) + 1
    if (!init.over()) await delay(init.random.between(0, 2 * EVERY_MS))
  }
}

/**
 * One more of each while nothing is done any more: what is newest in the end is held by more than one. In turn, so that the
 * last of all knows the others: of two that do not know each other every node shows the same, and says `conflict` for good.
 */
export async function publishingLast(init: Publishing): Promise<void> {
  for (const publisher of init.fleet.publishers) {
    // one that was not acknowledged may be ordered all the same, and the next publisher not know of it
    let last = ''
    for (let tries = 0; tries < LAST_TRIES && last !== HELD_BY_SEED; tries++)
      last = await release(init, publisher, LAST + tries, false)
    init.say(`the last release of ${publisher.name}: ${last}`)
  }
}

async function release(
  { fleet, checker, random, say, patience }: Publishing,
  publisher: Publisher,
  number: number,
  elsewhere: boolean,
): Promise<string> {
  const label = { publisher: publisher.name, number }
  const content = join(fleet.dir, `content-of-${publisher.name}`)
  rmSync(content, { recursive: true, force: true })
  for (const file of FILES) {
    mkdirSync(dirname(join(content, file)), { recursive: true })
    writeFileSync(join(content, file), contentOf(label, file))
  }
  checker.published(label)
  const nodes = fleet.members.filter((member) => !fleet.seeds.includes(member))
  const at = elsewhere ? [random.pick(nodes), random.pick(nodes)] : fleet.seeds
  const seeds = at.flatMap(({ address }) => ['--seed', address])
  const isLast = number >= LAST
  const args = ['publish', CHANNEL, content, '--key', publisher.key, ...seeds, '--yes', '--json']
  const killed = !isLast && random() < KILLED
  const { code, out } = await confmesh(args, killed ? random.between(300, 4_000) : PATIENCE_MS * patience)
  if (code === 0) {
    const { release, clock } = JSON.parse(out) as { release: string; clock: Clock }
    checker.acknowledged(release, clock, performance.now())
    return elsewhere ? 'held by a node' : HELD_BY_SEED
  }
  if (code < 0) return killed ? 'killed' : 'without an answer'
  const error = errorIn(out)
  if (UNEXPECTED.test(error))
    checker.break(`${publisher.name} ${number} was refused: ${error} ${out.slice(0, 300)}`)
  else say(`${publisher.name} ${number}: exit ${code} ${error}`)
  return `exit ${code} ${error}`
}

/** No chaos makes what an honest publisher signs wrong, or the tool fail in itself. */
const UNEXPECTED = /^(TRUST|CODEC|CONTENT|INTERNAL|USAGE|CONFIG|no JSON)/

function errorIn(out: string): string {
  try {
    return (JSON.parse(out) as { error: { code: string } }).error.code
  } catch {
    return 'no JSON'
  }
}
