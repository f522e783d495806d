import { EventEmitter } from 'node:events'
import type { Context } from 'hono'
import { expect, test } from 'vitest'
import { Answers } from '../../../src/api/answers.ts'
import type { Listing } from '../../../src/api/node-view.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest, ReleaseId } from '../../../src/model/ids.ts'

const listingOf = (files: number): Listing => ({
  release: 'r"1' as ReleaseId,
  files: Array.from({ length: files }, (_, at) => ({
    path: `ü"${at}`,
    mode: 0o444,
    size: at,
    digest: `${at}` as Digest,
  })),
})

/** A connection that takes nothing of what it is given. */
const asked = (): Context =>
  ({
    env: { outgoing: Object.assign(new EventEmitter(), { closed: false, req: { socket: {} } }) },
  }) as unknown as Context

test.each([0, 1, 4_096, 4_097, 10_000])('a listing of %i files is JSON as any other', async (files) => {
  const listing = listingOf(files)
  const answer = await new Answers(LIMITS).listing(asked(), listing)
  expect(await answer.text()).toBe(JSON.stringify(listing))
  expect(answer.headers.get('content-type')).toBe('application/json')
})

test('a long listing becomes text in slices', async () => {
  let turns = 0
  const count = (): void => {
    turns++
    next = setImmediate(count)
  }
  let next = setImmediate(count)
  await new Answers(LIMITS).listing(asked(), listingOf(20_000))
  clearImmediate(next)
  expect(turns).toBeGreaterThanOrEqual(4)
})

test('listings are made one after another, so that one at most passes the bound', async () => {
  const answers = new Answers({ ...LIMITS, maxHttpAnswerBytes: 1 })
  const made = await Promise.all(Array.from({ length: 5 }, () => answers.listing(asked(), listingOf(10_000))))
  expect(made.map(({ status }) => status)).toEqual([200, 503, 503, 503, 503])
})

test('a listing that fails holds up no other', async () => {
  const answers = new Answers(LIMITS)
  const broken = { ...listingOf(1), files: [{ size: 1n }] } as unknown as Listing
  const [failed, other] = await Promise.allSettled([
    answers.listing(asked(), broken),
    answers.listing(asked(), listingOf(1)),
  ])
  expect([failed.status, other.status]).toEqual(['rejected', 'fulfilled'])
})
