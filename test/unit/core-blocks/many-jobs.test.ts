/** Very many releases under way at once: an event looks at some of them, so that none stalls the event loop. */
import { expect, test, vi } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { Chooser } from '../../../src/core/fetch/chooser.ts'
import { FetchJob } from '../../../src/core/fetch/job.ts'
import { Jobs } from '../../../src/core/fetch/jobs.ts'
import { Ranking } from '../../../src/core/fetch/ranking.ts'
import { Fetch } from '../../../src/core/fetch.ts'
import type { Journey } from '../../../src/core/journey.ts'
import { OwnJourney } from '../../../src/core/own-journey.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, Digest, PeerId, ReleaseId } from '../../../src/model/ids.ts'
import type { BlocksReply } from '../../../src/model/messages.ts'
import { CHANNEL, given, type Made, make } from '../core/fleet.ts'
import { asked, starting } from './many.ts'

interface Both {
  readonly made: Made
  readonly job: FetchJob
}

const COUNT = 400
/** Jobs of one event, and some. */
const MOST = 150

test('each of them is looked at in its turn, and no event looks at all', () => {
  const looks = vi.spyOn(Ranking.prototype, 'candidates')
  const rankings = vi.spyOn(Chooser.prototype, 'ranking')
  const { node } = starting(COUNT)
  expect(looks.mock.calls.length).toBeLessThanOrEqual(COUNT + MOST)
  node.peer('12D3KooWn' as PeerId)
  const seen = new Set<Channel>()
  for (let ms = 25; ms <= 200; ms += 25) {
    looks.mockClear()
    rankings.mockClear()
    node.monoMs = ms
    const effects = node.run({ kind: 'tick' })
    expect(looks.mock.calls.length).toBeLessThanOrEqual(MOST)
    // of hundreds of peers, each costs as much as all these looks
    expect(rankings.mock.calls.length).toBeLessThanOrEqual(1)
    for (const [{ channel }] of looks.mock.calls) seen.add(channel)
    const wakes = effects.flatMap((effect) => (effect.kind === 'wake' ? [effect.atMonoMs] : []))
    expect(Math.min(...wakes)).toBeLessThanOrEqual(ms + 25)
  }
  expect(seen.size).toBe(COUNT)
  looks.mockRestore()
  rankings.mockRestore()
})

test('what a neighbour answers is made use of, however many are under way', () => {
  const neighbour = '12D3KooWn' as PeerId
  const { node, all, effects } = starting(2_000, neighbour)
  const questions = asked(effects, 'have')
  const says = (id: number, message: BlocksReply) =>
    node.run({ kind: 'reply', id, reply: { protocol: 'blocks', message } })
  const tick = () => {
    node.monoMs += 10 // until the end nothing is blindly asked for yet
    return asked(node.run({ kind: 'tick' }), 'want')
  }
  const [first, second] = [700, 50].map((at) => {
    const { id, page } = (all[at] as (typeof all)[number]).made
    return { id: questions.find(({ release }) => release === id)?.id as number, digest: sha256(page) }
  }) as [{ id: number; digest: Digest }, { id: number; digest: Digest }]
  // at once: the others would have it wait for twenty events
  const wants = asked(says(first.id, { type: 'noted', whole: true }), 'want')
  expect(wants).toMatchObject([{ peer: neighbour, digest: first.digest }])
  // one block of one neighbour at a time; nor is this one forgotten while all others are looked at
  expect(asked(says(second.id, { type: 'noted', whole: true }), 'want')).toEqual([])
  for (let turn = 0; turn < 12; turn += 1) expect(tick()).toEqual([])
  for (let turn = 0; turn < 24; turn += 1) {
    for (const { id } of wants.splice(0)) says(id, { type: 'busy', retryAfterMs: 1 })
    wants.push(...tick())
    if (wants.some(({ digest }) => digest === second.digest)) break
  }
  expect(wants).toMatchObject([{ peer: neighbour, digest: second.digest }])
})

test.each([200, 600])('a block has those releases looked at that name it, of %i', (count) => {
  const seed = '12D3KooWs' as PeerId
  const looks = [vi.spyOn(FetchJob.prototype, 'shut'), vi.spyOn(FetchJob.prototype, 'reopen')]
  const walks = vi.spyOn(Jobs.prototype, 'all')
  const lists = vi.spyOn(Fetch.prototype, 'running')
  const looked = (act: () => readonly Effect[]) => {
    for (const spy of [...looks, walks]) spy.mockClear()
    const effects = act()
    return {
      effects,
      looks: looks.reduce((sum, { mock }) => sum + mock.calls.length, 0),
      walks: walks.mock.calls.length,
    }
  }
  const { node, all, effects } = starting(count)
  expect(effects).not.toEqual([])
  // each channel is asked for its own alone
  expect(lists.mock.results.flatMap(({ value }) => value as readonly ReleaseId[])).toEqual([])
  node.peer(seed, { submit: true })
  node.monoMs = 25
  const start = looked(() => node.run({ kind: 'tick' }))
  const wants = asked(start.effects, 'want')
  expect(wants.length).toBeGreaterThan(0)
  expect(start.looks).toBe(wants.length)
  const [want] = wants
  const { page } = all.map(({ made }) => made).find((made) => sha256(made.page) === want?.digest) as Made
  // the pump alone has them all in view
  const came = looked(() => node.run(given(want?.id, page)))
  expect(came).toMatchObject({ walks: 1 })
  const further = asked(came.effects, 'want').length
  // shut once it is there; its block is open since, and the page not any more
  expect(came.looks).toBeLessThanOrEqual(further + 4)
  const written = looked(() => node.persist(came.effects))
  expect(written).toMatchObject({ walks: 1 })
  expect(written.looks).toBeLessThanOrEqual(asked(written.effects, 'want').length + 1)
  for (const spy of [...looks, walks, lists]) spy.mockRestore()
})

test('a tick looks at some of very many for what they do next, and at each in its turn', () => {
  const { node, all } = starting(1_500)
  const looks = vi.spyOn(OwnJourney.prototype, 'envelope')
  const seen = new Set<ReleaseId>()
  for (let ms = 25; ms <= 50; ms += 25) {
    looks.mockClear()
    node.monoMs = ms
    node.run({ kind: 'tick' })
    expect(looks.mock.calls.length).toBeLessThanOrEqual(1_024)
    for (const [release] of looks.mock.calls) seen.add(release)
  }
  expect(seen.size).toBe(all.length)
  looks.mockRestore()
})

test('whoever names a block has it, in the order in which they began, whichever read its pages first', () => {
  const jobs = new Jobs()
  const journey = { hasBlock: () => false } as unknown as Journey
  const shared = ['same\n', 'alike\n']
  const [one, two, three] = [1, 2, 3].map((at) => {
    const made = make({ clock: { alice: at }, text: `${at}\n`, also: shared })
    const job = new FetchJob(made.release, false, 0, LIMITS)
    jobs.add(job)
    return { made, job }
  }) as [Both, Both, Both]
  const read = ({ made, job }: Both) => jobs.takePage(job, journey, made.page)
  const digests = shared.map((text) => sha256(Buffer.from(text)))
  const naming = () => digests.map((digest) => jobs.naming(digest))
  expect(naming()).toEqual([[], []])
  for (const each of [three, one, two]) read(each)
  expect(naming()).toEqual(digests.map(() => [one.job, two.job, three.job]))
  expect(jobs.naming(sha256(two.made.block))).toEqual([two.job])
  expect([jobs.all(), jobs.ofChannel(CHANNEL)]).toEqual([
    [one.job, two.job, three.job],
    [one.job, two.job, three.job],
  ])
  expect(jobs.end(one.made.id)).toBe(one.job)
  expect(naming()).toEqual(digests.map(() => [two.job, three.job]))
  jobs.end(three.made.id)
  expect(naming()).toEqual(digests.map(() => [two.job]))
  expect(jobs.end(one.made.id)).toBeUndefined()
  jobs.end(two.made.id)
  expect([...naming(), jobs.naming(sha256(two.made.page)), jobs.all(), jobs.ofChannel(CHANNEL)]).toEqual(
    Array.from({ length: 5 }, () => []),
  )
})

test('what a release lost again is counted as missing once more', () => {
  const { release, page } = make({ clock: { alice: 1 } })
  const job = new FetchJob(release, false, 0, LIMITS)
  const lost = { hasBlock: () => false } as unknown as Journey
  const digest = sha256(page)
  expect([job.need(lost, digest), job.need(lost, digest), job.needed]).toEqual([true, false, 1])
  job.missing.delete(digest)
  expect([job.isComplete, job.need(lost, digest), job.needed, job.missing.size]).toEqual([false, true, 2, 1])
})
