import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { ActivatorInit } from '../../src/activate/activator.ts'
import { CHANNEL, makeRelease, type TestRelease } from '../contract/store-fixtures.ts'
import { ActivateBench } from './activate-bench.ts'

const first = makeRelease(1, [{ path: 'a.yaml', content: '1' }])
const second = makeRelease(2, [{ path: 'a.yaml', content: '2' }])
const benches: ActivateBench[] = []
const started = async (releases: readonly TestRelease[] = [first, second]): Promise<ActivateBench> => {
  const bench = await ActivateBench.start(releases)
  benches.push(bench)
  return bench
}
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.cleanUp()
})

const shell = (script: string, timeoutMs = 20_000): ActivatorInit['hooks'][number] => ({
  channels: ['payments/*'],
  command: ['/bin/sh', '-c', script],
  timeoutMs,
})
const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('the condition did not come true within 10 s')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
/** Killed and waited for by its new parent, or a zombie that nobody waits for. */
const isGone = async (pid: number): Promise<boolean> =>
  !isAlive(pid) || /^State:\s+Z/m.test(await read(`/proc/${pid}/status`))

test('a hook is told what happened, and gets nothing else of our environment', async () => {
  const bench = await started()
  const out = join(bench.dir, 'out')
  process.env.CONFMESH_TEST_SECRET = 'secret'
  bench.restarted({ hooks: [shell(`env | sort > ${out}; cat "$CONFMESH_DIR/a.yaml" >> ${out}`)] })
  await bench.activate(first)
  await bench.activate(second, first)
  delete process.env.CONFMESH_TEST_SECRET
  const lines = (await read(out)).split('\n')
  expect(lines).toContain(`CONFMESH_CHANNEL=${CHANNEL}`)
  expect(lines).toContain(`CONFMESH_RELEASE=${second.id}`)
  expect(lines).toContain(`CONFMESH_PREVIOUS=${first.id}`)
  expect(lines).toContain(`CONFMESH_DIR=${bench.path('current')}`)
  expect(lines.at(-1)).toBe('2')
  const names = lines.slice(0, -1).map((line) => line.split('=')[0])
  expect(names.filter((name) => !/^(CONFMESH_(?!TEST).*|PATH|PWD|OLDPWD|SHLVL|_)$/.test(name ?? ''))).toEqual(
    [],
  )
})

test('a hook of another channel does not run', async () => {
  const bench = await started()
  bench.restarted({ hooks: [{ ...shell('exit 1'), channels: ['other/**'] }] })
  expect(await bench.activate(first)).toMatchObject({ kind: 'healthy' })
})

test('ten thousand changed paths, too long for any environment: a NUL-separated list', async () => {
  const files = Array.from({ length: 10_000 }, (_, at) => ({
    path: `${'long-folder-name-'.repeat(8)}/file ${at}`,
    content: '',
  }))
  const many = makeRelease(5, files)
  const bench = await started([many])
  const out = join(bench.dir, 'out')
  bench.restarted({ hooks: [shell(`cp "$CONFMESH_CHANGED" ${out}`)] })
  expect(await bench.activate(many)).toEqual({ kind: 'healthy', changed: 10_000 })
  const paths = (await read(out)).split('\0')
  expect(paths.pop()).toBe('')
  expect(paths.toSorted()).toEqual(many.files.map(({ path }) => path).toSorted())
})

test('a failed hook is an unhealthy release with its files in place', async () => {
  const bench = await started()
  bench.restarted({ hooks: [shell('echo reload refused >&2; exit 3')] })
  const outcome = await bench.activate(first)
  expect(outcome).toMatchObject({ kind: 'unhealthy', code: 'HOOK_FAILED' })
  expect(outcome).toMatchObject({ text: expect.stringContaining('exit 3: reload refused') })
  expect(await bench.tree()).toBe(first.id)
})

test('a program that does not exist is a failed hook', async () => {
  const bench = await started()
  bench.restarted({ hooks: [{ channels: ['**'], command: ['/no/such/program'], timeoutMs: 5_000 }] })
  expect(await bench.activate(first)).toMatchObject({ kind: 'unhealthy', code: 'HOOK_FAILED' })
})

test('the health command decides after the hooks; going back asks nobody', async () => {
  const bench = await started()
  const out = join(bench.dir, 'out')
  const health = {
    command: ['/bin/sh', '-c', `echo health >> ${out}; grep -q 1 "$CONFMESH_DIR/a.yaml"`],
    timeoutMs: 20_000,
  }
  bench.restarted({ hooks: [shell(`echo hook >> ${out}`)], health })
  expect(await bench.activate(first)).toMatchObject({ kind: 'healthy' })
  expect(await read(out)).toBe('hook\nhealth\n')
  expect(await bench.activate(second, first)).toMatchObject({ kind: 'unhealthy', code: 'ACTIVATE_UNHEALTHY' })
  bench.restarted({ hooks: [shell('exit 1')], health })
  expect(await bench.activate(first, second, true)).toMatchObject({ kind: 'healthy' })
  expect(await bench.tree()).toBe(first.id)
  expect(bench.codes()).toContain('HOOK_FAILED')
})

describe('the same files under another id, as after a rotated key', () => {
  const again = makeRelease(3, [{ path: 'a.yaml', content: '1' }])
  const logged = async (): Promise<{ bench: ActivateBench; out: string; init: Partial<ActivatorInit> }> => {
    const bench = await started([first, again])
    const out = join(bench.dir, 'out')
    const health = { command: ['/bin/sh', '-c', `echo health >> ${out}`], timeoutMs: 20_000 }
    const init = { hooks: [shell(`echo hook >> ${out}`)], health }
    bench.restarted(init)
    return { bench, out, init }
  }

  test('no hook runs, the health check does', async () => {
    const { bench, out, init } = await logged()
    await bench.activate(first)
    expect(await bench.activate(again, first)).toEqual({ kind: 'healthy', changed: 0 })
    expect(await bench.tree()).toBe(again.id)
    bench.restarted(init)
    expect(await bench.restore(again)).toEqual({ kind: 'healthy', changed: 0 })
    expect(await read(out)).toBe('hook\nhealth\nhealth\n')
  })

  test('hooks run where they are not through with what was shown', async () => {
    const { bench, out, init } = await logged()
    bench.restarted({ ...init, hooks: [shell(`echo failed >> ${out}; exit 1`)] })
    await bench.activate(first)
    bench.restarted(init)
    await bench.activate(again, first)
    expect(await read(out)).toBe('failed\nhook\nhealth\n')
  })

  test('hooks run where what was shown had been edited', async () => {
    const { bench, out } = await logged()
    await bench.activate(first)
    await rm(bench.path('current', 'a.yaml'))
    await bench.activate(again, first)
    expect(await read(out)).toBe('hook\nhealth\nhook\nhealth\n')
  })
})

test('stopped in the middle of a hook: it runs again after the next start', async () => {
  const bench = await started()
  const out = join(bench.dir, 'out')
  const stopped = bench.restarted({ hooks: [shell(`echo begun >> ${out}; sleep 100`)] })
  const outcome = bench.activate(first)
  await until(async () => (await read(out)) === 'begun\n')
  await stopped.stop()
  expect(await outcome).toMatchObject({ kind: 'failed' })
  bench.restarted({ hooks: [shell(`echo again >> ${out}`)] })
  expect(await bench.restore(first)).toMatchObject({ kind: 'healthy' })
  expect(await read(out)).toBe('begun\nagain\n')
  bench.restarted({ hooks: [shell(`echo third >> ${out}`)] })
  expect(await bench.restore(first)).toEqual({ kind: 'healthy', changed: 0 })
  expect(await read(out)).toBe('begun\nagain\n')
})

test('a timeout ends the hook, its children and those that left its group', async () => {
  const bench = await started()
  const pids = join(bench.dir, 'pids')
  const script = `sleep 300 & echo $! >> ${pids}; setsid sh -c 'echo $$ >> ${pids}; sleep 301 & echo $! >> ${pids}; wait' & sleep 302`
  bench.restarted({ hooks: [shell(script, 3_000)] })
  expect(await bench.activate(first)).toMatchObject({ kind: 'unhealthy', code: 'HOOK_TIMEOUT' })
  const started3 = (await read(pids)).trim().split('\n').map(Number)
  expect(started3).toHaveLength(3)
  for (const pid of started3) await until(() => isGone(pid))
})

test('a flood of output neither blocks the hook nor fills memory', async () => {
  const bench = await started()
  bench.restarted({ hooks: [shell('head -c 1073741824 /dev/zero; echo done; exit 4', 100_000)] })
  const before = process.memoryUsage().rss
  expect(await bench.activate(first)).toMatchObject({
    kind: 'unhealthy',
    text: expect.stringMatching(/done$/),
  })
  expect(process.memoryUsage().rss - before).toBeLessThan(128 * 1024 * 1024)
})

test('arguments reach the program as they are: no shell reads them', async () => {
  const bench = await started()
  const script = join(bench.dir, 'show')
  const out = join(bench.dir, 'out')
  await writeFile(script, `#!/bin/sh\nprintf '%s\\n' "$@" > ${out}\n`, { mode: 0o755 })
  bench.restarted({ hooks: [{ channels: ['**'], command: [script, '$(id)', '; ls'], timeoutMs: 20_000 }] })
  await bench.activate(first)
  expect(await read(out)).toBe('$(id)\n; ls\n')
})

test('what failed a check that is configured no longer is shown again like any other', async () => {
  const bench = await started()
  bench.restarted({ health: { command: ['/bin/sh', '-c', 'false'], timeoutMs: 20_000 } })
  expect(await bench.activate(first)).toMatchObject({ kind: 'unhealthy' })
  const unchecked = bench.restarted()
  expect(await unchecked.shown(first.channel)).toBe(undefined)
  for (const release of [second, first])
    expect(await bench.activate(release)).toMatchObject({ kind: 'healthy' })
  expect(await unchecked.shown(first.channel)).toBe(first.id)
})
