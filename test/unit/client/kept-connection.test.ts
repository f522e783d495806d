/** Connections are kept for the next question, and a node ends one that idled just as it may be asked. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { get, text } from '../../../src/client/transport.ts'

const WHOLE = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'
const OPTIONS = { timeoutMs: 20_000, silenceMs: 20_000 }
let server: Server
afterEach(() => server.close())

/** Answers so many questions on each connection, and ends it at the next. @returns what it was asked on, in this order */
async function answering(most: number): Promise<{ readonly url: string; readonly asked: number[] }> {
  const asked: number[] = []
  let connections = 0
  server = createServer((socket) => {
    const [own, before] = [connections++, asked.length]
    socket.on('data', () => {
      asked.push(own)
      if (asked.length - before > most) socket.resetAndDestroy()
      else socket.write(WHOLE)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

const ask = async (url: string): Promise<string> => text(await get({ url }, '/', OPTIONS), 100, 20_000)

test('what was asked on a connection that just ended is asked on a new one', async () => {
  const { url, asked } = await answering(1)
  expect([await ask(url), await ask(url)]).toEqual(['hi', 'hi'])
  expect(asked).toEqual([0, 0, 1])
})

test('an answer that ends in the middle is its reader’s to hear of: nothing is asked again', async () => {
  let asked = 0
  server = createServer((socket) => {
    socket.on('data', () => {
      asked += 1
      if (asked === 1) socket.write(WHOLE)
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh', () => socket.resetAndDestroy())
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  expect(await ask(url)).toBe('hi')
  const half = await get({ url }, '/', OPTIONS)
  await expect(text(half, 100, 20_000)).rejects.toMatchObject({ code: 'NET_UNREACHABLE' })
  // what is asked after that is the third, not the fourth
  await ask(url).catch(() => undefined)
  expect(asked).toBe(3)
})

test('a new connection that ends without an answer is a node that cannot be reached', async () => {
  const { url, asked } = await answering(0)
  await expect(ask(url)).rejects.toMatchObject({ code: 'NET_UNREACHABLE' })
  expect(asked).toEqual([0])
})
