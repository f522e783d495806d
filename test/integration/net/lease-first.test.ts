/** What a peer may keep for long, and what cannot wait, go over the same few streams. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, ReleaseId } from '../../../src/model/ids.ts'
import type { AnyRequest } from '../../../src/model/messages.ts'
import { kept } from './kept.ts'
import { connect, joined, type Scripted, want } from './scripted.ts'

const { node } = kept()
/** All streams but the one that is left. */
const AT_ONCE = LIMITS.maxStreams.publish - 1

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
async function kepts(
  a: Scripted,
  b: Scripted,
  many: number,
  of = (at: number): AnyRequest => waits(`${at}`),
): Promise<number[]> {
  const ids: number[] = []
  for (let at = 0; at < many; at += 1) {
    ids.push(a.ask(b.id, of(at), LIMITS.publishDeadlineMs))
    await b.until('it is asked', () => b.of('request').length === ids.length)
  }
  return ids
}

const replied = (at: Scripted, id: number) => at.event('reply', (event) => event.id === id)

test.each([
  ['lease', lease],
  ['free', free],
])('where all others are kept a `%s` has a stream left, also behind more that wait', async (_, request) => {
  const [a, b] = await seeds()
  const ids = await kepts(a, b, AT_ONCE)
  const waiting = a.ask(b.id, waits('9'))
  for (let at = 0; at < 2; at += 1) await replied(a, a.ask(b.id, request, LIMITS.leaseAskMs))
  for (const { id } of b.of('request').slice(0, AT_ONCE))
    b.transport.perform({ kind: 'reply', id, reply: noted })
  for (const id of ids) await replied(a, id)
  await b.until('what waited is asked', () => b.of('request').length === AT_ONCE + 3)
  b.transport.perform({ kind: 'reply', id: b.of('request').at(-1)?.id as number, reply: noted })
  await replied(a, waiting)
  expect(a.of('requestFailed')).toEqual([])
})

test('that one is not taken by those that may be kept, and what cannot wait goes before them', async () => {
  const [a, b] = await seeds()
  b.onRequest = () => {}
  await kepts(a, b, AT_ONCE)
  a.ask(b.id, lease, LIMITS.publishDeadlineMs)
  await b.until('the first is asked', () => b.of('request').length === AT_ONCE + 1)
  const waiting = a.ask(b.id, waits('9'), LIMITS.publishDeadlineMs)
  const second = a.ask(b.id, lease, LIMITS.publishDeadlineMs)
  b.transport.perform({ kind: 'reply', id: b.of('request').at(-1)?.id as number, reply: noted })
  await b.until('the second is asked', () => b.of('request').length === AT_ONCE + 2)
  expect(b.of('request').at(-1)?.request.message.type).toBe('lease')
  b.transport.perform({ kind: 'reply', id: b.of('request').at(-1)?.id as number, reply: noted })
  await replied(a, second)
  expect(b.of('request')).toHaveLength(AT_ONCE + 2)
  b.transport.perform({ kind: 'reply', id: b.of('request')[0]?.id as number, reply: noted })
  await b.until('what may be kept is asked', () => b.of('request').length === AT_ONCE + 3)
  b.transport.perform({ kind: 'reply', id: b.of('request').at(-1)?.id as number, reply: noted })
  await replied(a, waiting)
})

test('where as many wants stand as may be asked at once, a `holds` gets there: it says that its sender lives', async () => {
  const [a, b] = [await node(), await node()]
  b.onRequest = () => {}
  await joined(a, b)
  const many = LIMITS.maxStreams.blocks - 1
  expect(many).toBeGreaterThanOrEqual(LIMITS.maxWantsPerSeed)
  await kepts(a, b, many, () => want)
  a.ask(b.id, want, LIMITS.blockDeadlineMs)
  const release = 'f'.repeat(64) as ReleaseId
  const message = { type: 'holds', release, channel: 'a' as Channel, whole: false } as const
  a.ask(b.id, { protocol: 'blocks', message }, LIMITS.standMs)
  await b.until('it is told', () => b.of('request').at(-1)?.request.message.type === 'holds')
})
