/** A seed has sent this node to another, and connections end meanwhile: when the seed hears that it was in vain. */
import { expect, test } from 'vitest'
import { FetchJob } from '../../../src/core/fetch/job.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import type { Release } from '../../../src/model/release.ts'
import { Bench, hex, peer } from '../core-peers/fakes.ts'
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
