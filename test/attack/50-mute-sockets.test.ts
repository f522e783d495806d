/** Sockets that are opened and say nothing, all of one address: others come in meanwhile, and the operator hears of it. */
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import type { Limits } from '../../src/limits.ts'
import { connect, Scripted } from '../integration/net/scripted.ts'

const running: { stop(): Promise<void> }[] = []
const sockets: Socket[] = []
const start = async (limits: Partial<Limits> = {}): Promise<Scripted> => {
  const node = await Scripted.start({ limits })
  running.push(node)
  return node
}
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(running.splice(0).map((each) => each.stop()))
})

/** They come from another address of this host than honest peers do. */
async function mute(node: Scripted, count: number, localAddress = '127.0.0.2'): Promise<Socket[]> {
  const port = Number(/\/tcp\/(\d+)/.exec(node.address)?.[1])
  const opened = Array.from({ length: count }, () =>
    // the end of one is all that it may learn
    connectTcp({ host: '127.0.0.1', port, localAddress }).on('error', () => {}),
  )
  sockets.push(...opened)
  await Promise.all(opened.map((socket) => once(socket, 'connect')))
  return opened
}

const standing = (opened: readonly Socket[]): number => opened.filter(({ destroyed }) => !destroyed).length

test('mute sockets of one address leave half of the handshakes to others, and are counted', async () => {
  const node = await start({ maxHandshakes: 20, handshakeDeadlineMs: 60_000 })
  const opened = await mute(node, 40)
  await node.until('the rest refused', () => standing(opened) === 10)
  expect(node.refused).toEqual(Array(30).fill('LIMIT_STREAMS'))
  expect(node.notes[0]).toMatchObject({ level: 'warn', code: 'LIMIT_STREAMS' })
  await connect(await start(), node)
  // of what is left a second address takes no more than half again, so that there is room for a third
  const more = await mute(node, 10, '127.0.0.3')
  await node.until('the second bounded', () => standing(more) === 5)
  await connect(await start(), node)
})

test('mute sockets of six addresses, that have every place, make room for others', async () => {
  const [node, friend] = [await start({ maxHandshakes: 32, handshakeDeadlineMs: 60_000 }), await start()]
  const opened: Socket[] = []
  const sinceMs = performance.now()
  for (const [address, places] of [16, 8, 4, 2, 1, 1].entries())
    opened.push(...(await mute(node, places, `127.0.0.${2 + address}`)))
  expect(standing(opened)).toBe(32)
  for (let dials = 0; friend.of('connected').length === 0; dials += 1) {
    friend.transport.perform({ kind: 'dial', address: node.address })
    const told = () => friend.of('connected').length + friend.of('dialFailed').length > dials
    await friend.until('told', told)
    // a handshake that takes two seconds is late, and none before
    if (performance.now() - sinceMs < 2_000) expect(friend.of('connected')).toEqual([])
  }
  expect(standing(opened)).toBe(31)
})

test('a mute socket ends at the deadline of a handshake, and makes room', async () => {
  const [node, friend] = [await start({ maxHandshakes: 4, handshakeDeadlineMs: 3_000 }), await start()]
  const opened = await mute(node, 2)
  const sinceMs = performance.now()
  await node.until('ended', () => standing(opened) === 0)
  // libp2p by itself waits for ten seconds
  expect(performance.now() - sinceMs).toBeLessThan(9_000)
  await mute(node, 2)
  await connect(friend, node)
  // nor were those two, which came before
  expect(node.refused).toEqual([])
})

test('connections that are through count no longer as handshakes', async () => {
  const node = await start({ maxHandshakes: 4, handshakeDeadlineMs: 60_000 })
  for (const _ of Array(6)) await connect(await start(), node)
  expect(node.refused).toEqual([])
})
