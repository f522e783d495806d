import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newNode, nodeThatLooksOld, processesWith, type Runner, runs, systemNode } from './processes.ts'

const root = resolve(import.meta.dirname, '../..')

/**
 * The built launcher beside a program of our own, in a package of its own: what the launcher passes on can then be
 * seen exactly, and `node` can be there or not.
 */
const program = `
import { readlinkSync } from 'node:fs'
import { spawnSync } from 'node:child_process'

const [what, value] = process.argv.slice(2)
const facts = { pid: process.pid, node: process.versions.node, args: process.argv.slice(2), watched: process.env.CONFMESH_PARENT_FD ?? null }
if (what === 'exit') process.exitCode = Number(value)
else if (what === 'die') process.kill(process.pid, value)
else if (what === 'echo') process.stdin.on('data', (data) => { process.stdout.write(data); process.stderr.write('E' + data) })
else if (what === 'block') { console.log(JSON.stringify(facts)); setInterval(() => {}, 1000) }
else if (what === 'catch') {
  process.on(value, () => { console.log('caught ' + value); process.exit(7) })
  console.log(JSON.stringify(facts)); setInterval(() => {}, 1000)
}
else if (what === 'open') console.log(JSON.stringify({
  pipe: readlinkSync('/proc/self/fd/3'),
  child: spawnSync('ls', ['-l', '/proc/self/fd'], { encoding: 'utf8' }).stdout,
}))
else console.log(JSON.stringify(facts))
`

const dir = mkdtempSync(join(tmpdir(), 'confmesh-launcher-'))
let withNode: string
let without: string

function layPackage(name: string): string {
  const home = join(dir, name)
  mkdirSync(join(home, 'dist/cli'), { recursive: true })
  writeFileSync(join(home, 'package.json'), '{"type":"module"}')
  for (const file of ['heap-growth.js', 'launcher.js', 'own-node.js', 'parent-watch.js']) {
    cpSync(join(root, 'dist/cli', file), join(home, 'dist/cli', file))
  }
  writeFileSync(join(home, 'dist/cli/main.js'), program)
  return join(home, 'dist/cli/launcher.js')
}

beforeAll(() => {
  without = layPackage('without')
  withNode = layPackage('with')
  mkdirSync(join(dir, 'with/node_modules'))
  symlinkSync(join(root, 'node_modules/node'), join(dir, 'with/node_modules/node'))
})
afterAll(() => {
  // Only a test that failed has left any.
  for (const pid of processesWith(dir)) process.kill(pid, 'SIGKILL')
  rmSync(dir, { recursive: true, force: true })
})

const old = nodeThatLooksOld(dir)
const real = systemNode()
const olds: [string, Runner][] = [['a Node that says it is 20', old]]
if (real !== undefined) olds.push(['the older Node of this machine', real])

const start = (run: Runner, launcher: string, ...args: string[]): ChildProcessWithoutNullStreams =>
  spawn(run.node, [...run.options, launcher, ...args])

type End = { code: number | null; signal: NodeJS.Signals | null; out: string; err: string }
function end(child: ChildProcessWithoutNullStreams): Promise<End> {
  let out = ''
  let err = ''
  child.stdout.on('data', (data) => {
    out += data
  })
  child.stderr.on('data', (data) => {
    err += data
  })
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, out, err })))
}

const firstLine = (
  child: ChildProcessWithoutNullStreams,
): Promise<{ pid: number; node: string; watched: string }> =>
  new Promise((resolve, reject) => {
    child.stdout.once('data', (data) => resolve(JSON.parse(String(data))))
    child.once('close', (code) => reject(new Error(`ended with ${code} before its first line`)))
  })

/** The program that blocks never ends by itself: how soon it comes to see that it must is the machine's affair. */
const DEADLINE_MS = 20_000

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS
  for (;;) {
    const isLate = performance.now() > deadline
    if (condition()) return
    if (isLate) throw new Error(`not so within ${DEADLINE_MS} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe('on a Node that is new enough', () => {
  test('nothing more is started: the program runs in the launcher’s own process', async () => {
    const child = start(newNode, without, 'facts', '--', 'a b')
    const { out, code } = await end(child)
    expect(JSON.parse(out)).toMatchObject({ pid: child.pid, args: ['facts', '--', 'a b'] })
    expect(code).toBe(0)
  })
})

describe.each(olds)('on %s', (_name, run) => {
  test('the program runs under the package’s own Node 24, with the same arguments', async () => {
    const child = start(run, withNode, 'facts', '--json', '', 'ä')
    const facts = JSON.parse((await end(child)).out)
    expect(facts.node).toBe(process.versions.node)
    expect(facts.pid).not.toBe(child.pid)
    expect(facts.args).toEqual(['facts', '--json', '', 'ä'])
  })

  test('what it starts sees nothing of the pipe’s name, so its own children do not take it for theirs', async () => {
    expect(JSON.parse((await end(start(run, withNode, 'facts'))).out).watched).toBeNull()
  })

  test('nor do they get the pipe itself', async () => {
    const { pipe, child } = JSON.parse((await end(start(run, withNode, 'open'))).out)
    expect(pipe).toMatch(/^socket:/)
    expect(child).not.toContain(pipe)
  })

  test.each([0, 1, 2, 3, 4, 255])('exit code %i is passed on', async (code) => {
    expect(await end(start(run, withNode, 'exit', String(code)))).toMatchObject({ code, signal: null })
  })

  test.each(['SIGTERM', 'SIGKILL', 'SIGINT'] as const)(
    'an end by %s is passed on as such',
    async (signal) => {
      expect(await end(start(run, withNode, 'die', signal))).toMatchObject({ code: null, signal })
    },
  )

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const)(
    'a %s sent to the launcher reaches the program, whose answer counts',
    async (signal) => {
      const child = start(run, withNode, 'catch', signal)
      const ended = end(child)
      await firstLine(child)
      child.kill(signal)
      const { code, out } = await ended
      expect(out).toContain(`caught ${signal}`)
      expect(code).toBe(7)
    },
  )

  test('a signal that the program leaves alone ends both', async () => {
    const child = start(run, withNode, 'block')
    const ended = end(child)
    const { pid } = await firstLine(child)
    child.kill('SIGTERM')
    expect(await ended).toMatchObject({ code: null, signal: 'SIGTERM' })
    expect(runs(pid)).toBe(false)
  })

  test('standard input, output and error are the program’s', async () => {
    const child = start(run, withNode, 'echo')
    const ended = end(child)
    child.stdin.end('hello')
    expect(await ended).toMatchObject({ out: 'hello', err: 'Ehello', code: 0 })
  })

  test('kill -9 of the launcher ends the program at once', async () => {
    const child = start(run, withNode, 'block')
    const { pid } = await firstLine(child)
    expect(runs(pid)).toBe(true)
    child.kill('SIGKILL')
    await until(() => !runs(pid))
  })

  test('kill -9 in the very first moments leaves nothing running either', async () => {
    for (const delayMs of [0, 20, 40, 60, 80]) {
      const mark = `mark-${process.pid}-${delayMs}`
      const child = start(run, withNode, 'block', mark)
      await until(() => child.pid !== undefined)
      const since = performance.now()
      await until(() => performance.now() - since >= delayMs)
      child.kill('SIGKILL')
      await until(() => processesWith(mark).length === 0)
    }
  })

  test('without a Node 24 beside it says so in one line and exits 2', async () => {
    const { code, out, err } = await end(start(run, without, 'facts'))
    expect(code).toBe(2)
    expect(out).toBe('')
    expect(err).toMatch(/^confmesh: RUNTIME_VERSION: Node \d+\.\d+\.\d+ is too old .* Node 24 or newer.*\n$/)
  })

  test('the same with --json is one JSON value on standard output', async () => {
    const { code, out, err } = await end(start(run, without, 'status', '--json'))
    expect(code).toBe(2)
    expect(err).toBe('')
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'RUNTIME_VERSION', details: { needs: '24' } } })
  })

  test('a --json after -- is an argument, not the option', async () => {
    expect((await end(start(run, without, 'x', '--', '--json'))).err).toMatch(/^confmesh: RUNTIME_VERSION/)
  })
})

test('a Node that was started as the new one and is not starts no other', async () => {
  const child = spawn(old.node, [...old.options, withNode, 'facts'], {
    env: { ...process.env, CONFMESH_PARENT_FD: '3' },
  })
  expect((await end(child)).code).toBe(2)
})

test('the built program of this package answers through its bin', () => {
  const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version
  const answer = spawnSync(join(root, 'dist/cli/launcher.js'), ['--version'], { encoding: 'utf8' })
  expect(answer).toMatchObject({ status: 0, stdout: `${version}\n` })
})

test('what applications import is built with its types', () => {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  for (const entry of ['.', './client'])
    expect(existsSync(join(root, exports[entry].types)), exports[entry].types).toBe(true)
})
