import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { parentOf, processesWith } from './processes.ts'
import { confmesh, converged, publish, RealFleet, until } from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const fleet = new RealFleet()
afterAll(() => fleet.end())

/** Flips some bytes of the largest file of a store. */
function damage(store: string): void {
  const files = readdirSync(store)
    .filter((name) => /\.(ldb|log)$/.test(name))
    .sort((a, b) => statSync(join(store, b)).size - statSync(join(store, a)).size)
  const path = join(store, files[0] as string)
  const bytes = readFileSync(path)
  for (let at = Math.floor(bytes.length / 3); at < bytes.length; at += Math.floor(bytes.length / 5))
    bytes[at] = (bytes[at] ?? 0) ^ 0xff
  writeFileSync(path, bytes)
}

test('bytes flipped in a stopped node: found, never served, healed from peers', async () => {
  const made = await fleet.init()
  await fleet.start('seed', made.seedConfig)
  const victim = await fleet.startNode('victim', made)
  const text = Array.from({ length: 60_000 }, (_, n) => `line ${n}\n`).join('')
  const dir = fleet.files('app', { 'app.txt': text })
  const { release } = await publish(made, CHANNEL, dir)
  await converged([victim], CHANNEL, release)
  await victim.kill('SIGTERM')

  damage(join(victim.data, 'store'))
  expect((await confmesh(['verify', '--data', victim.data, '--json'])).code).toBe(1)

  const again = await fleet.startNode('victim', made)
  await converged([again], CHANNEL, release)
  // Until the damaged block has come from a peer a read breaks off; what it gives is never wrong.
  const read = await until('the file is whole again', 30_000, async () =>
    Buffer.from(await again.client.get(CHANNEL, 'app.txt')),
  )
  expect(read.toString()).toBe(text)
  await again.kill('SIGTERM')
  const verified = await confmesh(['verify', '--data', victim.data, '--json'])
  expect(verified.code, verified.out).toBe(0)
}, 180_000)

test('a node told to end while it reads a damaged store ends in the time of any stop', async () => {
  const made = await fleet.init('second')
  await fleet.start('second-seed', made.seedConfig)
  const node = await fleet.startNode('slow', made)
  const { release } = await publish(
    made,
    CHANNEL,
    fleet.files('slow-app', { 'app.txt': 'text\n'.repeat(9_000) }),
  )
  await converged([node], CHANNEL, release)
  await node.kill('SIGTERM')
  damage(join(node.data, 'store'))

  // Whoever reads a damaged store stands still at once here, so that the start is not through before it is told to end.
  const still = join(fleet.dir, 'still.mjs')
  writeFileSync(still, `if (process.argv[1].includes('salvage-reader')) process.kill(process.pid, 'SIGSTOP')`)
  const env = { NODE_OPTIONS: `--import ${still}` }
  const ended = fleet.start('slow', made.nodeConfig, fleet.own('slow'), { env }).catch(String)
  const readers = () => processesWith(`${node.data}/store`)
  try {
    const reader = await until('its store is read', 20_000, async () => readers()[0])
    const fromMs = performance.now()
    process.kill(parentOf(reader), 'SIGTERM')
    expect(await ended).toContain('ended with 1')
    expect(performance.now() - fromMs).toBeLessThan(20_000)
  } finally {
    for (const pid of processesWith(node.data)) process.kill(pid, 'SIGKILL')
  }
}, 120_000)
