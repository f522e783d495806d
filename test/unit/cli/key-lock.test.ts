/** The lock beside a publisher's key, between runs and within one. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { lockKey, lockKeys } from '../../../src/cli/key-lock.ts'

let dir = ''
let key = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-key-lock-'))
  key = join(dir, 'publisher.key')
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(dir, { recursive: true, force: true })
})

const busy = { code: 'LIMIT_TIMEOUT', message: expect.stringContaining('publisher.key.lock: another run') }

test('one run at a time holds a key; the next has it as soon as it is free', async () => {
  const free = await lockKey(key, 1_000)
  await expect(lockKey(key, 1)).rejects.toMatchObject(busy)
  const next = lockKey(key, 60_000)
  await free()
  const freeNext = await next
  await freeNext()
})

/** Another process that holds the lock. */
async function holder(): Promise<ChildProcess> {
  const source = new URL('../../../src/cli/key-lock.ts', import.meta.url)
  const script = `import { lockKey } from '${source}'
await lockKey(process.argv[1], 1000)
console.log('held')
setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, key], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return child
}

test('a lock is free as soon as its process is dead, and not before, even where it does not run', async () => {
  const child = await holder()
  child.kill('SIGSTOP')
  await expect(lockKey(key, 500)).rejects.toMatchObject(busy)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const free = await lockKey(key, 0)
  await free()
}, 60_000)

test('a lock that is left does not depend on what is written there: no pid, no host name, no time', async () => {
  const free = await lockKey(key, 1)
  await free()
  // Of another container, of this very pid, of long ago: all the same.
  writeFileSync(join(`${key}.lock`, 'LOCK'), `${process.pid}\n`)
  const again = await lockKey(key, 0)
  await again()
})

test('several keys are locked in one order, and all of them or none', async () => {
  const other = join(dir, 'another.key')
  const free = await lockKey(key, 1)
  await expect(lockKeys([key, other], 1)).rejects.toMatchObject(busy)
  await free()
  const both = await lockKeys([key, other], 0)
  await both()
  expect(readdirSync(dir).sort()).toEqual(['another.key.lock', 'publisher.key.lock'])
})

test('what cannot be locked is said with what to do', async () => {
  writeFileSync(`${key}.lock`, '1\n')
  await expect(lockKey(key, 1)).rejects.toMatchObject({
    code: 'INPUT_PATH',
    message: expect.stringMatching(/publisher\.key\.lock is the lock of an older build; remove it/),
  })
  rmSync(`${key}.lock`)
  mkdirSync(join(`${key}.lock`, 'LOCK'), { recursive: true })
  await expect(lockKey(key, 1)).rejects.toMatchObject({
    code: 'INPUT_PATH',
    message: expect.stringMatching(
      /^cannot lock .*publisher\.key\.lock: .*; make the key's folder, and the lock in it, this user's own and writable, on a file system with locks, or give the key by CONFMESH_KEY$/,
    ),
  })
})

test.each([
  ['IO error: /k/LOCK: No space left on device', 'STORE_FULL'],
  ['IO error: /k/LOCK: Too many open files', 'STORE_FAILED'],
  ['IO error: /k/LOCK: No file descriptors available', 'STORE_FAILED'],
  ['IO error: /k/LOCK: Input/output error', 'STORE_FAILED'],
  ['IO error: /k/LOCK: I/O error', 'STORE_FAILED'],
  ['IO error: /k/LOCK: Permission denied', 'INPUT_PATH'],
])(
  'a lock that cannot be made, %s: a key without memory is advised only where nothing may be written',
  async (text, code) => {
    vi.spyOn(Level.prototype, 'open').mockRejectedValue(new Error('not open', { cause: new Error(text) }))
    const error = await lockKey(key, 0).catch((failed: unknown) => failed)
    expect(error).toMatchObject({ code })
    expect(String(error).includes('CONFMESH_KEY')).toBe(code === 'INPUT_PATH')
  },
)

test('a file system without locks is told at once: no other run is waited for', async () => {
  const text = 'IO error: lock /k/LOCK: No locks available'
  const cause = Object.assign(new Error(text), { code: 'LEVEL_LOCKED' })
  vi.spyOn(Level.prototype, 'open').mockRejectedValue(new Error('not open', { cause }))
  await expect(lockKey(key, 0)).rejects.toMatchObject({
    code: 'INPUT_PATH',
    message: expect.stringContaining(text),
  })
})
