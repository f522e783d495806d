/** One of two root keys is lost where either signs alone, as in the stolen-key drill: by the commands of the page. */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readPublicKey } from '../../src/cli/key-files.ts'
import { commandsOf } from './pages.ts'
import {
  confmesh,
  converged,
  type InitResult,
  json,
  publish,
  RealFleet,
  type RealNode,
  until,
} from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const fleet = new RealFleet()
let made: InitResult
let seed: RealNode
let node: RealNode
let folder: string

beforeAll(async () => {
  made = await fleet.init('fleet', ['--root-keys', '2', '--root-threshold', '1'])
  folder = join(fleet.dir, 'fleet')
  seed = await fleet.start('seed', made.seedConfig)
  node = await fleet.startNode('a', made)
})
afterAll(() => fleet.end())

async function run(words: readonly string[]): Promise<void> {
  const { code, err, out } = await confmesh(words, { cwd: folder })
  if (code !== 0) throw new Error(`confmesh ${words.join(' ')}: ${code}: ${err}${out}`)
}

const atRoot = (version: number) =>
  Promise.all(
    [seed, node].map(({ name, client }) =>
      until(`${name}: root ${version}`, 30_000, async () => (await client.status()).root.version === version),
    ),
  )

/** Neither half of the lost key is there: its id is the one that `trust show` prints beside those at hand. */
async function idOfLost(): Promise<string> {
  const { value } = await json(['trust', 'show', '--root', made.root])
  const { keys } = (value.roles as unknown as { root: { keys: string[] } }).root
  const { id: atHand } = readPublicKey(join(folder, 'root-1.key.pub'))
  const [lost, ...more] = keys.filter((key) => key !== atHand)
  if (lost === undefined || more.length > 0) throw new Error(`root keys: ${keys.join(' ')}`)
  return lost
}

test('one of two root keys is lost, and either signs alone: the new one signs, the lost one no longer', async () => {
  const lost = join(fleet.dir, 'root-2.key')
  cpSync(join(folder, 'root-2.key'), lost)
  for (const half of ['root-2.key', 'root-2.key.pub']) rmSync(join(folder, half))
  const replaced = { ADDRESS: seed.address, LOST: (await idOfLost()).slice(0, 8) }
  for (const words of commandsOf('Lose a root key', replaced)) await run(words)
  await atRoot(3)
  const { value } = await json(['trust', 'show', '--root', made.root])
  expect(value.roles).toMatchObject({ root: { threshold: 1, keys: { length: 2 } } })

  const renew = ['trust', 'renew', '--root', made.root, '--root-key']
  expect((await json([...renew, lost])).value.error?.code).toBe('CONFIG_KEY')
  await run([...renew, 'root-new.key'])
  await run(['trust', 'push', '--root', made.root, '--seed', seed.address])
  await atRoot(4)
  const { release } = await publish(made, CHANNEL, fleet.files('content', { 'app.conf': 'limit: 10\n' }))
  await converged([seed, node], CHANNEL, release)
})
