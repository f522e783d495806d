/** An attack that ended early is no attack: what its process says last, and what ends it, both count. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Orders, Said } from '../../../bench/attacker.ts'
import { attackWith } from '../../../bench/attacker-process.ts'

const ORDERS: Orders = {
  folder: '/nowhere',
  target: '/ip4/127.0.0.1/tcp/1' as Orders['target'],
  ...{ channel: 'bench/a', publisher: 'publisher', seconds: 1, only: '' },
}

const saying = (done: boolean): Said => ({ messages: 7, byKind: {}, reconnects: 1, done })
const say = (done: boolean): string => `console.log(${JSON.stringify(JSON.stringify(saying(done)))});`

test.each([
  ['attacked until its time was over', `${say(false)} ${say(true)}`, undefined],
  ['stopped before its time', say(false), 'the attacker ended before its time'],
  [
    'stopped in the middle of a word',
    `${say(false)} process.stdout.write('{"mess');`,
    'the attacker ended before its time',
  ],
  ['said nothing', '', 'the attacker ended before its time'],
  ['died midway', `${say(false)} process.exitCode = 1`, 'the attacker ended with code 1'],
  ['died at its end', `${say(true)} process.exitCode = 3`, 'the attacker ended with code 3'],
  [
    'was killed',
    `${say(false)} process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1_000)`,
    'the attacker ended with SIGKILL',
  ],
])('an attacker that %s', async (_, code, problem) => {
  const dir = mkdtempSync(join(tmpdir(), 'confmesh-attacker-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const script = join(dir, 'attacker.mjs')
  // reads its orders, so that it is there when they come
  writeFileSync(script, `process.stdin.once('data', () => { process.stdin.destroy(); ${code} })`)
  const ended = await attackWith(ORDERS, script)
  expect(ended.problem).toBe(problem)
  expect(ended.said?.messages).toBe(code === '' ? undefined : 7)
})
