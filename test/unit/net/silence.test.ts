import { EventEmitter } from 'node:events'
import { expect, test } from 'vitest'
import type { TcpConnection } from '../../../src/net/meter.ts'
import { SILENT_LOOKS, Silence } from '../../../src/net/silence.ts'

function connection() {
  const socket = Object.assign(new EventEmitter(), { bytesRead: 0 })
  const ended: Error[] = []
  const abort = (error: Error) => void ended.push(error)
  return { socket, ended, link: { socket, abort, timeline: { open: 0 } } as unknown as TcpConnection }
}

function watching(link: TcpConnection): Silence {
  const silence = new Silence({ watchdogMs: 5_000 })
  silence.watch(link)
  return silence
}

test('a connection on which nothing comes ends at the look that makes it too long, and once', () => {
  const { ended, link } = connection()
  const silence = watching(link)
  for (let look = 1; look < SILENT_LOOKS; look += 1) silence.look()
  expect(ended).toEqual([])
  silence.look()
  const message = 'nothing has come for 75 s; the connection ends'
  expect(ended).toMatchObject([{ code: 'NET_TIMEOUT', message }])
  for (let look = 0; look < SILENT_LOOKS; look += 1) silence.look()
  expect(ended).toHaveLength(1)
})

test('whatever comes begins the count anew', () => {
  const { socket, ended, link } = connection()
  const silence = watching(link)
  for (let look = 0; look < 3 * SILENT_LOOKS; look += 1) {
    if (look % (SILENT_LOOKS - 1) === 0) socket.bytesRead += 1
    silence.look()
  }
  expect(ended).toEqual([])
})

test('one that has said something ends as well once nothing comes any more', () => {
  const { socket, ended, link } = connection()
  const silence = watching(link)
  socket.bytesRead += 1
  for (let look = 0; look < SILENT_LOOKS; look += 1) silence.look()
  expect(ended).toEqual([])
  silence.look()
  expect(ended).toHaveLength(1)
})

test('a connection that has ended is not looked at any more', () => {
  const { socket, ended, link } = connection()
  const silence = watching(link)
  socket.emit('close')
  for (let look = 0; look < SILENT_LOOKS; look += 1) silence.look()
  expect(ended).toEqual([])
})

test('what has come on a connection is told to whoever holds what libp2p made of it, and of a stranger nothing', () => {
  const { socket, link } = connection()
  const silence = watching(link)
  socket.bytesRead += 7
  expect(silence.bytesFrom({ timeline: link.timeline })).toBe(7)
  expect(silence.bytesFrom({ timeline: { open: 0 } })).toBe(0)
})
