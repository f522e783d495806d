/** Many channels at once: so many at a time write files and run hooks, and a host that is short of processes harms no release. */
import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { ActivatorInit } from '../../src/activate/activator.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Channel } from '../../src/model/ids.ts'
import { makeRelease, type TestRelease } from '../contract/store-fixtures.ts'
import { ActivateBench } from './activate-bench.ts'

vi.mock('node:child_process', async (original) => {
  const real = await original<typeof import('node:child_process')>()
  return { ...real, spawn: vi.fn(real.spawn) }
})
const real = await vi.importActual<typeof import('node:child_process')>('node:child_process')

let bench: ActivateBench
const started = async (releases: readonly TestRelease[]): Promise<void> => {
  bench = await ActivateBench.start(releases)
}
afterEach(async () => {
  vi.mocked(spawn).mockReset().mockImplementation(real.spawn)
  await bench.cleanUp()
})

const inChannel = (name: string): TestRelease =>
  makeRelease(1, [{ path: 'a', content: name }], { channel: `many/${name}` as Channel })
const hook = (script: string, channels = ['**']): ActivatorInit['hooks'][number] => ({
  channels,
  command: ['/bin/sh', '-c', script],
  timeoutMs: 20_000,
})
const limits = (maxActivations: number, hookTurnMs: number): typeof LIMITS =>
  ({ ...LIMITS, maxActivations, hookTurnMs }) as unknown as typeof LIMITS
const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('the condition did not come true within 30 s')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

describe('channels at once', () => {
  const names = Array.from({ length: 9 }, (_, at) => `c${at}`)
  const releases = names.map(inChannel)

  test('no more than the limit run hooks, and whoever came first is first', async () => {
    await started(releases)
    const log = join(bench.dir, 'log')
    // a channel's hook goes on once this file is there
    const go = (name: string): string => join(bench.dir, `go-${name}`)
    const wait = `until [ -e ${go('$name')} ]; do sleep 0.02; done`
    const script = `name=\${CONFMESH_CHANNEL#many/}; echo $name >> ${log}; ${wait}; echo - >> ${log}`
    bench.restarted({ hooks: [hook(script)], limits: limits(2, 20_000) })
    const outcomes = releases.map((release) => bench.activate(release))
    const lines = async (): Promise<string[]> => (await read(log)).split('\n').slice(0, -1)
    for (const [at, name] of names.entries()) {
      const due = names.slice(0, at + 2)
      const begun = async () => (await lines()).filter((line) => line !== '-')
      await until(async () => (await begun()).length >= due.length)
      // the shell of the first may be later than that of the second
      expect((await begun()).sort()).toEqual(due)
      await writeFile(go(name), '')
    }
    for (const outcome of outcomes) expect(await outcome).toMatchObject({ kind: 'healthy' })
    let [now, most] = [0, 0]
    for (const line of await lines()) {
      now += line === '-' ? -1 : 1
      most = Math.max(most, now)
    }
    expect(most).toBe(2)
  })

  test('a hook that hangs gives its place to the next', async () => {
    await started(releases)
    const log = join(bench.dir, 'log')
    const hooks = [hook(`echo begun >> ${log}; sleep 100`, ['many/c0']), hook('true')]
    const activator = bench.restarted({ hooks, limits: limits(1, 1) })
    const [hangs, ...others] = releases.map((release) => bench.activate(release))
    for (const outcome of others) expect(await outcome).toMatchObject({ kind: 'healthy' })
    // that it was started does not say that its shell has come so far
    await until(async () => (await read(log)) === 'begun\n')
    await activator.stop()
    expect(await hangs).toMatchObject({ kind: 'failed', text: 'the node stops', shown: true })
  })

  test('a step back waits for no target', async () => {
    await started(releases)
    const log = join(bench.dir, 'log')
    const hooks = [hook(`echo "$CONFMESH_CHANNEL" >> ${log}; sleep 0.05`)]
    bench.restarted({ hooks, limits: limits(1, 20_000) })
    const outcomes = releases.map((release, at) => bench.activate(release, undefined, at === 8))
    await Promise.all(outcomes)
    expect((await read(log)).trimEnd().split('\n').slice(0, 3)).toEqual(['many/c0', 'many/c8', 'many/c1'])
  })

  test('releases of thousands of files leave a place, and go behind the others', async () => {
    const many = Array.from({ length: 501 }, (_, at) => ({ path: `f${at}`, content: 'same' }))
    const large = names.map((name) => makeRelease(1, many, { channel: `large/${name}` as Channel }))
    expect(large[0]?.pages).toHaveLength(2)
    await started([...releases, ...large])
    const log = join(bench.dir, 'log')
    const go = join(bench.dir, 'go')
    const hooks = [
      hook(`echo $CONFMESH_CHANNEL >> ${log}; until [ -e ${go} ]; do sleep 0.02; done`, ['large/**']),
    ]
    bench.restarted({ hooks, limits: limits(2, 20_000) })
    const outcomes = large.map((release) => bench.activate(release))
    await until(async () => (await read(log)) !== '')
    for (const release of releases) expect(await bench.activate(release)).toMatchObject({ kind: 'healthy' })
    expect(await read(log)).toBe('large/c0\n')
    await writeFile(go, '')
    for (const outcome of outcomes) expect(await outcome).toMatchObject({ kind: 'healthy' })
  })

  test('a stop ends those that wait', async () => {
    await started(releases)
    const log = join(bench.dir, 'log')
    const hooks = [hook(`echo begun >> ${log}; sleep 100`)]
    const activator = bench.restarted({ hooks, limits: limits(1, 20_000) })
    const outcomes = releases.map((release) => bench.activate(release))
    await until(async () => (await read(log)) !== '')
    await activator.stop()
    for (const outcome of outcomes)
      expect(await outcome).toMatchObject({ kind: 'failed', text: 'the node stops' })
    expect(await read(log)).toBe('begun\n')
  })
})

describe('a host that can start nothing now', () => {
  const release = makeRelease(1, [{ path: 'a', content: '1' }])
  const fault = (code: string): Error => Object.assign(new Error(`spawn ${code}`), { code })
  const later = (code: string) => (): ChildProcess => {
    const child = new EventEmitter()
    setImmediate(() => child.emit('error', fault(code)))
    return child as ChildProcess
  }
  const atOnce = (code: string) => (): never => {
    throw fault(code)
  }

  test.each([
    ['EAGAIN', later],
    ['EMFILE', later],
    ['ENFILE', later],
    ['ENOMEM', atOnce],
  ])('%s says nothing of the release: its hooks are tried again', async (code, how) => {
    await started([release])
    const out = join(bench.dir, 'out')
    await writeFile(out, '')
    const health = { command: ['/bin/sh', '-c', `echo healthy >> ${out}`], timeoutMs: 20_000 }
    bench.restarted({ hooks: [hook(`tr '\\0' '\\n' < "$CONFMESH_CHANGED" >> ${out}`)], health })
    vi.mocked(spawn).mockImplementationOnce(how(code) as never)
    const text = expect.stringMatching(new RegExp(`hook .*cannot be started now \\(${code}\\)`))
    expect(await bench.activate(release)).toEqual({
      kind: 'failed',
      code: 'ACTIVATE_FAILED',
      text,
      shown: true,
    })
    vi.mocked(spawn)
      .mockImplementationOnce(real.spawn)
      .mockImplementationOnce(how(code) as never)
    expect(await bench.activate(release)).toMatchObject({ kind: 'failed', code: 'ACTIVATE_FAILED' })
    expect(await bench.activate(release)).toMatchObject({ kind: 'healthy' })
    expect(await read(out)).toBe('a\na\nhealthy\n')
  })

  test('a step back whose hook cannot be started says that files show it', async () => {
    const bad = makeRelease(2, [{ path: 'a', content: '2' }])
    await started([release, bad])
    bench.restarted({ hooks: [hook('true')] })
    await bench.activate(release)
    await bench.activate(bad, release)
    vi.mocked(spawn).mockImplementationOnce(atOnce('ENOMEM') as never)
    expect(await bench.activate(release, bad, true)).toMatchObject({ kind: 'failed', shown: true })
    expect(await bench.activator.shown(release.channel)).toBe(release.id)
  })

  test('a program that is not there is another matter', async () => {
    await started([release])
    bench.restarted({ hooks: [hook('true')] })
    vi.mocked(spawn).mockImplementationOnce(later('ENOENT') as never)
    expect(await bench.activate(release)).toMatchObject({ kind: 'unhealthy', code: 'HOOK_FAILED' })
  })
})
