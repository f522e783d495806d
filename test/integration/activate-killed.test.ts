/** What a node that was killed left running: a command that was not through goes, a service that one has started stays. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { makeRelease } from '../contract/store-fixtures.ts'
import { ActivateBench } from './activate-bench.ts'

const first = makeRelease(1, [{ path: 'a', content: '1' }])
const second = makeRelease(2, [{ path: 'a', content: '2' }])
let bench: ActivateBench
const left = new Set<number>()
afterEach(async () => {
  for (const pid of left) if (await isAlive(pid)) process.kill(pid, 'SIGKILL')
  left.clear()
  await bench.cleanUp()
})

const hook = (script: string) => [{ channels: ['**'], command: ['/bin/sh', '-c', script], timeoutMs: 20_000 }]
const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')
/** No zombie either, which somebody else has to wait for. */
const isAlive = async (pid: number): Promise<boolean> =>
  /^State:\s+[^ZX]/m.test(await read(`/proc/${pid}/status`))

async function until<T>(condition: () => Promise<T | false | undefined>): Promise<T> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const value = await condition()
    if (value !== undefined && value !== false) return value
    if (performance.now() > deadline) throw new Error('the condition did not come true within 20 s')
    await new Promise((again) => setTimeout(again, 20))
  }
}

/** Pids that a script has written, one a line, once there are so many. */
const pidsIn = (path: string, many: number): Promise<readonly number[]> =>
  until(async () => {
    const lines = (await read(path)).split('\n').slice(0, -1)
    for (const line of lines) left.add(Number(line))
    return lines.length === many && lines.map(Number)
  })

/** A life of its own that activates the first release. */
function life(script: string) {
  const of = (path: string) => JSON.stringify(resolve(import.meta.dirname, path))
  const program = `
    const { createActivator } = await import(${of('../../src/activate/activator.ts')})
    const { LIMITS } = await import(${of('../../src/limits.ts')})
    const { MemoryStore } = await import(${of('../../src/store/memory.ts')})
    const { makeRelease } = await import(${of('../contract/store-fixtures.ts')})
    const { id, channel, pages, writes } = makeRelease(1, ${JSON.stringify(first.files)})
    const store = new MemoryStore({ limits: LIMITS })
    await store.open()
    await store.commit(writes)
    const [dir, hooks] = JSON.parse(process.argv[1])
    await createActivator({ dir, hooks, store, limits: LIMITS }).restore(channel, id, pages)`
  const given = JSON.stringify([bench.dir, hook(script)])
  return spawn(process.execPath, ['--input-type=module', '-e', program, given], { stdio: 'inherit' })
}

test('a hook that was under way, with all it started, is ended before the next one runs', async () => {
  bench = await ActivateBench.start([first, second])
  const pids = join(bench.dir, 'pids')
  const killed = life(
    `echo $$ >> ${pids}; setsid sh -c 'echo $$ >> ${pids}; exec sleep 300' & exec sleep 300`,
  )
  const [one, two] = await pidsIn(pids, 2)
  killed.kill('SIGKILL')
  await once(killed, 'exit')
  expect([await isAlive(one as number), await isAlive(two as number)]).toEqual([true, true])
  const seen = join(bench.dir, 'seen')
  const environments = `/proc/${one}/environ /proc/${two}/environ`
  bench.restarted({
    hooks: hook(`cat ${environments} 2>/dev/null | tr '\\0' '\\n' > ${seen}; echo . >> ${seen}`),
  })
  expect(await bench.activate(second, first)).toMatchObject({ kind: 'healthy' })
  expect(await read(seen)).toBe('.\n')
  for (const pid of left) await until(async () => !(await isAlive(pid)))
  expect(bench.codes()).toEqual([])
})

test('of a hook that ended while the node was dead what left its group stays, and the rest goes', async () => {
  bench = await ActivateBench.start([first, second])
  const [pids, go] = [join(bench.dir, 'pids'), join(bench.dir, 'go')]
  const wait = `until [ -e ${go} ]; do sleep 0.02; done`
  const inGroup = `sh -c 'echo $$ >> ${pids}; exec sleep 300' & until [ -s ${pids} ]; do sleep 0.02; done`
  const service = `setsid sh -c 'echo $$ >> ${pids}; exec sleep 300' >/dev/null 2>&1 &`
  const killed = life(`${inGroup}; ${service} echo $$ > ${join(bench.dir, 'leader')}; ${wait}`)
  const [job, app] = await pidsIn(pids, 2)
  const [leader] = await pidsIn(join(bench.dir, 'leader'), 1)
  const running = join(bench.dir, first.channel, '.releases', 'running')
  await until(async () => (await read(running)).endsWith(` ${leader}`))
  killed.kill('SIGKILL')
  await once(killed, 'exit')
  await writeFile(go, '')
  await until(async () => !(await isAlive(leader as number)))
  expect([await isAlive(job as number), await isAlive(app as number)]).toEqual([true, true])
  bench.restarted({ hooks: hook('true') })
  expect(await bench.activate(second, first)).toMatchObject({ kind: 'healthy' })
  await until(async () => !(await isAlive(job as number)))
  expect(await isAlive(app as number)).toBe(true)
  expect(await read(running)).toBe('')
})

test('a note of an earlier build, which has no group, counts for all that has its mark', async () => {
  bench = await ActivateBench.start([first, second])
  const pids = join(bench.dir, 'pids')
  const killed = life(`setsid sh -c 'echo $$ >> ${pids}; exec sleep 300' & exec sleep 300`)
  const [app] = await pidsIn(pids, 1)
  const running = join(bench.dir, first.channel, '.releases', 'running')
  await until(async () => (await read(running)).includes(' '))
  killed.kill('SIGKILL')
  await once(killed, 'exit')
  await writeFile(running, (await read(running)).slice(0, 36))
  bench.restarted({ hooks: hook('true') })
  expect(await bench.activate(second, first)).toMatchObject({ kind: 'healthy' })
  await until(async () => !(await isAlive(app as number)))
})

test('a service that a hook has started goes on', async () => {
  bench = await ActivateBench.start([first, second])
  const pids = join(bench.dir, 'pids')
  const service = `setsid sh -c 'echo $$ >> ${pids}; exec sleep 300' >/dev/null 2>&1 &`
  bench.restarted({ hooks: hook(`${service} until [ -s ${pids} ]; do sleep 0.02; done`) })
  expect(await bench.activate(first)).toMatchObject({ kind: 'healthy' })
  const [pid] = await pidsIn(pids, 1)
  expect(await read(join(bench.dir, first.channel, '.releases', 'running'))).toBe('')
  bench.restarted({ hooks: hook('true') })
  expect(await bench.activate(second, first)).toMatchObject({ kind: 'healthy' })
  expect(await isAlive(pid as number)).toBe(true)
})
