/** What a seed may keep for long, and what cannot wait, go over the same few streams. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { ReleaseId } from '../../../src/model/ids.ts'
import type { AnyRequest } from '../../../src/model/messages.ts'
import { kept } from './kept.ts'
import { connect, type Scripted } from './scripted.ts'

const { node } = kept()
const AT_ONCE = LIMITS.maxStreams.publish

const waits = (digit: string): AnyRequest => ({
  protocol: 'publish',
  message: { type: 'await', release: digit.padEnd(64, '0') as ReleaseId },
})
const lease: AnyRequest = { protocol: 'publish', message: { type: 'lease', envelope: new Uint8Array([1]) } }
const free: AnyRequest = {
  protocol: 'publish',
  message: { type: 'free', release: 'f'.repeat(64) as ReleaseId },
}
const noted = { protocol: 'publish', message: { type: 'noted' } } as const

/** Two seeds; the second keeps each `await`, and answers all else. */
async function seeds(): Promise<[Scripted, Scripted]> {
  const [a, b] = [await node(), await node()]
  b.onRequest = ({ id, request }) => {
    if (request.message.type !== 'await') b.transport.perform({ kind: 'reply', id, reply: noted })
  }
  await connect(a, b)
  return [a, b]
}

/** So many, one after another, until the other side has them. */
async function kepts(a: Scripted, b: Scripted, many: number): Promise<number[]> {
  const ids: number[] = []
  for (let at = 0; at < many; at += 1) {
    ids.push(a.ask(b.id, waits(`${at}`), LIMITS.publishDeadlineMs))
    await b.until('it is asked', () => b.of('request').length === ids.length)
  }
  return ids
}

const replied = (at: Scripted, id: number) => at.event('reply', (event) => event.id === id)

test.each([
  ['lease', lease],
  ['free', free],
])(
  'where every stream is kept the first question gives way to a `%s`, and the others stay',
  async (_, request) => {
    const [a, b] = await seeds()
    const [first, ...others] = await kepts(a, b, AT_ONCE)
    await replied(a, a.ask(b.id, request, LIMITS.leaseAskMs))
    await replied(a, a.ask(b.id, request, LIMITS.leaseAskMs))
    expect(a.of('requestFailed')).toMatchObject([{ id: first, code: 'LIMIT_STREAMS' }])
    for (const { id } of b.of('request')) b.transport.perform({ kind: 'reply', id, reply: noted })
    for (const id of others) await replied(a, id)
    const again = a.ask(b.id, waits('0'))
    await b.until('it is asked again', () => b.of('request').length === AT_ONCE + 3)
    b.transport.perform({ kind: 'reply', id: b.of('request').at(-1)?.id as number, reply: noted })
    await replied(a, again)
  },
)

test('none gives way where a stream is left', async () => {
  const [a, b] = await seeds()
  await kepts(a, b, AT_ONCE - 1)
  const asked = Array.from({ length: 3 }, () => a.ask(b.id, lease))
  for (const id of asked) await replied(a, id)
  expect(a.of('requestFailed')).toEqual([])
})

test('nor to one that may be kept itself: that waits for its turn', async () => {
  const [a, b] = await seeds()
  await kepts(a, b, AT_ONCE)
  const next = a.ask(b.id, waits('9'))
  const { id } = b.of('request')[0] as { id: number }
  expect(b.of('request')).toHaveLength(AT_ONCE)
  b.transport.perform({ kind: 'reply', id, reply: noted })
  await b.until('it is asked', () => b.of('request').length === AT_ONCE + 1)
  b.transport.perform({ kind: 'reply', id: b.of('request').at(-1)?.id as number, reply: noted })
  await replied(a, next)
  expect(a.of('requestFailed')).toEqual([])
})
