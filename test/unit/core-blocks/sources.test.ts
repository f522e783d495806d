import { expect, test } from 'vitest'
import { Bitmap } from '../../../src/core/bitmap.ts'
import { MAX_LIES, MAX_PARTS, MAX_RELEASES } from '../../../src/core/fetch/announcements.ts'
import { Sources } from '../../../src/core/fetch/sources.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerId, ReleaseId } from '../../../src/model/ids.ts'
import { peer } from '../core-peers/fakes.ts'

const A = peer('A')
const B = peer('B')
const release = (n: number): ReleaseId => n.toString(16).padStart(64, '0') as ReleaseId
/** A question to a neighbour. */
const asked = (of: PeerId, sinceMonoMs = 0) => ({
  release: release(1),
  peer: of,
  sinceMonoMs,
  seed: false,
})
const lastPlace = { whole: false, ranges: [(1 << 20) - 1, 1] }

test('a peer that announces blocks of releases nobody knows is remembered for a few of them', () => {
  const sources = new Sources(LIMITS)
  sources.announced(release(1), B, lastPlace)
  for (let n = 1; n <= 1_000; n += 1) sources.announced(release(n), A, lastPlace)
  const kept = Array.from({ length: 1_000 }, (_, at) => release(at + 1)).filter((id) =>
    sources.of(id).has(A, (1 << 20) - 1),
  )
  expect(kept).toEqual(
    Array.from({ length: LIMITS.maxAnnouncedInPart }, (_, at) =>
      release(1_001 - LIMITS.maxAnnouncedInPart + at),
    ),
  )
  expect(sources.of(release(1)).has(B, (1 << 20) - 1)).toBe(true)
})

test('of all peers together so many announcements are remembered: beyond, the loudest is forgotten first', () => {
  const sources = new Sources(LIMITS)
  const said = { whole: false, ranges: [0, 1] }
  for (let n = 1; n <= LIMITS.maxAnnouncedInPart; n += 1) sources.announced(release(n), A, said)
  const quiet = Array.from({ length: MAX_PARTS }, (_, at) => peer(`Q${at}`))
  const heard = () => quiet.filter((each) => sources.of(release(0)).has(each, 0)).length
  const loud = () => {
    const all = Array.from({ length: LIMITS.maxAnnouncedInPart }, (_, at) => release(at + 1))
    return all.filter((id) => sources.of(id).has(A, 0)).length
  }
  for (const each of quiet.slice(0, MAX_PARTS - LIMITS.maxAnnouncedInPart))
    sources.announced(release(0), each, said)
  expect(loud()).toBe(LIMITS.maxAnnouncedInPart)
  // said again it is the same, and who leaves makes room
  for (const each of quiet.slice(0, 4)) sources.announced(release(0), each, said)
  for (const each of quiet.slice(0, 4)) sources.forgetPeer(each)
  for (const each of quiet.slice(0, 4)) sources.announced(release(0), each, said)
  expect(loud()).toBe(LIMITS.maxAnnouncedInPart)
  for (const each of quiet.slice(-6)) sources.announced(release(0), each, said)
  expect(loud()).toBe(LIMITS.maxAnnouncedInPart - 6)
  expect(sources.of(release(1)).has(A, 0)).toBe(false)
  expect(heard()).toBe(MAX_PARTS - LIMITS.maxAnnouncedInPart + 6)
})

test.each([
  ['no place', {}],
  ['an empty bitmap', { bitmap: new Uint8Array(2) }],
  ['ranges of nothing', { ranges: [3, 0] }],
])('whoever says %s counts as no holder, and what it lacks it lacks as before', (_, places) => {
  const sources = new Sources(LIMITS)
  sources.lacks(asked(A), 0)
  sources.announced(release(1), A, { whole: false, ...places })
  expect(sources.of(release(1)).knows(A)).toBe(false)
  expect(sources.of(release(1)).any(sources.counts)).toBe(false)
  expect([sources.answers(A), sources.isAvoided(A, 0)]).toEqual([false, true])
  sources.announced(release(1), A, { whole: false, ranges: [3, 1] })
  expect([sources.of(release(1)).has(A, 3), sources.isAvoided(A, 0)]).toEqual([true, false])
})

test('having everything costs no bitmap and is remembered of many', () => {
  const sources = new Sources(LIMITS)
  for (let n = 1; n <= 100; n += 1) sources.announced(release(n), A, { whole: true })
  expect(sources.of(release(1)).isWhole(A)).toBe(true)
})

test('who gave wrong bytes is known as it comes back, until so many others have given some since', () => {
  const sources = new Sources(LIMITS)
  const isLiar = (of: PeerId) => sources.of(release(1)).isLiar(of)
  sources.lied(release(1), A)
  sources.forgetPeer(A)
  // However often one does, it is one.
  for (let n = 0; n <= MAX_LIES; n += 1) sources.lied(release(1), B)
  for (let n = 2; n < MAX_LIES; n += 1) sources.lied(release(n % 8), peer(`L${n}`))
  expect([isLiar(A), isLiar(B)]).toEqual([true, true])
  sources.lied(release(2), A)
  expect([isLiar(A), isLiar(B), sources.of(release(2)).isLiar(A)]).toEqual([false, true, true])
})

test('announcements of releases that do not exist do not drive out what is being fetched', () => {
  const sources = new Sources(LIMITS)
  sources.announced(release(0), A, { whole: true })
  for (let n = 1; n < 10_000; n += 1) {
    sources.announced(release(n), B, { whole: true })
    // The fetch looks several times a second.
    if (n % 500 === 0) expect(sources.of(release(0)).any(sources.counts)).toBe(true)
  }
  expect(sources.of(release(1)).any(sources.counts)).toBe(false)
})

test('what a peer announced counts no longer once it was silent, until it gives something', () => {
  const sources = new Sources(LIMITS)
  sources.announced(release(1), A, { whole: true })
  const holders = sources.of(release(1))
  expect(holders.announced(0, sources.counts)).toBe(true)
  sources.silent(A, 1_000)
  sources.announced(release(1), A, { whole: true })
  expect(holders.announced(0, sources.counts)).toBe(false)
  expect(holders.any(sources.counts)).toBe(false)
  sources.announced(release(1), B, lastPlace)
  expect(holders.any(sources.counts)).toBe(true)
  sources.gave({ release: release(1), peer: A })
  expect(holders.announced(0, sources.counts)).toBe(true)
})

test('nor once it lacked what it had announced, however often it says so again', () => {
  const sources = new Sources(LIMITS)
  sources.announced(release(1), A, { whole: true })
  sources.lacks(asked(A), 1_000)
  sources.announced(release(1), A, { whole: true })
  expect(sources.of(release(1)).has(A, 0)).toBe(true)
  expect(sources.of(release(1)).announced(0, sources.counts)).toBe(false)
  sources.gave({ release: release(1), peer: B })
  sources.lacks(asked(B), 1_000)
  expect(sources.counts(B)).toBe(true)
})

test('nor while it is too busy again and again', () => {
  const sources = new Sources(LIMITS)
  sources.announced(release(1), A, { whole: true })
  for (let n = 0; n < 3; n += 1) sources.busy(A, n, n)
  expect(sources.counts(A)).toBe(true)
  sources.busy(A, 3, 3)
  expect(sources.counts(A)).toBe(false)
})

test('each further silence leaves it alone for twice as long, ten seconds at most', () => {
  const sources = new Sources(LIMITS)
  const { avoidPeerMs } = LIMITS
  sources.silent(A, 0)
  expect([sources.isAvoided(A, avoidPeerMs - 1), sources.isAvoided(A, avoidPeerMs)]).toEqual([true, false])
  sources.silent(A, avoidPeerMs)
  expect(sources.isAvoided(A, 3 * avoidPeerMs - 1)).toBe(true)
  for (let n = 0; n < 10; n += 1) sources.silent(A, 100_000)
  expect([sources.isAvoided(A, 109_999), sources.isAvoided(A, 110_000)]).toEqual([true, false])
})

test('a neighbour that lacks what it is asked for is left alone for twice as long each time, but for questions of before', () => {
  const sources = new Sources(LIMITS)
  const leastMs = LIMITS.avoidPeerMs / 4
  for (let n = 0; n < 8; n += 1) sources.lacks(asked(A, 100), 200 + n)
  expect([sources.isAvoided(A, 199 + leastMs), sources.isAvoided(A, 200 + leastMs)]).toEqual([true, false])
  sources.lacks(asked(A, 1_000), 1_000)
  expect([sources.isAvoided(A, 999 + 2 * leastMs), sources.isAvoided(A, 1_000 + 2 * leastMs)]).toEqual([
    true,
    false,
  ])
  for (let n = 2; n < 10; n += 1) sources.lacks(asked(A, n * 1_000), n * 1_000)
  expect([sources.isAvoided(A, 18_999), sources.isAvoided(A, 19_000)]).toEqual([true, false])
})

test('a seed that lacked something and gives something since answers as before', () => {
  const sources = new Sources(LIMITS)
  sources.lacks({ ...asked(A), seed: true }, 0)
  expect(sources.answers(A)).toBe(false)
  sources.brokeSilence(A)
  expect(sources.answers(A)).toBe(true)
})

test.each([
  ['gives a block', (sources: Sources) => sources.gave({ release: release(1), peer: A })],
  ['says that it is busy', (sources: Sources) => sources.busy(A, 0, 0)],
  ['says that it lacks something', (sources: Sources) => sources.lacks({ ...asked(A), seed: false }, 0)],
  ['announces anything', (sources: Sources) => sources.announced(release(1), A, { whole: true, ranges: [] })],
  ['asks for anything', (sources: Sources) => sources.spoke(A, 700)],
  ['is gone', (sources: Sources) => sources.forgetPeer(A)],
])('a peer that was silent is mute until it %s', (_, speaks) => {
  const sources = new Sources(LIMITS)
  expect(sources.isMute(A, 0)).toBe(false)
  sources.silent(A, 100)
  expect([sources.isMute(A, 99), sources.isMute(A, 100), sources.isMute(B, 100)]).toEqual([
    false,
    true,
    false,
  ])
  speaks(sources)
  expect(sources.isMute(A, 700)).toBe(false)
})

test('and that was silent twice is so since the first time, whatever it says while it owes something', () => {
  const sources = new Sources(LIMITS)
  sources.asked(A, 1, 0)
  sources.silent(A, 100)
  sources.silent(A, 600)
  sources.announced(release(1), A, { whole: true, ranges: [] })
  sources.spoke(A, 700)
  expect([sources.isMute(A, 99), sources.isMute(A, 100)]).toEqual([false, true])
  sources.asked(A, -1, 800)
  expect(sources.isMute(A, 800)).toBe(true)
  sources.spoke(A, 900)
  expect(sources.isMute(A, 900)).toBe(false)
})

test('what a seed says of a peer that was silent is no word of its own', () => {
  const sources = new Sources(LIMITS)
  sources.silent(A, 100)
  sources.holds(release(1), A, { whole: true, ranges: [] })
  expect(sources.isMute(A, 100)).toBe(true)
})

test('a peer that had parts of a release and then all of it has all of it, whatever it says of others; the places are forgotten', () => {
  const sources = new Sources(LIMITS)
  sources.announced(release(0), A, lastPlace)
  sources.announced(release(0), A, { whole: true })
  for (let n = 1; n <= LIMITS.maxAnnouncedInPart; n += 1) sources.announced(release(n), A, lastPlace)
  const holders = sources.of(release(0))
  expect(holders.isWhole(A)).toBe(true)
  // B alone announced it place by place: nothing of A's is left
  sources.announced(release(0), B, lastPlace)
  const open = new Bitmap()
  for (const place of [7, (1 << 20) - 1]) open.add(place)
  expect(holders.pick(B, open, 0)).toBe((1 << 20) - 1)
  expect(holders.pick(A, open, 0.99)).toBe(7)
  expect(sources.of(release(1)).knows(A)).toBe(true)
})

test('what is said of a release that is being fetched is kept, of however many; of others of the latest', () => {
  const sources = new Sources(LIMITS)
  const all = Array.from({ length: 3 * MAX_RELEASES }, (_, at) => release(at + 1))
  const known = () => all.filter((id) => sources.of(id).isWhole(A))
  sources.announced(release(1), A, { whole: true })
  for (const id of all) sources.began(id)
  for (const id of all) sources.announced(id, A, { whole: true })
  expect(known()).toEqual(all)
  for (const id of all) sources.ended(id)
  expect(known()).toEqual(all.slice(-MAX_RELEASES))
})

test('to ask who has a release that nobody spoke of forgets nothing', () => {
  const sources = new Sources(LIMITS)
  sources.announced(release(0), A, { whole: true })
  for (let n = 1; n <= 2 * MAX_RELEASES; n += 1) {
    expect(sources.of(release(n)).knows(A)).toBe(false)
    sources.announced(release(n), B, { whole: false })
    sources.lacks({ ...asked(B), release: release(n) }, 0)
  }
  expect(sources.of(release(0)).isWhole(A)).toBe(true)
})

test('one that puts off all that was asked of it at once over a border is busy once', () => {
  const sources = new Sources(LIMITS)
  for (let question = 0; question < 8; question += 1) sources.putOff(A, 200, 0)
  expect([sources.counts(A), sources.isOnlyBusy(A, 0)]).toEqual([true, true])
  sources.silent(A, 300)
  sources.putOff(A, 400, 300)
  expect(sources.isOnlyBusy(A, 300)).toBe(false)
  sources.putOff(A, 2_000, 1_900)
  expect(sources.isOnlyBusy(A, 1_900)).toBe(true)
  sources.forgetPeer(A)
  expect(sources.isOnlyBusy(A, 1_900)).toBe(false)
})
