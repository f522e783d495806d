import { once } from 'node:events'
import { type AddressInfo, createServer, Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { gatherWrites } from '../../../src/net/gathered-writes.ts'

const opened: { destroy(): void }[] = []
afterEach(() => {
  for (const socket of opened.splice(0)) socket.destroy()
})

/** A connection as TCP gives it, and what the system was handed: one number of parts for each write. */
async function connection() {
  const server = createServer((socket) => opened.push(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = new Socket()
  opened.push(socket, { destroy: () => server.close() })
  const writes: number[] = []
  const { _writev: writev } = socket as unknown as { _writev: (parts: unknown[], done: () => void) => void }
  Object.assign(socket, {
    _write: () => writes.push(1),
    _writev: (parts: unknown[], done: () => void) => {
      writes.push(parts.length)
      writev.call(socket, parts, done)
    },
  })
  socket.connect((server.address() as AddressInfo).port, '127.0.0.1')
  const arrived = once(server, 'connection') as Promise<[Socket]>
  await once(socket, 'connect')
  const [other] = await arrived
  const over = { socket, sendData: (_data: Iterable<Uint8Array>) => ({ sentBytes: 0, canSendMore: true }) }
  let turns = 0
  gatherWrites(over as never, () => {
    turns += 1
  })
  const send = (...parts: Uint8Array[]) =>
    over.sendData(Object.assign(parts, { byteLength: Buffer.concat(parts).byteLength }) as never)
  return { socket, other, writes, send, turns: () => turns }
}

async function read(from: Socket, bytes: number): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of from) {
    parts.push(part as Buffer)
    if (Buffer.concat(parts).byteLength >= bytes) break
  }
  return Buffer.concat(parts)
}

test('what is sent in one turn is one write, in its order', async () => {
  const { other, writes, send, turns } = await connection()
  send(Buffer.from('a'), Buffer.from('bc'))
  send(Buffer.from('d'))
  expect(String(await read(other, 4))).toBe('abcd')
  expect(writes).toEqual([3])
  expect(turns()).toBe(1)
  send(Buffer.from('e'), Buffer.from('f'))
  await expect.poll(() => writes).toEqual([3, 2])
})

test('all of it is taken, and whoever sends is told when the socket is full', async () => {
  const { socket, other, send } = await connection()
  const parts = Array.from({ length: 5 }, (_, at) => Buffer.alloc(65_519, at))
  expect(send(...parts)).toEqual({ sentBytes: 5 * 65_519, canSendMore: false })
  const drained = once(socket, 'drain')
  expect((await read(other, 5 * 65_519)).equals(Buffer.concat(parts))).toBe(true)
  await drained
  expect(send(Buffer.from('more'))).toEqual({ sentBytes: 4, canSendMore: true })
})
