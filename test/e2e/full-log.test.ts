/** What takes the log, or what goes to stdout, is full, a disk or a pipe that nobody reads: a node serves on. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type InitResult, RealFleet } from './real-fleet.ts'

const real = new RealFleet()
let fleet: InitResult
beforeAll(async () => {
  fleet = await real.init()
})
afterAll(() => real.end())

test('a node whose log cannot be written starts, answers, and ends in order', async () => {
  const full = openSync('/dev/full', 'w')
  const node = await real.start('full', fleet.seedConfig, ['--data', `${real.dir}/full`], { logTo: full })
  closeSync(full)
  for (let asked = 0; asked < 50; asked += 1) {
    // A line of the log each.
    expect(await statusFor(`${node.api}/healthz`, 'elsewhere.example')).toBe(421)
  }
  expect((await fetch(`${node.api}/healthz`)).status).toBe(200)
  await node.kill('SIGTERM')
  expect([node.process.exitCode, node.process.signalCode]).toEqual([0, null])
})

test('nor does one wait for a reader of its log who has stopped', async () => {
  const pipe = fullPipe()
  const node = await real.start('unread', fleet.seedConfig, ['--data', `${real.dir}/unread`], {
    logTo: pipe.writer,
  })
  closeSync(pipe.writer)
  for (let asked = 0; asked < 50; asked += 1) {
    expect(await statusFor(`${node.api}/healthz`, 'elsewhere.example')).toBe(421)
  }
  const answer = await fetch(`${node.api}/healthz`, { signal: AbortSignal.timeout(10_000) })
  expect(answer.status).toBe(200)
  await node.kill('SIGTERM')
  closeSync(pipe.reader)
  expect([node.process.exitCode, node.process.signalCode]).toEqual([0, null])
})

test('nor does one end that cannot say on stdout that it is ready', async () => {
  const full = openSync('/dev/full', 'w')
  const launcher = join(import.meta.dirname, '../../dist/cli/launcher.js')
  const args = ['node', '--config', fleet.seedConfig, '--data', `${real.dir}/mute`, '--api', '127.0.0.1:0']
  const node = spawn(process.execPath, [launcher, ...args], { stdio: ['ignore', full, 'pipe'] })
  closeSync(full)
  try {
    const ended = once(node, 'exit')
    const api = await readyApi(node.stderr as Readable)
    expect((await fetch(`${api}/healthz`)).status).toBe(200)
    node.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
  } finally {
    node.kill('SIGKILL')
  }
})

/** A pipe that takes nothing more: its reader, which is this process, has stopped. */
function fullPipe(): { writer: number; reader: number } {
  const path = join(real.dir, 'pipe')
  execFileSync('mkfifo', [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const filler = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  // a pipe takes so much whole or not at all
  const lines = Buffer.alloc(4096, '\n')
  try {
    for (;;) writeSync(filler, lines)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
  }
  closeSync(filler)
  return { writer: openSync(path, 'w'), reader }
}

/** Where it answers, as its log says. @throws Error where that ends before */
async function readyApi(log: Readable): Promise<string> {
  const said: string[] = []
  for await (const line of createInterface(log)) {
    said.push(line)
    if (!line.includes('"READY"')) continue
    log.resume()
    return (JSON.parse(line) as { api: string }).api
  }
  throw new Error(said.join('\n'))
}

async function statusFor(url: string, host: string): Promise<number | undefined> {
  const [answer] = (await once(get(url, { headers: { host } }), 'response')) as [IncomingMessage]
  answer.resume()
  return answer.statusCode
}
