/** Releases that an application is not to take into memory: judged by their listing, and passed over. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Client, type ClientOptions } from '../../../src/client/index.ts'
import { MeshError } from '../../../src/errors.ts'
import { CHANNEL, FakeNode, type Served, serve } from './fake-node.ts'
import { waits } from './short-waits.ts'

vi.mock(import('node:timers/promises'), async (original) =>
  (await import('./short-waits.ts')).shortWaits(original),
)

let node: FakeNode
let served: Served
beforeEach(async () => {
  node = new FakeNode()
  served = await serve(node)
  waits.splice(0)
})
afterEach(async () => {
  vi.restoreAllMocks()
  await served.api.stop()
})

test('what a node itself cannot read for a limit of its own is asked for again', async () => {
  const { id } = node.activate({ a: '1' })
  const files = vi.spyOn(node, 'files')
  files.mockRejectedValueOnce(new MeshError('LIMIT_BYTES', 'a page is over a limit of this node'))
  const watch = new Client({ api: served.api.url }).watch(CHANNEL)
  expect((await watch.next()).value?.release).toBe(id)
  await watch.return(undefined)
})

test('whoever takes larger files takes a snapshot of one', async () => {
  node.activate({ a: '1' })
  const { files = [], ...of } = (await node.files(CHANNEL)) ?? {}
  const listing = { ...of, files: files.map((file) => ({ ...file, size: 300 * 2 ** 20 })) }
  vi.spyOn(node, 'files').mockResolvedValue(listing as never)
  const large = new Client({ api: served.api.url, maxFileBytes: 2 ** 30 }).snapshot(CHANNEL)
  await expect(large).rejects.not.toMatchObject({ code: 'LIMIT_BYTES' })
})

describe.each<[keyof ClientOptions, number, Record<string, string>]>([
  ['maxFileBytes', 10, { a: '1', b: 'x'.repeat(11) }],
  ['maxSnapshotBytes', 12, { a: '12345', b: '54321', c: '33333' }],
])('%s', (option, bound, large) => {
  const client = (most = bound) => new Client({ api: served.api.url, [option]: most })
  const over = expect.objectContaining({ code: 'LIMIT_BYTES', message: expect.stringContaining(option) })

  test('a watch tells of what is over it once, asks for none of it, and goes on with the next release', async () => {
    node.activate({ a: '1' })
    const told: Error[] = []
    const watch = client().watch(CHANNEL, { onDisconnect: (error) => told.push(error) })
    const { release } = (await watch.next()).value
    const read = vi.spyOn(node, 'read')
    node.activate(large)
    const next = watch.next()
    await expect.poll(() => told).toEqual([over])
    expect(read).not.toHaveBeenCalled()
    const third = node.activate({ a: '2' })
    expect((await next).value).toMatchObject({ release: third.id, changed: ['a'] })
    expect([release === third.id, told.length, waits]).toEqual([false, 1, []])
    await watch.return(undefined)
  })

  test('where nobody is told the process warns', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockReturnValue()
    node.activate(large)
    const watch = client().watch(CHANNEL)
    const next = watch.next()
    await expect.poll(() => warned.mock.calls).toEqual([[over]])
    const second = node.activate({ a: '2' })
    expect((await next).value?.release).toBe(second.id)
    await watch.return(undefined)
  })

  test('a watch that waits for the next release ends by its signal', async () => {
    node.activate(large)
    const stop = new AbortController()
    const onDisconnect = () => stop.abort()
    expect((await client().watch(CHANNEL, { signal: stop.signal, onDisconnect }).next()).done).toBe(true)
  })

  test('a snapshot of what is over it is refused, and of what is not, comes', async () => {
    node.activate(large)
    const read = vi.spyOn(node, 'read')
    await expect(client().snapshot(CHANNEL)).rejects.toEqual(over)
    expect(read).not.toHaveBeenCalled()
    const files = Object.values(large)
    const most = option === 'maxFileBytes' ? (files.at(-1)?.length ?? 0) : files.join('').length
    expect((await client(most).snapshot(CHANNEL)).files.size).toBe(files.length)
  })
})
