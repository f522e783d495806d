/** What a command has of the node: none of its files, and no time in which the node did not run, as in a frozen container. */
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type CommandResult, runCommand } from '../../src/activate/run-command.ts'
import { withDatabase } from '../contract/store-fixtures.ts'

const TIMEOUT_MS = 3_000
let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'confmesh-command-'))
})
afterEach(() => rm(dir, { recursive: true }))

const run = (script: string, timeoutMs = TIMEOUT_MS): Promise<CommandResult> =>
  runCommand({
    command: ['/bin/sh', '-c', script],
    cwd: dir,
    env: {},
    timeoutMs,
    maxOutputBytes: 1_000,
    mark: randomUUID(),
    onStart: () => {},
    signal: new AbortController().signal,
  })

/** Nothing of this process runs until the condition is true. */
function standStillUntil(condition: () => boolean): void {
  const still = new Int32Array(new SharedArrayBuffer(4))
  const deadline = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('the condition did not come true within 10 s')
    Atomics.wait(still, 0, 0, 10)
  }
}
/** The shell whose pid is in this file has ended; its exit waits to be read. */
function hasEnded(pid: string): boolean {
  const text = existsSync(pid) ? readFileSync(pid, 'utf8').trim() : ''
  return text !== '' && /^State:\s+Z/m.test(readFileSync(`/proc/${text}/status`, 'utf8'))
}
const overAt = (): (() => boolean) => {
  const at = performance.now() + TIMEOUT_MS + 200
  return () => performance.now() > at
}

test('none has what the node has open, such as the logs of the store, and what it says is heard all the same', async () => {
  const store = join(dir, 'store')
  await withDatabase(store, async () => {
    const result = await run('ls -l /proc/$PPID/fd > ours; ls -l /proc/$$/fd > its; echo heard; exit 3')
    expect(result).toEqual({ kind: 'failed', text: '/bin/sh: exit 3: heard' })
    expect(readFileSync(join(dir, 'ours'), 'utf8')).toContain(store)
    const its = readFileSync(join(dir, 'its'), 'utf8')
    expect(its).toContain(' 1 -> ')
    expect(its).not.toContain(store)
  })
})

test('one is started where a file has the last descriptor that there is', () => {
  const program = `
    const { openSync, closeSync } = await import('node:fs')
    const { runCommand } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/activate/run-command.ts'))})
    const opened = [openSync('/etc/hostname')]
    while (opened.at(-1) < 63) opened.push(openSync('/etc/hostname'))
    for (const fd of opened.slice(0, -1)) closeSync(fd)
    const run = { command: ['/bin/true'], cwd: '/', env: {}, timeoutMs: 3000, maxOutputBytes: 9, mark: 'm', onStart() {} }
    console.log(JSON.stringify(await runCommand({ ...run, signal: new AbortController().signal })))`
  const script = 'ulimit -n 64; exec "$0" --input-type=module -e "$1"'
  const said = execFileSync('/bin/sh', ['-c', script, process.execPath, program], { encoding: 'utf8' })
  expect(JSON.parse(said)).toEqual({ kind: 'passed' })
})

test('one that hangs is told with what it said last', async () => {
  expect(await run('echo starting; echo waiting for the lock; sleep 60', 5_000)).toEqual({
    kind: 'timeout',
    text: '/bin/sh: not done after 5000 ms, killed: waiting for the lock',
  })
})

test('one that ended while the node stood still has passed, and what it said counts', async () => {
  const isOver = overAt()
  const pid = join(dir, 'pid')
  const results = [run(`echo $$ > ${pid}`), run('echo refused; exit 3')]
  standStillUntil(() => isOver() && hasEnded(pid))
  expect(await Promise.all(results)).toEqual([
    { kind: 'passed' },
    { kind: 'failed', text: expect.stringContaining('exit 3: refused') },
  ])
})

test('one that is not done goes on where the node stood still for longer than its time', async () => {
  const result = run('until [ -e done ]; do sleep 0.02; done')
  standStillUntil(overAt())
  // All that was due is done before it ends.
  for (let turns = 0; turns < 5; turns += 1) await turn()
  writeFileSync(join(dir, 'done'), '')
  expect(await result).toEqual({ kind: 'passed' })
})

test('one that ends as its time does has passed', async () => {
  const pid = join(dir, 'pid')
  const result = run(`echo $$ > ${pid}`, 1)
  standStillUntil(() => hasEnded(pid))
  expect(await result).toEqual({ kind: 'passed' })
})

test.each([1, 50, 700])('one that hangs is ended after its %i ms', async (timeoutMs) => {
  const startedAt = performance.now()
  expect(await run('sleep 300', timeoutMs)).toMatchObject({
    kind: 'timeout',
    text: expect.stringContaining(`not done after ${timeoutMs} ms`),
  })
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(timeoutMs - 1)
})
