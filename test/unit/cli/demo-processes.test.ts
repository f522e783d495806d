/** The processes of a demo on a machine that is at its limits. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { withLogs } from '../../../src/cli/demo/fleet.ts'
import { Processes } from '../../../src/cli/demo/processes.ts'
import { MeshError } from '../../../src/errors.ts'

const node = process.execPath
/** Until it listens: what is tested comes sooner. */
const START_MS = 30_000
let dir: string
let processes: Processes
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-processes-'))
  processes = new Processes()
})
afterEach(async () => {
  process.execPath = node
  await processes.end(1_000)
  rmSync(dir, { recursive: true, force: true })
})

/** Instead of Node, whatever it is told to run. */
function running(script: string): void {
  process.execPath = join(dir, 'program')
  writeFileSync(process.execPath, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
}
const start = (log = join(dir, 'log')) => processes.startNode('node-01', 'eu', [], log, START_MS)

test('what cannot be started is told in one line', async () => {
  process.execPath = join(dir, 'gone')
  const failed = (what: string) => ({
    code: 'INTERNAL',
    message: expect.stringContaining(`${what} cannot be`),
  })
  await expect(processes.run(['init', dir])).rejects.toMatchObject(failed('confmesh init'))
  await expect(start()).rejects.toMatchObject(failed('node-01'))
})

test('once all have ended no log comes back: the folder can go', async () => {
  for (let times = 0; times < 20; times += 1) {
    const within = mkdtempSync(join(dir, 'demo-'))
    const ended = new Processes()
    process.execPath = join(dir, 'gone')
    await expect(ended.startNode('node-01', 'eu', [], join(within, 'log'), START_MS)).rejects.toThrow()
    await ended.end(1_000)
    // Made by then, so that what is removed is all there will be.
    expect(readdirSync(within)).toEqual(['log'])
  }
})

test('an error that is thrown at the start, as where memory is short, is told as one that comes later', async () => {
  const tooLong = 'x'.repeat(4_000_000)
  for (const [what, starting] of [
    ['confmesh init', processes.run(['init', tooLong])],
    ['node-01', processes.startNode('node-01', 'eu', [tooLong], join(dir, 'log'), START_MS)],
  ] as const)
    await expect(starting).rejects.toMatchObject({
      code: 'INTERNAL',
      message: expect.stringMatching(`^${what} cannot be started: E2BIG; .*ulimit`),
    })
})

test('whatever fails, the folder with the logs is named', () => {
  const place = { dir, processes, leave: async () => {} }
  for (const error of [new MeshError('NET_TIMEOUT', 'late'), new Error('late'), 'late'])
    expect(withLogs(error, place)).toMatchObject({
      code: error instanceof MeshError ? 'NET_TIMEOUT' : 'INTERNAL',
      message: expect.stringMatching(new RegExp(`^late.*; the logs are in ${dir}$`)),
      details: { dir },
    })
})

test('a node whose log cannot be written is not held up by it, and the log counts as cut', async () => {
  // More than a pipe takes of what nobody reads.
  const ready = '{"event":"ready","api":"http://127.0.0.1:1","peerId":"p","addresses":[]}'
  running(`head -c 300000 /dev/zero >&2; echo '${ready}'; exec sleep 60`)
  for (const log of ['/dev/full', join(dir, 'gone/log')])
    expect(await start(log)).toMatchObject({ name: 'node-01', peerId: 'p' })
  expect(processes.cutLogs).toBe(2)
})

test('all end with it: what is just starting, too, and nothing starts after that', async () => {
  running('exec sleep 60')
  const [command, starting] = [processes.run(['init', dir]), start()].map((one) => one.catch(String))
  await processes.end(1_000)
  expect(await command).toContain('said nothing that can be read')
  expect(await starting).toContain('ended before it listened')
  await expect(processes.run(['init', dir])).rejects.toMatchObject({ code: 'INTERNAL' })
  await expect(start()).rejects.toMatchObject({ code: 'INTERNAL' })
})
