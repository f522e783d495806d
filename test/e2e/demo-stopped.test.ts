/** A demo that is stopped before it is through leaves nothing: its folder holds keys. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, expect, test } from 'vitest'

const LAUNCHER = join(import.meta.dirname, '../../dist/cli/launcher.js')
const TMPDIR = mkdtempSync(join(tmpdir(), 'confmesh-stopped-'))
/** Of those that were not stopped: without an end of their own they would go on. */
const running = new Set<number>()
afterEach(() => {
  for (const pid of running) process.kill(-pid, 'SIGKILL')
  running.clear()
})
afterAll(() => rmSync(TMPDIR, { recursive: true, force: true }))

/**
 * Once it says so; it goes on until it is stopped, for however late that is read.
 * @param whole the terminal sends it to every process of the group
 */
async function stopped(said: string, signal: NodeJS.Signals, whole: boolean): Promise<unknown[]> {
  const args = [LAUNCHER, 'demo', '--nodes', '2', '--regions', '1']
  const env = { ...process.env, TMPDIR }
  const demo = spawn(process.execPath, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(demo, 'close')
  let err = ''
  demo.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const pid = demo.pid as number
  running.add(pid)
  let isStopped = false
  createInterface(demo.stdout).on('line', (line) => {
    if (isStopped || !line.startsWith(`· ${said}`)) return
    isStopped = true
    process.kill(whole ? -pid : pid, signal)
  })
  const how = await ended
  running.delete(pid)
  return [...how, err]
}

test.each([
  ['making keys', 'SIGTERM', false],
  ['starting', 'SIGINT', true],
  ['publishing', 'SIGINT', true],
  ['publishing', 'SIGHUP', true],
] as const)('%s: %s', async (said, signal, whole) => {
  expect(await stopped(said, signal, whole)).toEqual([null, signal, ''])
  expect(readdirSync(TMPDIR)).toEqual([])
})
