import { expect, test, vi } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { Bitmap } from '../../../src/core/bitmap.ts'
import { BorderDuty } from '../../../src/core/border-duty.ts'
import { Chooser } from '../../../src/core/fetch/chooser.ts'
import { Entrants } from '../../../src/core/fetch/entry.ts'
import type { FetchJob } from '../../../src/core/fetch/job.ts'
import { IN_VAIN_MS, OwnPace } from '../../../src/core/fetch/own-pace.ts'
import { Sources } from '../../../src/core/fetch/sources.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest, Pattern, PeerId } from '../../../src/model/ids.ts'
import { configOf, FakeJourney, peer } from '../core-peers/fakes.ts'
import { link } from './links.ts'

const gateways = Array.from({ length: 8 }, (_, at) => peer(`g${at}`))
const digestOf = (at: number) => sha256(new TextEncoder().encode(`block ${at}`))

/** A release of so many pages and blocks, one page among them, of which nothing is here. */
function jobOf(places: number, pagesRead: boolean): FetchJob {
  const digests = Array.from({ length: places }, (_, at) => digestOf(at))
  const open = new Bitmap()
  digests.forEach((_, place) => void open.add(place))
  return {
    release: { id: digestOf(-1), header: { pages: [digests[0]] } },
    nextPage: pagesRead ? undefined : digests[0],
    digests,
    open,
    missing: new Set(digests),
    redirected: new Map(),
    isLeft: () => false,
    postponements: () => 0,
    ownPace: new OwnPace(IN_VAIN_MS),
    sinceMonoMs: 0,
    progressMonoMs: 0,
  } as unknown as FetchJob
}

const GOING = {
  ...LIMITS,
  failMs: LIMITS.stuckMs,
  isMute: () => false,
  isOpen: () => true,
  underWay: () => 0,
}

/** Places that each gateway asks the seed for. */
function brought(places: number, pagesRead: boolean): number[][] {
  const job = jobOf(places, pagesRead)
  const { digests } = job
  return gateways.map((self) => {
    const journey = new FakeJourney()
    journey.gatewaysOf.set(journey.region, gateways)
    for (const one of gateways) if (one !== self) link(journey, one, { region: journey.region })
    link(journey, 'seed', { region: journey.region, submit: true })
    const chooser = new Chooser(configOf({ self }), new Sources(LIMITS), new BorderDuty())
    const sessions = [...journey.admitted()]
    return [...chooser.bringIn(journey, job, sessions, { monoMs: 0, wallMs: 0 }, GOING)]
      .map(({ digest }) => digests.indexOf(digest))
      .sort((a, b) => a - b)
  })
}

test('a release of very few blocks enters by one gateway: the one that brings its first page', () => {
  const first = gateways.indexOf(new Entrants(gateways).fetcher(digestOf(0)) ?? peer(''))
  const all = Array.from({ length: LIMITS.singleEntryBlocks }, (_, at) => at)
  expect(brought(LIMITS.singleEntryBlocks, true)).toEqual(gateways.map((_, at) => (at === first ? all : [])))
})

test.each([
  { what: 'one of more blocks', places: LIMITS.singleEntryBlocks + 1, read: true },
  { what: 'one whose manifest is not read yet', places: 3, read: false },
])('$what enters by all of them, each block once', ({ places, read }) => {
  const shares = brought(places, read)
  expect(shares.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: places }, (_, at) => at))
  expect(shares.filter((share) => share.length > 0).length).toBeGreaterThan(1)
})

test('where no gateway that is linked stores the channel, or all lied or give nothing, each node brings in what it needs', () => {
  const journey = new FakeJourney()
  journey.gatewaysOf.set(journey.region, gateways)
  const sources = new Sources(LIMITS)
  const job = jobOf(20, true)
  for (const [at, one] of gateways.entries()) {
    link(journey, one, { region: journey.region, patterns: at % 4 === 0 ? ['other/**'] : ['**'] })
    if (at % 4 === 1) sources.lied(job.release.id, one)
    if (at % 4 === 2) sources.silent(one, 0)
    if (at % 4 === 3) {
      sources.announced(job.release.id, one, { whole: true })
      sources.lacks({ release: job.release.id, peer: one, sinceMonoMs: 0, seed: false }, 0, 3)
    }
  }
  link(journey, 'seed', { region: journey.region, submit: true })
  const chooser = new Chooser(configOf({ self: peer('node') }), sources, new BorderDuty())
  const sessions = chooser
    .ranking(journey)
    .candidates({ ...job, channel: 'app/config' } as unknown as FetchJob)
  const choices = [...chooser.bringIn(journey, job, sessions, { monoMs: 0, wallMs: 0 }, GOING)]
  expect(choices.map(({ peer: from }) => from)).toEqual(job.digests.map(() => peer('seed')))
  expect(new Set(choices.map(({ digest }) => digest))).toEqual(new Set(job.digests))
})

test('nor does one that is not linked, and whose record says that it stores other channels', () => {
  const journey = new FakeJourney()
  journey.gatewaysOf.set(journey.region, gateways)
  for (const one of gateways) journey.records.set(one, ['other/**' as Pattern])
  link(journey, 'seed', { region: journey.region, submit: true })
  const asked = (): number => {
    const chooser = new Chooser(configOf({ self: peer('node') }), new Sources(LIMITS), new BorderDuty())
    const job = { ...jobOf(20, true), channel: 'app/config' } as unknown as FetchJob
    const sessions = chooser.ranking(journey).candidates(job)
    return [...chooser.bringIn(journey, job, sessions, { monoMs: 0, wallMs: 0 }, GOING)].length
  }
  expect(asked()).toBeGreaterThan(0)
  // of one nothing is known: it may bring its part in
  journey.records.delete(gateways[0] as PeerId)
  expect(asked()).toBe(0)
})

test('what a seed has sent this node elsewhere for it is not asked for before that one counts as silent, by rescue either', () => {
  const journey = new FakeJourney()
  link(journey, 'seed', { region: journey.region, submit: true })
  const chooser = new Chooser(configOf({ self: peer('node') }), new Sources(LIMITS), new BorderDuty())
  const job = jobOf(1, true)
  job.redirected.set(digestOf(0), { to: peer('holder'), atMonoMs: 700 })
  const rescue = (monoMs: number) => chooser.rescue(job, [...journey.admitted()], monoMs, GOING)
  expect(rescue(699)).toBeUndefined()
  expect(rescue(700)).toMatchObject({ peer: peer('seed'), digest: digestOf(0) })
})

test('though others come all the time it is asked for after two deadlines', () => {
  const journey = new FakeJourney()
  link(journey, 'seed', { region: journey.region, submit: true })
  const chooser = new Chooser(configOf({ self: peer('node') }), new Sources(LIMITS), new BorderDuty())
  const rescue = (monoMs: number) => {
    const job = Object.assign(jobOf(1, true), { progressMonoMs: monoMs })
    job.redirected.set(digestOf(0), { to: peer('holder'), atMonoMs: 700 })
    return chooser.rescue(job, [...journey.admitted()], monoMs, GOING)
  }
  const endMs = 700 + 2 * LIMITS.blockDeadlineMs
  expect(rescue(endMs - 1)).toBeUndefined()
  expect(rescue(endMs)).toMatchObject({ peer: peer('seed'), digest: digestOf(0) })
})

test.each([
  ['a seed', true],
  ['no seed', false],
])(
  'of those over the border one that was silent is asked last, however long ago it was, and before nobody: %s',
  (_, submit) => {
    const journey = new FakeJourney()
    link(journey, 'silent', { region: 'us', submit })
    const sources = new Sources(LIMITS)
    const chooser = new Chooser(configOf({ self: peer('node') }), sources, new BorderDuty())
    const asked = () =>
      chooser.rescue(jobOf(1, true), [...journey.admitted()], 60_000, { ...GOING, failMs: 0 })?.peer
    sources.silent(peer('silent'), 0)
    expect(asked()).toBe(peer('silent'))
    link(journey, 'far', { region: 'us' })
    expect(asked()).toBe(peer('far'))
  },
)

test('what is here is not looked at again for each block that comes, and asked for again where it was lost', () => {
  const journey = new FakeJourney()
  journey.gatewaysOf.set(journey.region, [peer('node')])
  link(journey, 'seed', { region: journey.region, submit: true })
  const chooser = new Chooser(configOf({ self: peer('node') }), new Sources(LIMITS), new BorderDuty())
  const job = Object.assign(jobOf(3_000, true), { needed: 3_000 })
  const looks = vi.spyOn(job.open, 'has')
  /** The next few, which come. */
  const go = () => {
    const choices = chooser.bringIn(journey, job, [...journey.admitted()], { monoMs: 0, wallMs: 0 }, GOING)
    const digests: Digest[] = []
    for (const { digest } of choices) if (digests.push(digest) === 4) break
    for (const digest of digests) {
      job.open.delete(job.digests.indexOf(digest))
      job.missing.delete(digest)
    }
    return digests
  }
  const came = Array.from({ length: 740 }, go).flat()
  expect(new Set(came).size).toBe(4 * 740)
  expect(looks.mock.calls.length).toBeLessThan(10 * job.digests.length)
  const [lost] = came as [Digest]
  job.missing.add(lost)
  job.open.add(job.digests.indexOf(lost))
  job.needed += 1
  expect(go()).toContain(lost)
})

test('neighbours are asked for few blocks at once while some are missing that a gateway is to bring in', () => {
  const [self, a, b] = gateways as [PeerId, PeerId, PeerId]
  const journey = new FakeJourney()
  journey.gatewaysOf.set(journey.region, gateways)
  link(journey, 'seed', { region: journey.region, submit: true })
  const sources = new Sources(LIMITS)
  const chooser = new Chooser(configOf({ self }), sources, new BorderDuty())
  const job = jobOf(100, true)
  const all = job.digests
  const isOwn = (digest: Digest) => new Entrants(gateways).fetcher(digest) === self
  expect(chooser.duty(job).mostNear).toBe(LIMITS.maxWants)
  const own = [...chooser.bringIn(journey, job, [...journey.admitted()], { monoMs: 0, wallMs: 0 }, GOING)]
  expect(own.length).toBeGreaterThan(0)
  expect(chooser.duty(job).mostNear).toBe(LIMITS.maxWantsPerSeed)
  // One that has all says little of how far the others are.
  sources.announced(job.release.id, a, { whole: true })
  expect(chooser.duty(job).mostNear).toBe(LIMITS.maxWantsPerSeed)
  sources.announced(job.release.id, b, { whole: true })
  expect(chooser.duty(job).mostNear).toBe(LIMITS.haveAtOnce)
  for (const digest of all.filter((one) => !isOwn(one)).slice(0, 50)) job.missing.delete(digest)
  expect(chooser.duty(job).mostNear).toBe(LIMITS.maxWantsPerSeed)
  for (const digest of all.filter(isOwn)) job.missing.delete(digest)
  expect(chooser.duty(job).mostNear).toBe(LIMITS.maxWants)
})

test('of few blocks all are asked for at once, whoever is to bring them in', () => {
  const [self] = gateways as [PeerId]
  const journey = new FakeJourney()
  journey.gatewaysOf.set(journey.region, [self])
  link(journey, 'seed', { region: journey.region, submit: true })
  const chooser = new Chooser(configOf({ self }), new Sources(LIMITS), new BorderDuty())
  const job = jobOf(LIMITS.fewBlocks, true)
  expect([
    ...chooser.bringIn(journey, job, [...journey.admitted()], { monoMs: 0, wallMs: 0 }, GOING),
  ]).not.toEqual([])
  expect(chooser.duty(job).mostNear).toBe(LIMITS.maxWants)
})
