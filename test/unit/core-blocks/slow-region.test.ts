/** A region behind a border so slow that a block of each of its nodes at once is too much: what its gateways bring in comes. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import { stream } from '../../../src/sim/random.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, type Want } from './fetcher.ts'

/** 1 Mbit/s. */
const BYTES_PER_MS = 125
const TRIP_MS = 300
const STEP_MS = 100
const PAGE_BYTES = 2_048
/** What a socket has taken of a block comes, whether anybody waits for it or not. */
const SOCKET_BYTES = 64 * 1024

const abroad = Array.from({ length: 8 }, (_, at) => peer(`far${at}`))
const seed = peer('far seed')
const isFar = (id: PeerId) => id === seed || abroad.includes(id)

interface Fleet {
  readonly gateways: number
  readonly others: number
  readonly blocks: number
  readonly blockBytes: number
}

interface Sent {
  readonly by: PeerId
  readonly want: Want
  readonly fromMs: number
  readonly untilMs: number
  bytes: number
  isCutOff: boolean
}

class Region {
  readonly #nodes: ReadonlyMap<PeerId, ReturnType<typeof fetcher>>
  readonly #had: ReadonlyMap<PeerId, Set<string>>
  readonly #blocks: number
  readonly #blockBytes: number
  /** Whom the seed gave each block first: others of the region are sent there. */
  readonly #given = new Map<string, PeerId>()
  readonly #asked: [PeerId, Want][] = []
  #sent: Sent[] = []
  #ms = 0

  constructor({ gateways, others, blocks, blockBytes }: Fleet, draws: number) {
    const names = Array.from({ length: gateways + others }, (_, at) => peer(`node${at}`))
    const make = (self: PeerId, at: number) =>
      fetcher({
        ...{ self, blocks, blockBytes, abroad, gateways: names.slice(0, gateways) },
        ...{ seeds: [seed], seedRegion: 'us', random: stream(draws, 'region', at) },
        neighbours: names.filter((name) => name !== self),
      })
    this.#nodes = new Map(names.map((self, at) => [self, make(self, at)]))
    this.#had = new Map(names.map((self) => [self, new Set()]))
    this.#blocks = blocks
    this.#blockBytes = blockBytes
  }

  get isWhole(): boolean {
    return [...this.#had.values()].every(({ size }) => size > this.#blocks)
  }

  /** @returns when all have it, ms */
  run(mostMs: number): number {
    for (const [by, { started }] of this.#nodes) this.#ask(by, started)
    while (!this.isWhole && this.#ms < mostMs) {
      this.#ms += STEP_MS
      for (const [by, node] of this.#nodes) {
        this.#ask(by, node.tick(STEP_MS))
        this.#ask(by, node.noted())
      }
      this.#pass()
    }
    return this.#ms
  }

  /** Inside the region all is quick. */
  #ask(by: PeerId, wants: readonly Want[]): void {
    this.#asked.push(...wants.map((want): [PeerId, Want] => [by, want]))
    for (let next = this.#asked.shift(); next !== undefined; next = this.#asked.shift()) this.#answer(...next)
  }

  #answer(by: PeerId, want: Want): void {
    const { id, to, digest, failed } = want
    const first = this.#given.get(digest) ?? by
    if (to === seed && first !== by && !failed)
      return this.#said(by, id, { type: 'redirect', peer: first, addresses: [] })
    if (to === seed) this.#given.set(digest, by)
    const [fromMs, untilMs] = [this.#ms + TRIP_MS, this.#ms + LIMITS.blockDeadlineMs]
    if (isFar(to)) this.#sent.push({ by, want, fromMs, untilMs, bytes: 0, isCutOff: false })
    else if (this.#had.get(to)?.has(digest)) this.#came(by, want)
    else this.#said(by, id, { type: 'gone' })
  }

  #said(by: PeerId, id: number, reply: Parameters<ReturnType<typeof fetcher>['answer']>[1]): void {
    this.#asked.push(
      ...this.#of(by)
        .answer(id, reply)
        .map((want): [PeerId, Want] => [by, want]),
    )
  }

  #of(name: PeerId): ReturnType<typeof fetcher> {
    return this.#nodes.get(name) as ReturnType<typeof fetcher>
  }

  #came(by: PeerId, want: Want): void {
    this.#had.get(by)?.add(want.digest)
    const node = this.#of(by)
    this.#ask(by, node.give(want))
    const place = node.digests.indexOf(want.digest) + 1
    for (const [other, { announce }] of this.#nodes)
      if (other !== by && !this.#had.get(other)?.has(want.digest)) this.#ask(other, announce(by, [place]))
  }

  /** All that is on its way shares the border; each there sends four at once, of one asker three. */
  #pass(): void {
    const moving = new Set<Sent>()
    for (const one of this.#sent.filter(({ fromMs }) => fromMs <= this.#ms)) {
      const beside = [...moving].filter(({ want }) => want.to === one.want.to)
      const ofIts = beside.filter(({ by }) => by === one.by)
      if (beside.length < LIMITS.maxServedAtOnce && ofIts.length < LIMITS.maxServedAtOnce - 1) moving.add(one)
    }
    for (const one of moving) one.bytes += (STEP_MS * BYTES_PER_MS) / moving.size
    for (const one of [...this.#sent]) {
      const { by, want, bytes, isCutOff, untilMs } = one
      const size = this.#of(by).digests.includes(want.digest) ? this.#blockBytes : PAGE_BYTES
      const isHere = bytes >= size
      const isLate = !isCutOff && !isHere && untilMs <= this.#ms
      if (isHere || (isLate && bytes === 0)) this.#sent = this.#sent.filter((other) => other !== one)
      if (isHere && !isCutOff) this.#came(by, want)
      if (!isLate) continue
      one.isCutOff = true
      one.bytes = Math.max(bytes, size - SOCKET_BYTES)
      const alive = [...moving].some((other) => other.by === by && other.want.to === want.to)
      this.#ask(by, this.#of(by).timedOut(want.id, alive))
    }
  }
}

const KIB = 1024
const DRAWS = [1, 2, 3, 4, 5]

/** After a block that was cut off a node leaves the way alone for a time drawn from 0 to so many deadlines. */
const PAUSES = [1, 2, 4, 4]

/**
 * All of it crosses the border once, and as much again is cut off; beside that a node learns by so many blocks in vain how
 * narrow the border is. At worst each pause after one is as long as can be, at the median of the draws half as long. Where eight
 * gateways bring it in, one block of each takes as long as the deadline: they learn it once more.
 *
 * One draw alone would not tell: of twenty nodes with three blocks one took 89 s, and of nine others six from 259 to 518,
 * while each node asked for what the gateways were bringing in.
 */
test.each([
  [3, 5, 14, 150, 3],
  [8, 0, 14, 150, 4],
  [8, 12, 3, 200, 3],
])(
  '%i gateways and %i others get %i blocks of %i KiB over 1 Mbit/s',
  (gateways, others, blocks, kib, inVain) => {
    const fleet = { gateways, others, blocks, blockBytes: kib * KIB }
    const { blockDeadlineMs } = LIMITS
    const wayMs = (2 * blocks * fleet.blockBytes) / BYTES_PER_MS + inVain * blockDeadlineMs
    const pausesMs = PAUSES.slice(0, inVain).reduce((all, pause) => all + pause * blockDeadlineMs, 0)
    const worstMs = wayMs + pausesMs
    const took = DRAWS.map((draws) => new Region(fleet, draws).run(worstMs)).sort((a, b) => a - b)
    expect(took.at(-1)).toBeLessThan(worstMs)
    expect(took[(DRAWS.length - 1) / 2]).toBeLessThan(wayMs + pausesMs / 2)
  },
)
