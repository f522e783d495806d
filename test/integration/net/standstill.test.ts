/** This process stands still while what others sent lies in the socket: both ends are here, one has said what it had to. */
import { expect, test } from 'vitest'
import { frame } from '../../../src/net/framing.ts'
import { PROTOCOL_IDS } from '../../../src/net/protocols.ts'
import { holdLoop } from '../../unit/net/hold-loop.ts'
import { kept } from './kept.ts'
import { rawPeer } from './raw-peer.ts'
import { joined, open, type Scripted, want } from './scripted.ts'

const { keep, node } = kept()

/** What is asked is answered with so many bytes, and once the answer has left all stands still. */
async function answeredInTime(bytes: number, heldMs: number) {
  const [a, b] = [await node(), await node()]
  await joined(a, b)
  b.onRequest = ({ id }) => {
    b.transport.replyBlock(id, new Uint8Array(bytes))
    void holdLoop(heldMs)
  }
  const asked = a.ask(b.id, want, 200)
  await a.until('an end', () => a.of('reply').length + a.of('requestFailed').length > 0)
  b.onRequest = ({ id }) => b.transport.replyBlock(id, undefined)
  const next = a.ask(b.id, want)
  await a.until('the next', () => a.of('reply').length + a.of('requestFailed').length > 1)
  expect(a.of('requestFailed')).toEqual([])
  expect(a.of('reply').map(({ id }) => id)).toEqual([asked, next])
}

test('an answer that lies in the socket when the time is over was in time', async () => {
  await answeredInTime(1_000, 400)
})

test('of an answer longer than a window the rest comes after that, and is waited for', async () => {
  await answeredInTime(256 * 1_024, 1_500)
})

/** A stranger's question, half of which has been read; `rest` sends the other half. */
async function halfRead() {
  const b = await node({ limits: { admitDeadlineMs: 200 } })
  const raw = keep(await rawPeer())
  await raw.dial(b.address)
  await b.event('connected')
  await raw.identified()
  const stream = await raw.stream(PROTOCOL_IDS.admit)
  const whole = frame([raw.encode(open)], 1_000).subarray()
  const received = b.bytes.received
  stream.send(whole.subarray(0, 10))
  await b.until('half of it', () => b.bytes.received > received)
  return { b, raw, rest: () => void stream.send(whole.subarray(10)) }
}

const asked = async (b: Scripted) => {
  await b.until('an end', () => b.of('request').length + b.of('misbehaved').length > 0)
  expect(b.of('misbehaved')).toEqual([])
  expect(b.of('request')).toMatchObject([{ request: open }])
}

test('a question whose rest lies in the socket is no fault of who asks', async () => {
  const { b, rest } = await halfRead()
  await holdLoop(400, rest)
  await asked(b)
})

test('nor is one whose rest did not fit in there, if it comes soon after', async () => {
  const { b, rest } = await halfRead()
  await holdLoop(1_500)
  for (let turns = 0; turns < 5; turns += 1) await holdLoop(0)
  rest()
  await asked(b)
})

test('what does not come then either is one', async () => {
  const { b, raw } = await halfRead()
  await holdLoop(1_500)
  expect(await b.event('misbehaved')).toMatchObject({ peer: raw.id, code: 'LIMIT_TIMEOUT' })
})
