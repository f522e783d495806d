/** This process stands still while what others sent lies in the socket: both ends are here, one has said what it had to. */
import { afterEach, expect, test } from 'vitest'
import { holdLoop } from '../../unit/net/hold-loop.ts'
import { joined, Scripted, type ScriptOptions, want } from './scripted.ts'

const running: { stop(): Promise<void> }[] = []
const keep = <T extends { stop(): Promise<void> }>(started: T): T => {
  running.push(started)
  return started
}
const node = async (options?: ScriptOptions): Promise<Scripted> => keep(await Scripted.start(options))
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()))
})

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
