/** Connections are kept for the next question, and a node ends one that idled just as it may be asked. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { get, text } from '../../../src/client/transport.ts'

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
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi')
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

test('a new connection that ends without an answer is a node that cannot be reached', async () => {
  const { url, asked } = await answering(0)
  await expect(ask(url)).rejects.toMatchObject({ code: 'NET_UNREACHABLE' })
  expect(asked).toEqual([0])
})
