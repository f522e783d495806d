import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { NodeConfig } from '../../../src/daemon/config.ts'
import { checkCommands } from '../../../src/daemon/doctor/commands.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-doctor-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const judged = async (hook: string, health?: string): Promise<readonly boolean[]> => {
  const hooks = [{ channels: ['**'], command: [hook, 'argument'], timeoutMs: 1_000 }]
  const times = { timeoutMs: 1_000, soakMs: 0 }
  const command = health === undefined ? {} : { command: [health] }
  const findings = await checkCommands({ hooks, health: { ...times, ...command } } as unknown as NodeConfig)
  return findings.map(({ ok }) => ok)
}

test('programs that can be run are well, by path or by name', async () => {
  const check = join(dir, 'check')
  writeFileSync(check, '#!/bin/sh\n')
  expect(await judged(check)).toEqual([false])
  chmodSync(check, 0o755)
  expect(await judged(check, 'sh')).toEqual([true, true])
})

test('what is absent, a folder, or in no folder of PATH is not', async () => {
  mkdirSync(join(dir, 'folder'))
  expect(await judged(join(dir, 'nowhere'), join(dir, 'folder'))).toEqual([false, false])
  expect(await judged('no-such-program', '/nope/check')).toEqual([false, false])
})

test('a path below the folder of each channel is not judged', async () => {
  expect(await judged('current/bin/reload')).toEqual([true])
})
