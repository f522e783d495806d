/** A node that is told to listen on any port is where it was before, for those who remember it. */
import { mkdtemp } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { LevelDatastore } from 'datastore-level'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Scripted } from './scripted.ts'

const hasIpv6 = networkInterfaces().lo?.some(({ family }) => family === 'IPv6') === true
const LISTEN = ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.2/tcp/0', ...(hasIpv6 ? ['/ip6/::1/tcp/0'] : [])]
const KEY = '/confmesh/ports'

let dataDir: string
let running: Scripted | undefined
const servers: Server[] = []
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'confmesh-ports-'))
})
afterEach(async () => {
  await running?.stop()
  running = undefined
  for (const server of servers.splice(0)) server.close()
})

/** One life after the other, in one folder. @returns where it listens: IP address and port */
async function life(listen: readonly string[] = LISTEN): Promise<string[]> {
  await running?.transport.stop()
  running = await Scripted.start({ dataDir, listen })
  const addresses = running.transport.listening()
  return addresses.map((address) => address.replace(/\/p2p\/.*/, '')).sort()
}

const portOf = (address: string | undefined): number => Number(address?.split('/').at(-1))

async function takes(port: number, host: string): Promise<void> {
  const server = createServer()
  servers.push(server)
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
}

/** What is kept becomes this; `undefined` only reads it. */
async function kept(text?: string): Promise<string | undefined> {
  await running?.transport.stop()
  running = undefined
  const datastore = new LevelDatastore(join(dataDir, 'peers'))
  await datastore.open()
  const before = await datastore.db.get(KEY)
  if (text !== undefined) await datastore.db.put(KEY, Buffer.from(text))
  await datastore.close()
  return before === undefined ? undefined : Buffer.from(before).toString()
}

test('each entry has the port that it had before, in the next life and the one after', async () => {
  const first = await life()
  expect(first).toHaveLength(LISTEN.length)
  expect(await life()).toEqual(first)
  expect(await life()).toEqual(first)
  expect(running?.notes).toEqual([])
})

test('a port that another process has is given up for a new one, which is kept; the other entry stays', async () => {
  const [before, other] = await life(LISTEN.slice(0, 2))
  await running?.transport.stop()
  await takes(portOf(before), '127.0.0.1')
  const again = await life(LISTEN.slice(0, 2))
  expect(again[1]).toBe(other)
  expect(again[0]).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/[1-9]\d*$/)
  expect(again[0]).not.toBe(before)
  const text = `listen: port ${portOf(before)}, which this node had before, cannot be had (EADDRINUSE); it takes another one`
  expect(running?.notes).toEqual([{ kind: 'note', level: 'info', code: 'NET_LISTEN', text }])
  servers.pop()?.close()
  expect(await life(LISTEN.slice(0, 2))).toEqual(again)
})

test('a port that is named is taken as it is, and nothing is kept of it', async () => {
  const [before] = await life(LISTEN.slice(0, 1))
  const port = portOf(before)
  const named = `/ip4/127.0.0.2/tcp/${port}`
  expect(await life([named])).toEqual([named])
  await running?.transport.stop()
  await takes(port, '127.0.0.2')
  await expect(life([named])).rejects.toMatchObject({ code: 'NET_LISTEN' })
  running = undefined
  expect(JSON.parse((await kept()) ?? '')).toEqual([[LISTEN[0], port]])
})

test.each([
  ['no JSON', '{'],
  ['no list', '{}'],
  ['no port', `[["${LISTEN[0]}",65536]]`],
  ['no number', `[["${LISTEN[0]}","80"]]`],
  ['no pair', '[7]'],
])('what is kept and is %s is ignored, told, and written anew', async (_, text) => {
  const [first] = await life(LISTEN.slice(0, 1))
  await kept(text)
  const [second] = await life(LISTEN.slice(0, 1))
  expect(first).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/[1-9]\d*$/)
  expect(running?.notes).toMatchObject([
    {
      level: 'warn',
      code: 'STORE_FAILED',
      text: expect.stringMatching(/^the ports that this node had cannot be read: /),
    },
  ])
  expect(JSON.parse((await kept()) ?? '')).toEqual([[LISTEN[0], portOf(second)]])
})
