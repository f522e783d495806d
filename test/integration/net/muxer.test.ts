import { afterEach, expect, test } from 'vitest'
import { joined, Scripted, want } from './scripted.ts'

const running: Scripted[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((node) => node.stop()))
})

async function pair(): Promise<[Scripted, Scripted]> {
  const [a, b] = [await Scripted.start(), await Scripted.start()]
  running.push(a, b)
  await joined(a, b)
  return [a, b]
}

/** Twelve bytes of yamux, sixteen of noise's tag, two of its length. */
const UPDATE_BYTES = 30

test('small messages draw no window update', async () => {
  const [a, b] = await pair()
  b.onRequest = ({ id }) => b.transport.replyBlock(id, undefined)
  const ask = async () => {
    const id = a.ask(b.id, want)
    await a.event('reply', (event) => event.id === id)
  }
  await ask()
  const before = b.bytes.sent
  await ask()
  const answerBytes = b.bytes.sent - before
  for (let round = 0; round < 20; round += 1) await ask()
  expect(b.bytes.sent - before).toBeLessThan(21 * answerBytes + 20 * UPDATE_BYTES)
  expect(answerBytes).toBeLessThan(2 * UPDATE_BYTES)
})

test('a stream carries many times its window', async () => {
  const [a, b] = await pair()
  const bytes = new Uint8Array(262_144).fill(7)
  b.onRequest = ({ id }) => b.transport.replyBlock(id, bytes)
  for (let round = 0; round < 16; round += 1) {
    const id = a.ask(b.id, want)
    const { reply } = await a.event('reply', (event) => event.id === id)
    expect(reply).toEqual({ protocol: 'blocks', message: { type: 'block', bytes } })
  }
})
