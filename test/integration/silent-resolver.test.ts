/** While no name server answers: what is over ends, with its exit code, and waits for no lookup. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  constants,
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { encodeEnvelopeJson } from '../../src/codec/envelope-json.ts'
import { encodeRoot } from '../../src/codec/root.ts'
import { signEnvelope } from '../../src/trust/signing.ts'
import { rootKeys, rootOne } from '../unit/trust/fixtures.ts'

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')
/** A lookup takes 20 s there, what is started 1 to 2 s and an end far less. */
const DEADLINE_MS = 15_000

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-silent-'))
  execFileSync('mkfifo', [join(dir, 'nobody-writes')])
})
afterEach(() => rmSync(dir, { recursive: true }))

/**
 * Starts it with a lookup that ends no sooner than the test: the threads that look names up wait for a pipe to which nobody
 * writes, as they would for a name server, and Node cuts neither short.
 * @param begins when
 */
function start(
  begins: string,
  args: readonly string[],
  stdout: 'pipe' | number = 'pipe',
  program = process.execPath,
) {
  const lookUp = `
    import { lookup } from 'node:dns'
    import { open } from 'node:fs'
    const begin = () => {
      for (let thread = 0; thread < 4; thread++) open(${JSON.stringify(join(dir, 'nobody-writes'))}, () => {})
      lookup('seed.example.com', () => {})
    }
    ${begins}`
  const preload = join(dir, 'lookup.mjs')
  writeFileSync(preload, lookUp)
  const child = spawn(program, ['--import', preload, MAIN, ...args], {
    stdio: ['ignore', stdout, 'pipe'],
    env: { ...process.env, UV_THREADPOOL_SIZE: '4' },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = once(child, 'close', { signal: AbortSignal.timeout(DEADLINE_MS) })
  const words = Promise.all([child.stdout ?? Readable.from([]), child.stderr as Readable].map(text))
  return { child, ended, words }
}

const AT_FIRST_WORD = (stream: string) => `
  const { write } = process.${stream}
  process.${stream}.write = (...words) => {
    process.${stream}.write = write
    begin()
    return write.apply(process.${stream}, words)
  }`
const AT_ITS_END = `process.on('exit', begin)`

test('a command that failed says so and ends', async () => {
  const { ended, words } = start(AT_FIRST_WORD('stderr'), ['--nonsense'])
  expect(await ended).toEqual([2, null])
  expect(await words).toEqual(['', expect.stringMatching(/^confmesh: USAGE: .*\n$/)])
})

test('a command that is done ends', async () => {
  const { ended, words } = start(AT_FIRST_WORD('stdout'), ['--version'])
  expect(await ended).toEqual([0, null])
  expect(await words).toEqual([expect.stringMatching(/^\d+\.\d+\.\d+.*\n$/), ''])
})

test('a command whose result had no room says so, and fails', async () => {
  const full = openSync('/dev/full', 'w')
  onTestFinished(() => closeSync(full))
  const { ended, words } = start(AT_FIRST_WORD('stdout'), ['--version'], full)
  expect(await ended).toEqual([1, null])
  expect(await words).toEqual(['', expect.stringMatching(/^confmesh: OUTPUT_FAILED: .*ENOSPC.*\n$/)])
})

test('a command ends though the program that runs it is there no more', async () => {
  const program = join(dir, 'node')
  copyFileSync(process.execPath, program)
  const gone = `process.on('exit', () => unlinkSync(process.execPath))`
  const begins = `import { unlinkSync } from 'node:fs'
    ${gone}${AT_FIRST_WORD('stderr')}`
  const { ended, words } = start(begins, ['--nonsense'], 'pipe', program)
  expect(await ended).toEqual([2, null])
  expect(await words).toEqual(['', expect.stringMatching(/^confmesh: USAGE: .*\n$/)])
})

test('a pipe to which others write as well is left to them as it was', async () => {
  execFileSync('mkfifo', [join(dir, 'shared')])
  const shared = openSync(join(dir, 'shared'), constants.O_RDWR)
  onTestFinished(() => closeSync(shared))
  const flags = () => /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${shared}`, 'utf8'))?.[1]
  const before = flags()
  const { ended } = start(AT_FIRST_WORD('stdout'), ['--version'], shared)
  expect(await ended).toEqual([0, null])
  expect(flags()).toBe(before)
})

test('a node that is stopped ends', async () => {
  const root = encodeEnvelopeJson(signEnvelope('root', encodeRoot(rootOne()), rootKeys))
  writeFileSync(join(dir, 'root.json'), root)
  const settings = ['root: root.json', 'data: data', 'listen: [/ip4/127.0.0.1/tcp/0]']
  const config = join(dir, 'node.yaml')
  writeFileSync(
    config,
    `${[...settings, 'api: { listen: "127.0.0.1:0" }', 'log: { level: error }'].join('\n')}\n`,
  )
  const { child, ended, words } = start(AT_ITS_END, ['node', '--config', config])
  await once(child.stdout as Readable, 'data')
  child.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
  expect(await words).toEqual([expect.stringMatching(/^ready: /), ''])
})
