/** The folder with the newest root is lost, the root keys are not: the fleet has it, by the commands of the page. */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EXIT_CODES } from '../../src/cli/exit-codes.ts'
import { readRoot } from '../../src/cli/root-files.ts'
import { commandsOf } from './pages.ts'
import { confmesh, type InitResult, json, RealFleet, type RealNode, type Run, until } from './real-fleet.ts'

const fleet = new RealFleet()
let made: InitResult
let seed: RealNode
let node: RealNode
let folder: string
let first: string

beforeAll(async () => {
  made = await fleet.init()
  folder = join(fleet.dir, 'fleet')
  first = readFileSync(made.root, 'utf8')
  seed = await fleet.start('seed', made.seedConfig)
  node = await fleet.startNode('a', made)
})
afterAll(() => fleet.end())

async function run(words: readonly string[]): Promise<Run> {
  const ran = await confmesh(words, { cwd: folder })
  expect(ran, `confmesh ${words.join(' ')}: ${ran.err}`).toMatchObject({ code: 0 })
  return ran
}

async function refused(words: readonly string[], code: 'TRUST_ROOT_OLD' | 'TRUST_ROOT_FORK'): Promise<Run> {
  const ran = await confmesh(words, { cwd: folder })
  expect(ran).toMatchObject({ code: EXIT_CODES[code], err: expect.stringContaining(`confmesh: ${code}: `) })
  return ran
}

const section = (heading: string, instead: Record<string, string> = {}) =>
  commandsOf(heading, { ADDRESS: seed.address, ...instead })
const renewed = () => section('Renew the root') as [string[], string[]]
/** Another than a renewal of the same day. */
const CHANGE = 'trust set-freshness --max-age 90 --root root.json --root-key root-1.key'.split(' ')
const fetched = (root = 'root.json') => section('Fetch the newest root', { 'root.json': root })[0] as string[]

async function renews(): Promise<void> {
  for (const words of renewed()) await run(words)
  const { version } = readRoot(made.root).root
  for (const { name, client } of [seed, node])
    await until(
      `${name}: root ${version}`,
      30_000,
      async () => (await client.status()).root.version === version,
    )
}

const rootFiles = () => readdirSync(folder).filter((name) => /^root\.(\d+\.)?json$/.test(name))

/** All that is kept is one version, as `root.json`. */
function isLostBut(root: string): void {
  for (const name of rootFiles()) rmSync(join(folder, name))
  writeFileSync(made.root, root)
}

test('from the first root and the keys: fetched, renewed, handed out', async () => {
  await renews()
  await renews()
  const third = readFileSync(made.root, 'utf8')
  isLostBut(first)
  const { value } = await json(fetched(made.root))
  const kept = [1, 2].map((version) => join(folder, `root.${version}.json`))
  expect(value).toMatchObject({
    ...{ root: made.root, version: 3, from: 1, written: [...kept, made.root], refused: [], unreached: [] },
    seeds: [{ peer: seed.peerId, version: 3 }],
  })
  expect(readFileSync(made.root, 'utf8')).toBe(third)
  expect(await json(['trust', 'verify', '--root', made.root])).toMatchObject({ value: { verifiedFrom: 1 } })
  expect((await run(fetched())).out).toContain('root.json is version 3 already')
  await renews()
  expect(readRoot(made.root).root.version).toBe(4)
})

test('a change made from a backup is refused, and made again from the newest', async () => {
  const [before, second] = [
    readFileSync(made.root, 'utf8'),
    readFileSync(join(folder, 'root.2.json'), 'utf8'),
  ]
  await renews()
  isLostBut(before)
  const [, push] = renewed()
  await run(CHANGE)
  expect((await refused(push, 'TRUST_ROOT_FORK')).err).toContain('confmesh trust fetch')
  expect((await refused(fetched(), 'TRUST_ROOT_FORK')).err).toContain('--root root.4.json')
  renameSync(made.root, join(folder, 'not-taken.json'))
  await run(fetched('root.4.json'))
  expect(readRoot(made.root).root.version).toBe(5)
  await renews()

  // an older one still: what the fleet has since follows from it as well
  isLostBut(second)
  await run(CHANGE)
  expect((await refused(push, 'TRUST_ROOT_OLD')).err).toContain('confmesh trust fetch')
  expect((await run(fetched())).out).toContain('its root 3 was another than the one kept here')
  await renews()
})

test('with the seed dead the node of the same host has it', async () => {
  await seed.kill('SIGKILL')
  isLostBut(first)
  const words = ['trust', 'fetch', '--root', 'root.json', '--api', node.api]
  expect((await run(words)).out).toContain('root.json is version ')
  expect(readRoot(made.root).root.version).toBe((await node.client.status()).root.version)
})
