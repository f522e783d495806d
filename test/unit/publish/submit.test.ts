/** The upload to a seed and the wait for its word: how long, at which seed, and over how many connections. */
import { afterEach, expect, test, vi } from 'vitest'
import { MeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest } from '../../../src/model/ids.ts'
import { submitToFirst } from '../../../src/publish/submit.ts'
import { make } from '../core/fleet.ts'
import { FakeSeed } from './fake-seed.ts'

const made = make({ clock: { alice: 1 } })
const [page, block] = [...made.content.keys()] as [Digest, Digest]
const GIB = 2 ** 30

const submission = (bytes = 0) => ({
  release: made.id,
  envelope: made.envelope,
  content: { bytes, read: async (digest: Digest) => made.content.get(digest) },
})

function lacking(name: string): FakeSeed {
  const seed = new FakeSeed(name)
  seed.need = { pages: [page], blocks: [block] }
  return seed
}

const asks = (seed: FakeSeed, type: string): number => seed.asked.filter((one) => one === type).length

/** Every answer “not yet” takes so long. */
function slow(seed: FakeSeed, answers: number, eachMs: number): void {
  let nowMs = 0
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
  const ask = seed.ask.bind(seed)
  vi.spyOn(seed, 'ask').mockImplementation((request) => {
    if (request.type === 'await') nowMs += eachMs
    return ask(request)
  })
  seed.next.set(
    'await',
    Array.from({ length: answers }, () => ({ type: 'noted' as const })),
  )
}

afterEach(() => {
  vi.restoreAllMocks()
})

test('The second seed may pull for as long as the first one waits for it, which goes by the bytes', async () => {
  const seed = lacking('a')
  // 4 GiB are 1,039 s.
  slow(seed, 50, 20_000)
  const done = await submitToFirst([seed], submission(4 * GIB), { limits: LIMITS })
  expect(done.acknowledgedBy).toEqual([seed.peer])
})

test('A seed that never says that the release is held is given up, and no other is sent what it has', async () => {
  const [mute, other] = [lacking('a'), lacking('b')]
  slow(mute, 1_000, 20_000)
  await expect(submitToFirst([mute, other], submission(4 * GIB), { limits: LIMITS })).rejects.toMatchObject({
    code: 'NET_TIMEOUT',
  })
  const { acknowledgeMs, acknowledgeMsPerMib, publishIdleMs } = LIMITS
  const allowedMs = acknowledgeMs + 4_096 * acknowledgeMsPerMib + publishIdleMs
  expect(asks(mute, 'await')).toBe(Math.floor(allowedMs / 20_000) + 1)
  expect(other.asked).toEqual([])
})

const cut = () => new MeshError('NET_UNREACHABLE', 'the connection is gone')

test('A seed that has a part of it is dialled again when the connection is cut, in the upload and after it', async () => {
  const [seed, other] = [lacking('a'), lacking('b')]
  seed.next.set('block', [cut()])
  seed.next.set('await', [cut()])
  let dialled = 0
  const redialled = Object.assign(seed, {
    redial: async () => {
      dialled += 1
    },
  })
  const limits = { ...LIMITS, redialMinMs: 1 }
  const done = await submitToFirst([redialled, other], submission(), { limits })
  expect([done.acknowledgedBy, dialled, asks(seed, 'page'), asks(seed, 'submit')]).toEqual([
    [seed.peer],
    2,
    1,
    2,
  ])
  expect(other.asked).toEqual([])
})

test('A seed that cannot be reached again, or had nothing yet, is followed by the next', async () => {
  for (const at of ['submit', 'block'] as const) {
    const [seed, other] = [lacking('a'), lacking('b')]
    seed.next.set(at, [cut()])
    let dialled = 0
    const gone = Object.assign(seed, {
      redial: async () => {
        dialled += 1
        throw cut()
      },
    })
    const limits = { ...LIMITS, redialMinMs: 1 }
    const done = await submitToFirst([gone, other], submission(), { limits })
    expect([done.acknowledgedBy, dialled]).toEqual([[other.peer], at === 'submit' ? 0 : 2])
  }
})
