/** A seed has sent this node to another, and connections end meanwhile: when the seed hears that it was in vain. */
import { describe, expect, test } from 'vitest'
import { FetchJob } from '../../../src/core/fetch/job.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import type { Release } from '../../../src/model/release.ts'
import { addressOf, Bench, hex, peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER, SEED, SELF, type Want } from './fetcher.ts'

/** The page is this node's to bring in, and was given to another before. */
function sentTo(to: PeerId) {
  const node = fetcher({ gateways: [SELF] })
  const [page] = node.started as [Want]
  const sent = node.answer(page.id, { type: 'redirect', peer: to, addresses: [] })
  return { ...node, page, sent }
}

test('the ends of others’ connections, however many, keep nothing from it', () => {
  const { sent, left, tick, page } = sentTo(peer('holder'))
  expect(sent).toEqual([])
  const asked: Want[] = []
  // The draw makes it three quarters of the time that makes one silent.
  for (let ms = 50; ms < 0.75 * LIMITS.blockSilenceMs; ms += 50)
    asked.push(...left(peer(`stranger ${ms}`)), ...tick(50))
  expect(asked).toEqual([])
  const again = [...left(peer('stranger')), ...tick(50)]
  expect(again).toEqual([expect.objectContaining({ to: SEED, digest: page.digest, failed: true })])
})

test('of whoever broke its own connection nothing is awaited: the seed hears it as soon as nothing else comes', () => {
  const { sent, left, tick, page } = sentTo(OTHER)
  expect(sent).toEqual([expect.objectContaining({ to: OTHER, digest: page.digest })])
  expect(left(OTHER)).toEqual([])
  expect(tick(LIMITS.stuckMs - 1)).toEqual([])
  expect(tick(1)).toEqual([expect.objectContaining({ to: SEED, digest: page.digest, failed: true })])
})

/** The wants of it that were asked for while so much time passed. */
const pass = (node: ReturnType<typeof fetcher>, ms: number): Want[] =>
  Array.from({ length: ms / 50 }, () => node.tick(50)).flat()

test('of what came another way the seed hears nothing more, whomever it names late', () => {
  const holder = peer('holder')
  const node = fetcher({ gateways: [SELF], neighbours: [holder] })
  const [page] = node.started as [Want]
  // The seed stands still, and so does who said that it has it.
  pass(node, LIMITS.blockSilenceMs)
  node.announce(holder, [0])
  pass(node, 1_500)
  const asked = [...node.announce(OTHER, [0]), ...pass(node, 150)].find(({ to }) => to === OTHER)
  expect(asked?.digest).toBe(page.digest)
  if (asked !== undefined) node.keep(asked)
  const sent = node.answer(page.id, { type: 'redirect', peer: holder, addresses: [] })
  expect(sent.filter(({ digest }) => digest === page.digest)).toEqual([])
})

describe('a node that reaches nobody but its seed, sent to one that it is not linked with,', () => {
  const HOLDER = peer('holder')
  const TOLD = [expect.objectContaining({ to: SEED, failed: true })]
  /** It asks for as much as it may. */
  const asking = () => {
    const node = fetcher({ gateways: [SELF], blocks: 40 })
    node.left(OTHER)
    const open = node.started.flatMap(node.give)
    /** The seed sends it on for the next block. @returns what it is asked for again */
    const sentOn = (to = HOLDER): readonly Want[] => {
      const { id, digest } = open.shift() as Want
      const asked = node.answer(id, { type: 'redirect', peer: to, addresses: [addressOf(to)] })
      open.push(...asked)
      return asked.filter((want) => want.digest === digest)
    }
    return { ...node, sentOn }
  }

  test('dials it, and tells the seed at once from then on where that comes to nothing in time', () => {
    const { sentOn, stands, dialled } = asking()
    expect(sentOn()).toEqual([])
    expect(dialled).toEqual([addressOf(HOLDER)])
    stands(LIMITS.dialDeadlineMs - 1)
    expect(sentOn()).toEqual([])
    stands(1)
    expect([sentOn(), sentOn()]).toEqual([TOLD, TOLD])
    stands(LIMITS.redialMinMs)
    expect(sentOn(peer('newcomer'))).toEqual([])
    expect(dialled).toContain(addressOf(peer('newcomer')))
  })

  test('waits for one that was named before it could be dialled, as another was just then', () => {
    const { sentOn, stands, dialled } = asking()
    const next = peer('next')
    expect([sentOn(), sentOn(next)]).toEqual([[], []])
    stands(LIMITS.dialDeadlineMs)
    expect(dialled).toEqual([addressOf(HOLDER)])
    expect([sentOn(next), sentOn()]).toEqual([[], TOLD])
    expect(dialled).toEqual([addressOf(HOLDER), addressOf(next)])
    stands(LIMITS.dialDeadlineMs)
    expect(sentOn(next)).toEqual(TOLD)
  })

  test('waits for it where a connection is there by then, and where it was linked meanwhile', () => {
    const { sentOn, stands, connects, left, joined } = asking()
    sentOn()
    stands(LIMITS.dialDeadlineMs)
    connects(HOLDER)
    expect(sentOn()).toEqual([])
    left(HOLDER)
    expect(sentOn()).toEqual(TOLD)
    joined(HOLDER, 'us', { submit: false })
    left(HOLDER)
    expect(sentOn()).toEqual([])
  })

  test.each(['eu', 'us'])('waits for others to bring it while it is linked with one, of %s', (region) => {
    const { sentOn, stands, joined, left } = asking()
    joined(OTHER, region, { submit: false })
    sentOn()
    stands(LIMITS.dialDeadlineMs)
    expect(sentOn()).toEqual([])
    left(OTHER)
    expect(sentOn()).toEqual([])
  })
})

test('of what has come it is forgotten to whom it was left: once lost it is asked for as at first', () => {
  const page = hex('a')
  const release = { header: { channel: 'app/web', pages: [page], files: 1, bytes: 1 } } as unknown as Release
  const job = new FetchJob(release, false, 0, LIMITS)
  job.need(new Bench().journey, page)
  job.redirected.set(page, { to: OTHER, atMonoMs: 1_000 })
  job.leave(page, 0, 1_000)
  expect([job.got(page), job.got(page)]).toEqual([true, false])
  expect([job.redirected.size, job.isLeft(page, 1)]).toEqual([0, false])
})

/** @returns for how long it is left each time, until it counts as beyond reach */
function leftFor(leastMs: number): number[] {
  const job = new FetchJob(
    { header: { channel: 'app/web', pages: [hex('a')], files: 1, bytes: 1 } } as unknown as Release,
    false,
    0,
    LIMITS,
  )
  const times: number[] = []
  for (let [nowMs, lastMs] = [0, -1]; job.leave(hex('a'), nowMs, leastMs); ) {
    lastMs = nowMs
    while (job.isLeft(hex('a'), nowMs)) nowMs += 50
    times.push(nowMs - lastMs)
  }
  return times
}

test('what is left to another is left ever longer, up to a deadline; where answers take that long, for as much longer', () => {
  expect(leftFor(400)).toEqual([400, 800, 1_600, 3_200, 6_400, LIMITS.blockDeadlineMs])
  expect(leftFor(5_000)).toEqual([5_000, 10_000, 20_000])
  expect(leftFor(LIMITS.blockDeadlineMs)).toEqual([10_000, 20_000, 40_000])
})
