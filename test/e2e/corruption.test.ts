import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { confmesh, converged, publish, RealFleet, until } from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const fleet = new RealFleet()
afterAll(() => fleet.end())

test('bytes flipped in a stopped node: found, never served, healed from peers', async () => {
  const made = await fleet.init()
  await fleet.start('seed', made.seedConfig)
  const victim = await fleet.startNode('victim', made)
  const text = Array.from({ length: 60_000 }, (_, n) => `line ${n}\n`).join('')
  const dir = fleet.files('app', { 'app.txt': text })
  const { release } = await publish(made, CHANNEL, dir)
  await converged([victim], CHANNEL, release)
  await victim.kill('SIGTERM')

  const store = join(victim.data, 'store')
  const files = readdirSync(store)
    .filter((name) => /\.(ldb|log)$/.test(name))
    .sort((a, b) => statSync(join(store, b)).size - statSync(join(store, a)).size)
  const path = join(store, files[0] as string)
  const bytes = readFileSync(path)
  for (let at = Math.floor(bytes.length / 3); at < bytes.length; at += Math.floor(bytes.length / 5))
    bytes[at] = (bytes[at] ?? 0) ^ 0xff
  writeFileSync(path, bytes)
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
