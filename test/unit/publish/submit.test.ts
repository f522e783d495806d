/** The upload to a seed and the wait for its word: how long, at which seed, and over how many connections. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { MeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest, PeerId } from '../../../src/model/ids.ts'
import type { PublishReply } from '../../../src/model/messages.ts'
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

test('A seed that never says that the release is held is followed by the next, and each wait is told', async () => {
  const [mute, other] = [lacking('a'), lacking('b')]
  slow(mute, 1_000, 20_000)
  other.next.set('submit', [{ type: 'done', verdict: 'DUPLICATE', acknowledgedBy: [other.peer] }])
  const waits: number[] = []
  const lost: unknown[] = []
  const done = await submitToFirst([mute, other], submission(4 * GIB), {
    limits: LIMITS,
    onWait: (seed, waitedMs) => waits.push(seed === mute.peer ? waitedMs : -1),
    onLost: (seed, { code }) => lost.push([seed, code]),
  })
  const { acknowledgeMs, acknowledgeMsPerMib, publishIdleMs } = LIMITS
  const allowedMs = acknowledgeMs + 4_096 * acknowledgeMsPerMib + publishIdleMs
  const told = Math.floor(allowedMs / 20_000)
  expect(asks(mute, 'await')).toBe(told + 1)
  expect(waits).toEqual(Array.from({ length: told }, (_, index) => (index + 1) * 20_000))
  expect(lost).toEqual([[mute.peer, 'NET_TIMEOUT']])
  expect(other.asked).toEqual(['submit'])
  expect(done.acknowledgedBy).toEqual([other.peer])
})

test('While a seed brings it to a second one, no other is sent the same', async () => {
  const [seed, other] = [lacking('a'), lacking('b')]
  slow(seed, 50, 20_000)
  await submitToFirst([seed, other], submission(4 * GIB), { limits: LIMITS })
  expect(other.asked).toEqual([])
})

const cut = () => new MeshError('NET_UNREACHABLE', 'the connection is gone')

/** Takes each dial, and counts them. */
function redialled(seed: FakeSeed) {
  const counting = Object.assign(seed, {
    dialled: 0,
    redial: async () => {
      counting.dialled += 1
    },
  })
  return counting
}

test('A seed that has a part of it is dialled again when the connection is cut, in the upload and after it', async () => {
  const [seed, other] = [redialled(lacking('a')), lacking('b')]
  seed.next.set('block', [cut()])
  seed.next.set('await', [cut()])
  const limits = { ...LIMITS, redialMinMs: 1 }
  const done = await submitToFirst([seed, other], submission(), { limits })
  expect([done.acknowledgedBy, seed.dialled, asks(seed, 'page'), asks(seed, 'submit')]).toEqual([
    [seed.peer],
    2,
    1,
    2,
  ])
  expect(other.asked).toEqual([])
})

test('So is one whose connection is lost without a word once it has taken something, and not before', async () => {
  const silent = () => new MeshError('NET_TIMEOUT', 'no answer')
  for (const at of ['submit', 'block', 'await'] as const) {
    const [seed, other] = [redialled(lacking('a')), lacking('b')]
    seed.next.set(at, [silent()])
    const limits = { ...LIMITS, redialMinMs: 1 }
    const done = await submitToFirst([seed, other], submission(), { limits })
    const isLeft = at === 'submit'
    expect([done.acknowledgedBy, seed.dialled]).toEqual([[isLeft ? other.peer : seed.peer], isLeft ? 0 : 1])
    expect(asks(seed, 'page')).toBe(isLeft ? 0 : 1)
  }
})

test('One that is silent to the new connection, too, is followed by the next at once', async () => {
  const [seed, other] = [lacking('a'), lacking('b')]
  seed.next.set('block', [new MeshError('NET_TIMEOUT', 'no answer')])
  let dialled = 0
  const dead = Object.assign(seed, {
    redial: async () => {
      dialled += 1
      throw new MeshError('NET_TIMEOUT', 'no answer')
    },
  })
  const limits = { ...LIMITS, redialMinMs: 1 }
  const done = await submitToFirst([dead, other], submission(), { limits })
  expect([done.acknowledgedBy, dialled]).toEqual([[other.peer], 1])
})

test('A seed that is restarted is dialled until it is back, ever later, in the upload and after it', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0)
  for (const at of ['block', 'await'] as const) {
    const [seed, other] = [lacking('a'), lacking('b')]
    seed.next.set(at, [cut()])
    const begun = performance.now()
    const dialledMs: number[] = []
    const restarted = Object.assign(seed, {
      redial: async () => {
        dialledMs.push(performance.now() - begun)
        if (dialledMs.length < 5) throw cut()
      },
    })
    const limits = { ...LIMITS, redialMinMs: 20 }
    const done = await submitToFirst([restarted, other], submission(), { limits })
    expect([done.acknowledgedBy, dialledMs.length, other.asked]).toEqual([[seed.peer], 5, []])
    // The sum of one to five.
    expect(dialledMs.at(-1)).toBeGreaterThanOrEqual(15 * limits.redialMinMs - 5)
  }
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
    expect([done.acknowledgedBy, dialled]).toEqual([[other.peer], at === 'submit' ? 0 : 5])
  }
})

test('A seed that ended its connection while it idled is dialled again when its turn comes, once', async () => {
  for (const [isUp, first] of [
    [true, 'dead'],
    [true, 'gone, too'],
    [false, 'dead'],
  ] as const) {
    const [seed, idle] = [lacking('a'), lacking('b')]
    seed.next.set('await', [cut()])
    idle.isGone = true
    seed.isGone = first === 'gone, too'
    let dialled = 0
    const redialled = Object.assign(idle, {
      redial: async () => {
        dialled += 1
        if (!isUp) throw cut()
        idle.isGone = false
      },
    })
    const dead = Object.assign(seed, { redial: () => Promise.reject(cut()) })
    const limits = { ...LIMITS, redialMinMs: 1 }
    const done = submitToFirst([dead, redialled], submission(), { limits })
    if (isUp) expect((await done).acknowledgedBy).toEqual([idle.peer])
    else await expect(done).rejects.toMatchObject({ code: 'NET_UNREACHABLE' })
    expect([dialled, asks(seed, 'submit')]).toEqual([1, seed.isGone ? 0 : 1])
  }
})

describe('a seed that is busy', () => {
  const busy = (times: number): PublishReply[] =>
    Array(times).fill({ type: 'refused', code: 'LIMIT_RATE', text: 'busy', retryAfterMs: 1 })

  test('is asked again when it says so, and takes it', async () => {
    const [seed, other] = [lacking('a'), lacking('b')]
    seed.next.set('submit', busy(2))
    const said: string[] = []
    const onBusy = (peer: PeerId, { code, message }: MeshError) => said.push(`${peer} ${code} ${message}`)
    const done = await submitToFirst([seed, other], submission(), { limits: LIMITS, onBusy })
    expect([done.acknowledgedBy, asks(seed, 'submit'), other.asked]).toEqual([[seed.peer], 3, []])
    expect(said).toEqual(Array(2).fill(`${seed.peer} LIMIT_RATE busy (said by seed ${seed.peer})`))
  })

  test('is followed by the next where it stays so, and says so where none is left', async () => {
    const [seed, other] = [lacking('a'), lacking('b')]
    for (const one of [seed, other]) one.next.set('submit', busy(6))
    await expect(submitToFirst([seed, other], submission(), { limits: LIMITS })).rejects.toMatchObject({
      code: 'LIMIT_RATE',
      details: { seed: other.peer },
    })
    expect([asks(seed, 'submit'), asks(other, 'submit')]).toEqual([6, 6])
    seed.next.set('submit', busy(6))
    const done = await submitToFirst([seed, other], submission(), { limits: LIMITS })
    expect([done.acknowledgedBy, asks(seed, 'submit')]).toEqual([[other.peer], 12])
  })
})

describe('a seed that cannot take it', () => {
  const full = { type: 'refused', code: 'STORE_FULL', text: 'no room' } as const
  const busy = { ...full, code: 'LIMIT_RATE', retryAfterMs: 60_000 } as const

  test.each([
    ['its disk is full at once', 'submit', full],
    ['its disk is full on the way', 'block', full],
    ['its disk is full at the end', 'await', full],
    ['its disk fails', 'page', { ...full, code: 'STORE_FAILED' } as const],
    ['it has no room for the channel', 'submit', { ...full, code: 'LIMIT_CHANNELS' } as const],
    ['it does not store the channel', 'submit', { ...full, code: 'ORDER_MISPLACED' } as const],
    ['others have staged all that it takes', 'block', busy],
    ['it takes none of other hosts', 'submit', { ...full, code: 'ADMIT_REFUSED' } as const],
    ['a release is over a limit of its own', 'block', { ...full, code: 'LIMIT_CONTENT' } as const],
    ['it takes shorter envelopes', 'submit', { ...full, code: 'LIMIT_BYTES' } as const],
    ['it looks at fewer signatures', 'submit', { ...full, code: 'LIMIT_SIGNATURES' } as const],
    ['it lacks the root', 'submit', { ...full, code: 'ORDER_AHEAD' } as const],
    ['it began after that root', 'submit', { ...full, code: 'TRUST_ROOT_GAP' } as const],
  ] as const)('is followed by the next one, with the same envelope: %s', async (_, at, refused) => {
    const [seed, other] = [lacking('a'), lacking('b')]
    seed.next.set(at, [refused])
    const lost: unknown[] = []
    const done = await submitToFirst([seed, other], submission(), {
      limits: LIMITS,
      onLost: (peer, { code }) => lost.push([peer, code]),
    })
    expect(done.acknowledgedBy).toEqual([other.peer])
    expect(other.submitted).toEqual(made.envelope)
    expect(lost).toEqual([[seed.peer, refused.code]])
  })

  test('says why where no other is left', async () => {
    const [seed, other] = [lacking('a'), lacking('b')]
    seed.next.set('submit', [cut()])
    other.next.set('submit', [full])
    await expect(submitToFirst([seed, other], submission(), { limits: LIMITS })).rejects.toMatchObject({
      code: 'STORE_FULL',
    })
  })

  test('says that none stores the channel where each says so', async () => {
    const seeds = [lacking('a'), lacking('b')]
    for (const seed of seeds) seed.next.set('submit', [{ ...full, code: 'ORDER_MISPLACED' }])
    const done = submitToFirst(seeds, submission(), { limits: LIMITS })
    await expect(done).rejects.toMatchObject({ code: 'ORDER_MISPLACED', details: { seed: seeds[1]?.peer } })
  })

  test('What a seed refuses of the release itself is refused: no other is asked', async () => {
    for (const code of ['ORDER_STALE', 'TRUST_UNAUTHORISED', 'CONTENT_PATH']) {
      const [seed, other] = [lacking('a'), lacking('b')]
      seed.next.set('submit', [{ ...full, code }])
      const done = submitToFirst([seed, other], submission(), { limits: LIMITS })
      await expect(done).rejects.toMatchObject({ code })
      expect(other.asked).toEqual([])
    }
  })
})

test('A seed that dies once it has all of it is followed by the next, which is sent what it lacks', async () => {
  for (const hasIt of [false, true]) {
    const [seed, other] = [lacking('a'), lacking('b')]
    seed.next.set('await', [cut()])
    if (hasIt)
      other.next.set('submit', [{ type: 'done', verdict: 'DUPLICATE', acknowledgedBy: [other.peer] }])
    const dead = Object.assign(seed, { redial: () => Promise.reject(cut()) })
    const progress: number[] = []
    const lost: unknown[] = []
    const done = await submitToFirst([dead, other], submission(), {
      limits: { ...LIMITS, redialMinMs: 1 },
      onProgress: (bytes) => progress.push(bytes),
      onLost: (peer, { code }) => lost.push([peer, code]),
    })
    const bytes = [...made.content.values()].map(({ length }) => length)
    const each = bytes.map((_, index) => bytes.slice(0, index + 1).reduce((sum, one) => sum + one, 0))
    expect(done.acknowledgedBy).toEqual([other.peer])
    expect(progress).toEqual(hasIt ? each : [...each, ...each])
    expect(done.uploadedBytes).toBe((each.at(-1) ?? 0) * (hasIt ? 1 : 2))
    expect(lost).toEqual([[seed.peer, 'NET_UNREACHABLE']])
  }
})

test('Where no seed is left, the last one says why', async () => {
  const [seed, other] = [lacking('a'), lacking('b')]
  seed.next.set('await', [cut()])
  other.next.set('submit', [new MeshError('NET_TIMEOUT', 'silent')])
  await expect(submitToFirst([seed, other], submission(), { limits: LIMITS })).rejects.toMatchObject({
    code: 'NET_TIMEOUT',
  })
})

test('an upload that the seed has ended is begun again, and goes on', async () => {
  const late: PublishReply = { type: 'refused', code: 'ORDER_PLACE_TAKEN', text: 'the upload has ended' }
  const seed = lacking('a')
  seed.next.set('page', [late])
  const calm = lacking('b')
  for (const one of [seed, calm]) await submitToFirst([one], submission(), { limits: LIMITS })
  expect(asks(seed, 'submit')).toBe(asks(calm, 'submit') + 1)
})

describe.each([
  ['was restarted before it had all of it on disk', 'FETCH_UNAVAILABLE'],
  ['lost a block that it had counted on', 'CONTENT_GONE'],
] as const)('a seed that %s', (_, code) => {
  const forgotten = { type: 'refused', code, text: 'bring it again' } as const

  test('is brought it again', async () => {
    const [seed, other] = [lacking('a'), lacking('b')]
    seed.next.set('await', [forgotten])
    const done = await submitToFirst([seed, other], submission(), { limits: LIMITS })
    expect([done.acknowledgedBy, asks(seed, 'submit'), other.asked]).toEqual([[seed.peer], 2, []])
  })

  test('is followed by the next where it forgets it each time', async () => {
    const [seed, other] = [lacking('a'), lacking('b')]
    seed.next.set('await', Array(9).fill(forgotten))
    const lost: unknown[] = []
    const done = await submitToFirst([seed, other], submission(), {
      limits: LIMITS,
      onLost: (peer, { code: said }) => lost.push([peer, said]),
    })
    expect([done.acknowledgedBy, asks(seed, 'submit')]).toEqual([[other.peer], 3])
    expect(lost).toEqual([[seed.peer, code]])
  })
})

test('Where no seed has the root, that is told', async () => {
  const seeds = [lacking('a'), lacking('b')]
  for (const seed of seeds)
    seed.next.set('submit', [{ type: 'refused', code: 'ORDER_AHEAD', text: 'root 2' }])
  const done = submitToFirst(seeds, submission(), { limits: LIMITS })
  await expect(done).rejects.toMatchObject({ code: 'ORDER_AHEAD', details: { seed: seeds[1]?.peer } })
})

describe('content that is at the seeds alone', () => {
  const atSeeds = { ...submission(), content: { bytes: 0, read: async () => undefined } }

  test('A seed that lacks some of it is followed by the next, which has it', async () => {
    const [seed, other] = [lacking('a'), new FakeSeed('b')]
    const lost: unknown[] = []
    const done = await submitToFirst([seed, other], atSeeds, {
      limits: LIMITS,
      onLost: (peer, { code }) => lost.push([peer, code]),
    })
    expect(done).toMatchObject({ acknowledgedBy: [other.peer], uploadedBytes: 0 })
    expect(lost).toEqual([[seed.peer, 'CONTENT_GONE']])
  })

  test('Where every seed lacks it, the error names them and says what to do', async () => {
    const [seed, other] = [lacking('a'), lacking('b')]
    const error = await submitToFirst([seed, other], atSeeds, { limits: LIMITS }).catch((one) => one)
    expect(error).toMatchObject({ code: 'CONTENT_GONE' })
    expect(error.message).toContain(`${seed.peer}, ${other.peer}`)
    expect(error.message).toContain('publish the files instead')
  })

  test('Where one that is silent may have it, the silence is told: it may pass', async () => {
    for (const silentAt of [0, 1]) {
      const seeds = [lacking('a'), lacking('b')]
      seeds[silentAt]?.next.set('submit', [cut()])
      await expect(submitToFirst(seeds, atSeeds, { limits: LIMITS })).rejects.toMatchObject({
        code: 'NET_UNREACHABLE',
      })
    }
  })
})
