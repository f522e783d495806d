/**
 * A gateway dies with blocks that the seed gave it alone, where all answers are late and others go on coming: when the seed
 * is told that it was in vain. A neighbour gives one block every 400 ms, the seed has no doubt of its own.
 */
import { expect, test } from 'vitest'
import type { Digest } from '../../../src/model/ids.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER, SEED, type Want } from './fetcher.ts'

const THIRD = peer('third')
const HEIR = peer('heir')
const TICK_MS = 25
/** What neighbours take: by it one counts as silent after 0.7 to 0.9 s, and is mute 0.9 to 1.5 s later. */
const LATE_MS = 350
const TRICKLE_MS = 400
const DEAD = 10

interface Due {
  readonly atMs: number
  readonly want: Want
}

class Home {
  readonly node = fetcher({ blocks: 80, neighbours: [THIRD, HEIR] })
  readonly #others = this.node.others
  /** What the dead one was given. */
  readonly #lost = new Set(this.#others.slice(0, DEAD))
  readonly #toldMs = new Map<Digest, number>()
  readonly #due: Due[] = []
  #nowMs = 0
  #next = DEAD

  constructor() {
    this.#handle(this.node.ownShare())
    for (const digest of this.#others.slice(-3)) {
      const [asked, ...rest] = this.#announced(OTHER, digest)
      this.#handle(rest)
      this.pass(LATE_MS)
      this.#handle(asked === undefined ? [] : this.node.keep(asked))
    }
  }

  /** And is asked for one block, which it does not give. @returns ms until the seed was told of each, where it was */
  dies(forMs: number, says = () => {}): readonly number[] {
    const sinceMs = this.#nowMs
    this.#handle(this.#announced(OTHER, this.#others[0] as Digest))
    for (let ms = 0; ms < forMs; ms += 200) {
      this.pass(200)
      says()
    }
    return [...this.#toldMs.values()].map((ms) => ms - sinceMs)
  }

  /** Another has brought in what it had. @returns how many the seed is told of in so long, all told */
  inherited(forMs: number): number {
    const places = [...this.#lost].map((digest) => this.node.digests.indexOf(digest) + 1)
    this.#handle(this.node.announce(HEIR, places))
    this.pass(forMs)
    return this.#toldMs.size
  }

  pass(forMs: number): void {
    for (let ms = 0; ms < forMs; ms += TICK_MS) {
      this.#nowMs += TICK_MS
      this.#handle(this.node.tick(TICK_MS))
      const due = this.#due.filter(({ atMs }) => atMs <= this.#nowMs)
      for (const one of due) {
        this.#due.splice(this.#due.indexOf(one), 1)
        this.#handle(this.node.give(one.want))
      }
      const digest = this.#others[this.#next]
      if (this.#nowMs % TRICKLE_MS !== 0 || digest === undefined) continue
      this.#next += 1
      this.#handle(this.#announced(THIRD, digest))
    }
  }

  #announced(by: typeof OTHER, digest: Digest): Want[] {
    return this.node.announce(by, [this.node.digests.indexOf(digest) + 1])
  }

  #handle(wants: readonly Want[]): void {
    const open = [...wants]
    for (let want = open.shift(); want !== undefined; want = open.shift()) open.push(...this.#answer(want))
  }

  #answer(want: Want): readonly Want[] {
    const { id, to, digest, failed } = want
    if (to === OTHER) return []
    const isLost = this.#lost.has(digest)
    if (to === THIRD && isLost) return this.node.answer(id, { type: 'gone' })
    if (to === THIRD || to === HEIR) {
      this.#due.push({ atMs: this.#nowMs + LATE_MS, want })
      return []
    }
    expect(to).toBe(SEED)
    if (!failed)
      return this.node.answer(id, { type: 'redirect', peer: isLost ? OTHER : THIRD, addresses: [] })
    if (isLost && !this.#toldMs.has(digest)) this.#toldMs.set(digest, this.#nowMs)
    return this.node.give(want)
  }
}

test('of each block that died with it the seed is told soon, though others come', () => {
  const told = new Home().dies(12_000)
  expect(told.length).toBe(DEAD)
  expect(Math.max(...told)).toBeLessThan(2_500)
})

test('and of one that asks for blocks all the time, and gives none, once it was silent twice', () => {
  const home = new Home()
  const told = home.dies(12_000, () => home.node.spoke(OTHER))
  expect(told.length).toBe(DEAD)
  expect(Math.max(...told)).toBeLessThan(6_000)
})

test('but what somebody says it has by then is asked of that one, though it gave nothing yet', () => {
  const home = new Home()
  expect(home.dies(2_000)).toEqual([])
  expect(home.inherited(4_000)).toBe(0)
})
