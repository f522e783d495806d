import { afterEach, expect, test, vi } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { MeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest } from '../../../src/model/ids.ts'
import { submitToFirst } from '../../../src/publish/submit.ts'
import { make } from '../core/fleet.ts'
import { FakeSeed } from './fake-seed.ts'

const made = make({ clock: { alice: 1 } })

afterEach(() => {
  vi.restoreAllMocks()
})

test('A seed that takes the dial and is silent again, or takes one part each time, is not dialled for ever', async () => {
  const silent = () => new MeshError('NET_TIMEOUT', 'no answer')
  const parts = Array.from({ length: 20 }, (_, n) => Uint8Array.of(n))
  const content = new Map(parts.map((part) => [sha256(part), part]))
  for (const isTrickling of [false, true]) {
    const [seed, other] = [new FakeSeed('a'), new FakeSeed('b')]
    for (const one of [seed, other]) one.need = { pages: [], blocks: [...content.keys()] }
    const ask = seed.ask.bind(seed)
    let left = 1
    vi.spyOn(seed, 'ask').mockImplementation((request) => {
      if (request.type === 'block' && --left < 0) throw silent()
      return ask(request)
    })
    let dialled = 0
    const redial = async () => {
      dialled += 1
      left = isTrickling ? 1 : 0
    }
    const limits = { ...LIMITS, redialMinMs: 1 }
    const all = {
      ...{ release: made.id, envelope: made.envelope },
      content: { bytes: 20, read: async (digest: Digest) => content.get(digest) },
    }
    const done = await submitToFirst([Object.assign(seed, { redial }), other], all, { limits })
    expect([done.acknowledgedBy, dialled]).toEqual([[other.peer], isTrickling ? 5 : 1])
  }
})

test.each([
  ['enough between, is dialled each time', 16, 'a', 7],
  ['less between, though enough in all, is left', 4, 'b', 5],
] as const)('A seed that is silent again and again, and takes %s', async (_, mib, taker, dials) => {
  const content = new Map<Digest, Uint8Array>()
  for (let n = 0; n < 8; n += 1) {
    const part = new Uint8Array(mib * 2 ** 20).fill(n, 0, 1)
    content.set(sha256(part), part)
  }
  const [seed, other] = [new FakeSeed('a'), new FakeSeed('b')]
  for (const one of [seed, other]) one.need = { pages: [], blocks: [...content.keys()] }
  const ask = seed.ask.bind(seed)
  let left = 1
  vi.spyOn(seed, 'ask').mockImplementation(async (request) => {
    if (request.type === 'block' && --left < 0) throw new MeshError('NET_TIMEOUT', 'no answer')
    return ask(request)
  })
  const redial = vi.fn(async () => {
    left = 1
  })
  const all = {
    ...{ release: made.id, envelope: made.envelope },
    content: { bytes: 8 * mib * 2 ** 20, read: async (digest: Digest) => content.get(digest) },
  }
  const limits = { ...LIMITS, redialMinMs: 1 }
  const done = await submitToFirst([Object.assign(seed, { redial }), other], all, { limits })
  expect([done.acknowledgedBy, redial.mock.calls.length]).toEqual([[`12D3KooW${taker}`], dials])
})
