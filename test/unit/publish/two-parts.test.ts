/** An upload of which two parts fail at once: which of the two the publisher is told. */
import { expect, test, vi } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest } from '../../../src/model/ids.ts'
import type { PublishReply } from '../../../src/model/messages.ts'
import { submitToFirst } from '../../../src/publish/submit.ts'
import { make } from '../core/fleet.ts'
import { FakeSeed } from './fake-seed.ts'

const made = make({ clock: { alice: 1 } })
const submission = {
  release: made.id,
  envelope: made.envelope,
  content: { bytes: 0, read: async (digest: Digest) => made.content.get(digest) },
}
const parts = [...made.content.keys()]
const late = { type: 'refused', code: 'ORDER_PLACE_TAKEN', text: 'the upload has ended' } as const
const full = { type: 'refused', code: 'STORE_FULL', text: 'no room' } as const
const taken = { ...late, envelope: made.envelope }

/** The parts are answered one after another, the one named first before the other. */
function answering(first: 0 | 1, answers: readonly PublishReply[]): FakeSeed {
  const seed = new FakeSeed('a')
  const ask = seed.ask.bind(seed)
  const told = Promise.withResolvers<void>()
  vi.spyOn(seed, 'ask').mockImplementation(async (request) => {
    if (request.type === 'submit') return { type: 'need', pages: [], blocks: parts }
    if (request.type !== 'block') return ask(request)
    const isFirst = sha256(request.bytes) === parts[first]
    if (!isFirst) await told.promise
    else setImmediate(told.resolve)
    return answers[isFirst ? 0 : 1] as PublishReply
  })
  return seed
}

test.each([
  ['the first of two causes', [full, taken], 'STORE_FULL'],
  ['the proof of a place that is taken, before another cause', [taken, full], 'ORDER_PLACE_TAKEN'],
  ['the cause, where the other part only came too late', [full, late], 'STORE_FULL'],
  ['and also where that was answered before', [late, full], 'STORE_FULL'],
  ['that it came too late, where nothing else is said', [late, late], 'ORDER_PLACE_TAKEN'],
])('Where two parts fail the publisher is told %s', async (_, answers, code) => {
  for (const first of [0, 1] as const)
    await expect(
      submitToFirst([answering(first, answers)], submission, { limits: LIMITS }),
    ).rejects.toMatchObject({ code })
})
