import { EventEmitter } from 'node:events'
import type { Context } from 'hono'
import type { StreamingApi } from 'hono/utils/stream'
import { expect, test, vi } from 'vitest'
import { Answers } from '../../../src/api/answers.ts'
import type { Listing, ReleaseChange } from '../../../src/api/node-view.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, Digest, ReleaseId } from '../../../src/model/ids.ts'

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

test('a listing is not made for whoever is gone when its turn comes', async () => {
  const answers = new Answers(LIMITS)
  const toJSON = vi.fn(() => ({}))
  const gone = Array.from({ length: 20 }, asked)
  const theirs = { ...listingOf(0), files: [{ toJSON }] } as unknown as Listing
  const made = gone.map((c) => answers.listing(c, theirs))
  const last = answers.listing(asked(), listingOf(1))
  // Of some the connection is not closed yet.
  for (const [at, { env }] of gone.entries())
    if (at % 2 === 0) env.outgoing.closed = true
    else env.outgoing.req.socket.destroyed = true
  expect(await (await last).json()).toEqual(listingOf(1))
  await Promise.all(made)
  expect(toJSON).not.toHaveBeenCalled()
  await answers.listing(asked(), theirs)
  expect(toJSON).toHaveBeenCalledOnce()
})

test('the line of listings is bounded, in slices; one that is longer than that has it for itself', async () => {
  const answers = new Answers({ ...LIMITS, maxHttpListingSlices: 4 })
  const status = async (files: readonly number[]) =>
    (await Promise.all(files.map((count) => answers.listing(asked(), listingOf(count))))).map(
      (answer) => answer.status,
    )
  expect(await status([0, 1, 4_096, 1, 1])).toEqual([200, 200, 200, 200, 503])
  expect(await status([4_096, 4_097, 4_097, 1])).toEqual([200, 200, 200, 503])
  expect(await status([20_000, 1])).toEqual([200, 503])
  const broken = { ...listingOf(1), files: Array(20_000).fill({ size: 1n }) } as unknown as Listing
  await expect(answers.listing(asked(), broken)).rejects.toThrow(TypeError)
  expect(await status([1])).toEqual([200])
})

test('whoever is refused a place in line is told when to come back', async () => {
  const answers = new Answers({ ...LIMITS, maxHttpListingSlices: 0 })
  const { status, headers } = await answers.listing(asked(), listingOf(1))
  expect([status, headers.get('confmesh-code')]).toEqual([503, 'API_BUSY'])
  expect(headers.get('retry-after')).toMatch(/^\d+$/)
})

/** A reader of events, whose pieces are taken when the test says so. */
function reader() {
  const pieces: Buffer[] = []
  const taken = Promise.withResolvers<void>()
  const write = async (piece: Uint8Array) => {
    pieces.push(Buffer.from(piece))
    await taken.promise
  }
  const stream = { aborted: false, write } as unknown as StreamingApi
  return { stream, taken, pieces, text: () => Buffer.concat(pieces).toString() }
}

const changeOf = (paths: number): ReleaseChange => ({
  channel: 'a/b' as Channel,
  release: 'r"1' as ReleaseId,
  clock: { ops: 3 },
  changed: Array.from({ length: paths }, (_, at) => `ü"${at}`),
})

const textOf = ({ release, clock, changed }: ReleaseChange): string =>
  `event: release\ndata: ${JSON.stringify({ release, clock, changed })}\nid: ${release}\n\n`

test.each([0, 1, 4_096, 4_097, 10_000])('an event of %i paths is JSON on a line', async (paths) => {
  const { stream, taken, text } = reader()
  taken.resolve()
  expect(await new Answers(LIMITS).event(stream, changeOf(paths))).toBe(true)
  expect(text()).toBe(textOf(changeOf(paths)))
})

test('a short event is written at once', async () => {
  const { stream, taken, pieces } = reader()
  taken.resolve()
  await new Answers(LIMITS).event(stream, changeOf(100))
  expect(pieces).toHaveLength(1)
})

test('of as many long paths as one slice has, each reader takes pieces of the same bytes', async () => {
  const change = {
    ...changeOf(0),
    changed: Array.from({ length: 4_096 }, (_, at) => `${at}`.padEnd(1_000, '#')),
  }
  const buffers: ArrayBufferLike[][] = []
  const streams = Array.from({ length: 3 }, () => {
    const seen: ArrayBufferLike[] = []
    buffers.push(seen)
    return {
      aborted: false,
      write: async (piece: Uint8Array) => void seen.push(piece.buffer),
    } as unknown as StreamingApi
  })
  const answers = new Answers(LIMITS)
  await Promise.all(streams.map((stream) => answers.event(stream, change)))
  const long = buffers.map((seen) => [...new Set(seen.filter(({ byteLength }) => byteLength > 64 * 1024))])
  expect(long.map(({ length }) => length)).toEqual([1, 1, 1])
  expect(new Set(long.flat()).size).toBe(1)
})

test('paths are made once for all who are told of them, in slices, and held until the last one has them', async () => {
  const stringify = vi.spyOn(JSON, 'stringify')
  const change = changeOf(10_000)
  const slices = () => stringify.mock.calls.filter(([value]) => Array.isArray(value)).length
  const answers = new Answers({ ...LIMITS, maxHttpAnswerBytes: 1 })
  const readers = Array.from({ length: 5 }, reader)
  const told = readers.map(({ stream }) => answers.event(stream, { ...change }))
  for (const { pieces } of readers) await expect.poll(() => pieces.length).toBe(1)
  const late = reader()
  told.push(answers.event(late.stream, change))
  for (const { taken } of readers) taken.resolve()
  await Promise.all(told.slice(0, 5))
  expect(answers.isFull).toBe(true)
  late.taken.resolve()
  expect(await Promise.all(told)).toEqual(Array(6).fill(true))
  expect(slices()).toBe(3)
  expect(answers.isFull).toBe(false)
  vi.restoreAllMocks()
  for (const { text } of [...readers, late]) expect(text()).toBe(textOf(change))
})

test('other paths are made one after another, and nothing is written of those that have no room', async () => {
  const answers = new Answers({ ...LIMITS, maxHttpAnswerBytes: 1 })
  const [a, b] = [reader(), reader()]
  const told = [a, b].map(({ stream }) => answers.event(stream, changeOf(5_000)))
  expect(await told[1]).toBe(false)
  expect(b.pieces).toEqual([])
  a.taken.resolve()
  expect(await told[0]).toBe(true)
  b.taken.resolve()
  expect(await answers.event(b.stream, changeOf(5_000))).toBe(true)
})

test('a reader that goes holds nothing any more', async () => {
  const answers = new Answers({ ...LIMITS, maxHttpAnswerBytes: 1 })
  const gone = { aborted: false, write: async () => Promise.reject(new Error('gone')) }
  await expect(answers.event(gone as unknown as StreamingApi, changeOf(1))).rejects.toThrow('gone')
  expect(answers.isFull).toBe(false)
})
