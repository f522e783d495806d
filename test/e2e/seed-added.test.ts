/** One more seed, whose folder holds the newest root alone: it leads a pipeline there that has the first. */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { freePort } from '../../src/cli/demo/free-port.ts'
import { confmesh, converged, json, RealFleet, until } from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const fleet = new RealFleet()
afterAll(() => fleet.end())

const done = async (args: readonly string[]) => {
  const { value } = await json(args)
  expect(value).not.toHaveProperty('error')
  return value as unknown as { seedConfig: string }
}

test('an added seed fetches the roots below its own, and gives them to a pipeline with the first', async () => {
  const made = await fleet.init()
  const first = join(fleet.dir, 'first-root.json')
  cpSync(made.root, first)
  const old = await fleet.start('old', made.seedConfig)
  const signed = ['--root', made.root, '--root-key', ...made.rootKeys]
  const dir = join(fleet.dir, 'added')
  const address = ['--host', '127.0.0.1', '--port', String(await freePort())]
  const { seedConfig } = await done(['add-seed', dir, '--from', made.seedConfig, ...address, ...signed])
  await done(['trust', 'raise-epoch', '**', ...signed])
  await done(['trust', 'push', '--root', made.root, '--seed', old.address])
  cpSync(made.root, join(dir, 'root.json'))

  const added = await fleet.start('added', seedConfig)
  const files = fleet.files('app', { 'app.yaml': 'replicas: 3\n' })
  const publish = ['publish', CHANNEL, files, '--root', first, '--key', made.publisherKey, '--yes', '--json']
  const release = await until('published with the first root, at the new seed alone', 60_000, async () => {
    const { code, out } = await confmesh([...publish, '--seed', added.address])
    return code === 0 && (JSON.parse(out).release as string)
  })
  await converged([old, added], CHANNEL, release)
})
