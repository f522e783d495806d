/** A log that nobody reads: the process goes on, keeps the first lines for later, and never waits for a reader. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'

const SOURCE = new URL('../../../src/daemon/log.ts', import.meta.url)
/** Logs as many lines as it is told on stdin, and says so; ends when it is told to. */
const PROGRAM = `import { createInterface } from 'node:readline'
import { createLogger } from '${SOURCE}'
process.stderr.on('error', () => {})
const logger = await createLogger('info')
let at = 0
for await (const count of createInterface(process.stdin)) {
  if (count === 'end') process.exit()
  for (const end = at + Number(count); at < end; at += 1) logger.info({ at }, 'x'.repeat(500))
  console.log('logged')
}`

let dir: string
let reader: number
let child: ChildProcess
let said: Interface
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-log-'))
  const pipe = join(dir, 'pipe')
  execFileSync('mkfifo', [pipe])
  reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
  const log = openSync(pipe, 'w')
  child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], { stdio: ['pipe', 'pipe', log] })
  closeSync(log)
  said = createInterface(child.stdout as NodeJS.ReadableStream)
})
afterEach(() => {
  child.kill('SIGKILL')
  closeSync(reader)
  rmSync(dir, { recursive: true })
})

async function logs(count: number): Promise<void> {
  const done = once(said, 'line', { signal: AbortSignal.timeout(20_000) })
  child.stdin?.write(`${count}\n`)
  expect(await done).toEqual(['logged'])
}

/** Of each whole line, which one it is. */
const numbersIn = (log: string): number[] =>
  log
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { at: number }).at)

/** What the pipe holds now. */
function read(): string {
  const parts: Buffer[] = []
  for (;;) {
    const part = Buffer.alloc(64 * 1024)
    try {
      const bytes = readSync(reader, part)
      if (bytes === 0) break
      parts.push(part.subarray(0, bytes))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      break
    }
  }
  return Buffer.concat(parts).toString()
}

test('a pipe that is full stops nobody; once it is read the kept lines come by themselves, and later ones behind', async () => {
  await logs(2_000)
  let log = ''
  const hears = (): string => {
    log += read()
    return log
  }
  // more than a pipe holds
  await expect.poll(() => hears().length, { timeout: 20_000 }).toBeGreaterThan(200 * 1024)
  const hearsLater = async (): Promise<boolean> => {
    await logs(1)
    return hears().endsWith('\n') && (numbersIn(log).at(-1) ?? 0) >= 2_000
  }
  await expect.poll(hearsLater, { timeout: 20_000 }).toBe(true)
  const got = numbersIn(log)
  const kept = got.findIndex((at, index) => at !== index)
  // whole lines from the first on, as many as are kept; then those since it is read again
  expect(kept).toBeGreaterThan(400)
  expect(kept).toBeLessThan(1_000)
  expect(got[kept]).toBeGreaterThanOrEqual(2_000)
})

test('a process that ends writes as much of the kept lines as the pipe takes by then, behind what was read before', async () => {
  await logs(2_000)
  const before = read()
  const ended = once(child, 'exit', { signal: AbortSignal.timeout(20_000) })
  child.stdin?.write('end\n')
  expect(await ended).toEqual([0, null])
  const rest = read()
  // a pipe that holds 64 KiB, some of its pages not to their end
  expect(rest.length).toBeGreaterThan(48 * 1024)
  const got = numbersIn(before + rest)
  expect(got).toEqual(got.map((_, index) => index))
})
