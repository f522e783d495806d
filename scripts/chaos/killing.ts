/** Kills one node again and again at random moments, and looks at what each kill left behind. */
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { verifyData } from '../../src/daemon/verify.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Checker } from './checker.ts'
import { comparePlaces, type Place, textOf } from './facts.ts'
import type { Member } from './member.ts'
import { lookAt } from './observe.ts'
import type { Random } from './random.ts'

const START_MS = 120_000
/** To come up and to show what was newest by then: the promise is 20 s, on a machine with nothing else to do. */
const CATCH_UP_MS = 60_000
/** As often it is killed while it comes up, not once it is there. */
const EARLY = 0.35
/** A start takes about so long. */
const EARLY_MS = 1_200
const LATE_MS = 1_500
const LOOK_EVERY_MS = 20

export interface Killing {
  readonly member: Member
  readonly checker: Checker
  readonly random: Random
  /** What the bounds are multiplied by. */
  readonly patience: number
  /** One more? Counted where it is asked. */
  readonly next: () => boolean
  readonly done: Record<string, number>
}

export async function killing(init: Killing): Promise<void> {
  const { member, checker, random, patience, next, done } = init
  while (next()) {
    const isEarly = random() < EARLY
    const started = member.start(START_MS * patience)
    if (isEarly) await delay(random.between(0, EARLY_MS))
    else {
      await started
      if (await caughtUp(member, checker, patience))
        await watched(member, checker, random.between(0, LATE_MS))
    }
    const when = isEarly ? 'while it came up' : 'at work'
    await member.kill()
    await started
    done[when] = (done[when] ?? 0) + 1
    checker.files(member.name, lookAt(member.trees))
    const problems = await problemsIn(member)
    if (problems.length > 0)
      checker.break(`${member.name}, killed ${when}: verify says ${problems.join('; ')}`)
  }
}

/** It shows what was newest when it came up. */
export async function caughtUp(member: Member, checker: Checker, patience: number): Promise<boolean> {
  const wanted = checker.newest
  if (!member.ready) return false // its own failure says why
  const endMs = performance.now() + CATCH_UP_MS * patience
  let has: Place | undefined
  while (performance.now() < endMs) {
    const shown = checker.files(member.name, lookAt(member.trees))
    has = shown === undefined ? undefined : checker.placeOf(shown)
    if (wanted === undefined || (has !== undefined && comparePlaces(has, wanted) >= 0)) return true
    await delay(LOOK_EVERY_MS)
  }
  checker.break(
    `${member.name} shows ${has === undefined ? 'nothing' : textOf(has)} ${(CATCH_UP_MS * patience) / 1_000} s after it came up, not ${wanted === undefined ? '' : textOf(wanted)}`,
  )
  return false
}

async function watched(member: Member, checker: Checker, ms: number): Promise<void> {
  const endMs = performance.now() + ms
  while (performance.now() < endMs) {
    checker.files(member.name, lookAt(member.trees))
    await delay(Math.min(LOOK_EVERY_MS, Math.max(0, endMs - performance.now())))
  }
}

/** Of a copy: LevelDB mends what it opens, and the node is to find what the kill left. */
async function problemsIn(member: Member): Promise<string[]> {
  const store = join(member.data, 'store')
  if (!existsSync(join(store, 'CURRENT'))) return [] // killed before there was one
  const copy = `${member.data}-copy`
  rmSync(copy, { recursive: true, force: true })
  cpSync(member.data, copy, { recursive: true })
  const beside = join(member.trees, '.confmesh')
  const [fleet] = existsSync(beside) ? readdirSync(beside) : []
  const { problems: found } = await verifyData(
    copy,
    LIMITS,
    fleet === undefined ? undefined : join(beside, fleet),
  )
  return found.map(({ where, what }) => `${where}: ${what}`)
}
