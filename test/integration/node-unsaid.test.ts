/** A node that cannot start, and nobody who reads why: its supervisor sees it end. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-unsaid-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

test('a node that cannot start ends, with its exit code, where stderr is a pipe whose reader has stopped', async () => {
  const path = join(dir, 'pipe')
  execFileSync('mkfifo', [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const filler = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  expect(() => {
    for (;;) writeSync(filler, Buffer.alloc(4096))
  }).toThrow('EAGAIN')
  const args = [MAIN, 'node', '--config', join(dir, 'none.yaml')]
  const node = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', filler] })
  try {
    expect(await once(node, 'exit', { signal: AbortSignal.timeout(30_000) })).toEqual([2, null])
  } finally {
    node.kill('SIGKILL')
    for (const end of [filler, reader]) closeSync(end)
  }
})
