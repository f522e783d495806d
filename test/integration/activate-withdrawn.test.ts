/** An order that is taken back: until files show it nothing comes of it, wherever it waits. */
import { open, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { LIMITS } from '../../src/limits.ts'
import type { Channel, Digest } from '../../src/model/ids.ts'
import { makeRelease, type TestRelease } from '../contract/store-fixtures.ts'
import { ActivateBench } from './activate-bench.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return { ...real, open: vi.fn(real.open) }
})
const real = await vi.importActual<typeof import('node:fs/promises')>('node:fs/promises')

let bench: ActivateBench
const started = async (releases: readonly TestRelease[]): Promise<void> => {
  bench = await ActivateBench.start(releases)
}
afterEach(async () => {
  vi.mocked(open).mockReset().mockImplementation(real.open)
  await bench.cleanUp()
})

const WITHDRAWN = { kind: 'failed', code: 'ACTIVATE_FAILED', text: 'withdrawn before it was shown' }
const one = { ...LIMITS, maxActivations: 1, hookTurnMs: 20_000 } as unknown as typeof LIMITS
const inChannel = (name: string, counter: number): TestRelease =>
  makeRelease(counter, [{ path: 'a', content: `${name} ${counter}` }], { channel: `many/${name}` as Channel })
const [slow, old, stolen] = [inChannel('slow', 1), inChannel('waits', 1), inChannel('waits', 2)]

/** Its hook begins, and ends once it is let. */
async function hangs(): Promise<{ readonly outcome: Promise<unknown>; readonly end: () => Promise<void> }> {
  const [begun, end] = [join(bench.dir, 'begun'), join(bench.dir, 'end')]
  const script = `echo > ${begun}; until test -e ${end}; do sleep 0.02; done`
  const hooks = [{ channels: ['many/slow'], command: ['/bin/sh', '-c', script], timeoutMs: 20_000 }]
  bench.restarted({ hooks, limits: one })
  const outcome = bench.activate(slow)
  const deadline = performance.now() + 10_000
  while ((await readFile(begun).catch(() => undefined)) === undefined) {
    if (performance.now() > deadline) throw new Error('the hook did not begin within 10 s')
    await setTimeout(20)
  }
  return { outcome, end: () => writeFile(end, '') }
}

test('one that waits for its turn is not shown when that comes', async () => {
  await started([slow, old, stolen])
  await bench.activate(old)
  const { outcome, end } = await hangs()
  const waits = bench.activate(stolen, old)
  bench.activator.withdraw(stolen.channel, stolen.id)
  await end()
  expect(await outcome).toMatchObject({ kind: 'healthy' })
  expect(await waits).toEqual(WITHDRAWN)
  expect(await bench.activator.shown(old.channel)).toBe(old.id)
  // Asked for anew it is shown: what was taken back is the order.
  expect(await bench.activate(stolen, old)).toMatchObject({ kind: 'healthy' })
})

test('it is out of the way at once: the next of its channel waits for its own turn', async () => {
  await started([slow, old, stolen])
  await bench.activate(old)
  const { outcome, end } = await hangs()
  const waits = bench.restore(old)
  bench.activator.withdraw(old.channel, old.id)
  expect(await Promise.race([waits, setTimeout(5_000, 'waits on')])).toEqual(WITHDRAWN)
  const next = bench.activate(stolen, old)
  await end()
  expect([await outcome, await next]).toMatchObject([{ kind: 'healthy' }, { kind: 'healthy' }])
})

test('the look through what the node is ahead with ends as soon, and nothing is said of it', async () => {
  await started([old, stolen])
  await bench.activate(stolen)
  vi.mocked(open).mockImplementation((at, ...more) => {
    if (String(at).endsWith(`${stolen.id}/a`)) bench.activator.withdraw(old.channel, old.id)
    return real.open(at, ...more)
  })
  bench.restarted()
  expect(await bench.restore(old, stolen)).toEqual(WITHDRAWN)
  expect(bench.codes()).toEqual([])
})

test('what is new goes before what is looked through again, whatever came first', async () => {
  const [other, third] = [inChannel('other', 1), inChannel('third', 1)]
  await started([slow, old, other, third])
  await bench.activate(old)
  await bench.activate(other)
  const { outcome, end } = await hangs()
  const order: string[] = []
  const ends = async (name: string, work: Promise<unknown>): Promise<void> => {
    await work
    order.push(name)
  }
  const all = [ends('old', bench.restore(old)), ends('other', bench.restore(other))]
  all.push(ends('third', bench.activate(third)))
  await end()
  await Promise.all([outcome, ...all])
  expect(order).toEqual(['third', 'old', 'other'])
})

test('one whose tree is being built is not built to its end', async () => {
  const files = Array.from({ length: 40 }, (_, at) => ({ path: `${at}`, content: `${at}` }))
  const large = makeRelease(2, files, { channel: old.channel })
  await started([old, large])
  await bench.activate(old)
  const read: Digest[] = []
  const readBlock = (digest: Digest) => {
    if (!large.pages.includes(digest)) read.push(digest)
    bench.activator.withdraw(large.channel, large.id)
    return bench.store.readBlock(digest)
  }
  bench.restarted({ store: { readBlock, readEnvelope: (release) => bench.store.readEnvelope(release) } })
  expect(await bench.activate(large, old)).toEqual(WITHDRAWN)
  expect(read.length).toBeLessThan(files.length)
  expect(await bench.activator.shown(old.channel)).toBe(old.id)
})

test('one that is built is not shown, though its note is on its way to disk', async () => {
  await started([old, stolen])
  await bench.activate(old)
  vi.mocked(open).mockImplementation((at, ...more) => {
    if (String(at).includes('trees.json') && more[0] !== 'r')
      bench.activator.withdraw(stolen.channel, stolen.id)
    return real.open(at, ...more)
  })
  expect(await bench.activate(stolen, old)).toEqual(WITHDRAWN)
  const trees = await readdir(join(bench.dir, old.channel, '.releases'))
  expect(trees).toEqual(expect.arrayContaining([old.id, stolen.id]))
  expect(await bench.activator.shown(old.channel)).toBe(old.id)
})

test('one that is shown goes on: its hooks run to their end', async () => {
  await started([slow])
  const { outcome, end } = await hangs()
  bench.activator.withdraw(slow.channel, slow.id)
  await end()
  expect(await outcome).toMatchObject({ kind: 'healthy' })
  expect(await bench.activator.shown(slow.channel)).toBe(slow.id)
})

test('no other channel and no other release is meant', async () => {
  await started([slow, old, stolen])
  const { outcome, end } = await hangs()
  const waits = bench.activate(old)
  bench.activator.withdraw(old.channel, stolen.id)
  bench.activator.withdraw(slow.channel, old.id)
  await end()
  expect([await outcome, await waits]).toMatchObject([{ kind: 'healthy' }, { kind: 'healthy' }])
})
