/** Rotation where two of three root keys must sign and each is in other hands: by the commands of its page. */
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commandsOf } from './pages.ts'
import {
  confmesh,
  converged,
  type InitResult,
  publish,
  RealFleet,
  type RealNode,
  type Run,
  until,
} from './real-fleet.ts'

const CHANNELS = ['payments/prod', 'web/prod']
const DRAFT = 'root.2.draft.json'
const fleet = new RealFleet()
let made: InitResult
let seed: RealNode
let nodes: RealNode[]
/** Of the first holder, who has the publisher's keys, too; and of the second, who has one root key. */
let first: string
let second: string
const before = new Map<string, string>()

beforeAll(async () => {
  made = await fleet.init('fleet', ['--root-keys', '3', '--root-threshold', '2'])
  first = join(fleet.dir, 'fleet')
  second = join(fleet.dir, 'second')
  mkdirSync(second)
  for (const file of ['root.json', 'root-2.key']) cpSync(join(first, file), join(second, file))
  seed = await fleet.start('seed', made.seedConfig)
  nodes = [seed, await fleet.startNode('a', made), await fleet.startNode('b', made)]
  for (const channel of CHANNELS) {
    const files = fleet.files(channel, { 'app.conf': `of ${channel}\n` })
    const { release } = await publish(made, channel, files)
    before.set(channel, release)
    await converged(nodes, channel, release)
  }
})
afterAll(() => fleet.end())

/** The page's command of this name, with what this person changes in it. */
function command(name: string, instead: Record<string, string> = {}): string[] {
  const replaced = { ADDRESS: seed.address, 'root.N.draft.json': DRAFT, ...instead }
  const all = commandsOf("Rotate a publisher's key", replaced)
  const found = all.find((words) => words.slice(0, 2).includes(name))
  if (found === undefined) throw new Error(`the page has no ${name}`)
  return found
}

async function run(cwd: string, words: readonly string[], says?: string): Promise<Run> {
  const ran = await confmesh(words, { cwd, ...(says === undefined ? {} : { says }) })
  expect(ran, ran.err + ran.out).toMatchObject({ code: 0 })
  return ran
}

const fails = async (cwd: string, words: readonly string[], exit: number, error: string): Promise<void> => {
  const { code, err } = await confmesh(words, { cwd })
  expect(err).toContain(`confmesh: ${error}: `)
  expect(code).toBe(exit)
}

/** Asked at a terminal and answered with no: the explanation came first. */
async function declines(cwd: string, words: readonly string[]): Promise<void> {
  const { code, err, out } = await confmesh(words, { cwd, says: 'n\n' })
  expect(err).toMatch(/(write|sign) this root\? \[y\/N\]/)
  expect(err).toContain('confmesh: PUBLISH_DECLINED: nothing was changed')
  expect(code).toBe(1)
  explains(out)
}

function explains(out: string): void {
  expect(out).toContain('root 1 -> 2 of fleet')
  expect(out).toMatch(/publisher publisher: key [0-9a-f]{12} is removed/)
  expect(out).toContain('new epoch 2 for every channel that ')
  for (const channel of CHANNELS) expect(out).toContain(`${channel} must be issued again under root 2`)
}

async function nothingReachedTheFleet(): Promise<void> {
  for (const { client } of nodes) {
    expect((await client.status()).root.version).toBe(1)
    for (const [channel, release] of before)
      expect((await client.channel(channel)).active?.release).toBe(release)
  }
}

test('the first holder is told what changes, may say no, and leaves a draft', async () => {
  await run(first, command('keygen'))
  const rotate = command('rotate')
  await fails(first, command('rotate', { 'new.key': 'publisher.key' }), 3, 'TRUST_UNAUTHORISED')
  await declines(first, rotate)
  expect(existsSync(join(first, DRAFT))).toBe(false)
  const { out } = await run(first, rotate)
  explains(out)
  expect(out).toContain('nothing was handed out yet; once enough have signed: confmesh trust push')
  expect(existsSync(join(first, DRAFT))).toBe(true)
  await nothingReachedTheFleet()
})

test('so is the second, who signs another’s change', async () => {
  cpSync(join(first, DRAFT), join(second, DRAFT))
  const draft = readFileSync(join(second, DRAFT), 'utf8')
  await declines(second, command('sign'))
  expect(readFileSync(join(second, DRAFT), 'utf8')).toBe(draft)
  const { out } = await run(second, command('sign'), 'y\n')
  explains(out)
  expect(out).toContain('root.json is version 2 now')
  await nothingReachedTheFleet()
})

test('pushed with the new key, the root goes out together with a new release of every channel', async () => {
  cpSync(join(second, 'root.json'), join(first, 'root.json'))
  await fails(first, command('push'), 3, 'TRUST_ROOT_GAP')
  cpSync(join(second, 'root.1.json'), join(first, 'root.1.json'))
  await fails(first, command('push', { 'new.key': 'publisher.key' }), 3, 'TRUST_UNAUTHORISED')
  await nothingReachedTheFleet()

  const { out } = await run(first, command('push'))
  for (const channel of CHANNELS) expect(out).toContain(`${channel} issued again as `)
  for (const node of nodes)
    for (const [channel, release] of before)
      await until(`${node.name}: ${channel} is active under the new root`, 30_000, async () => {
        const { root } = await node.client.status()
        const { active, state } = await node.client.channel(channel)
        return root.version === 2 && state === 'active' && active?.release !== release
      })
  for (const channel of CHANNELS)
    expect(Buffer.from(await seed.client.get(channel, 'app.conf')).toString()).toBe(`of ${channel}\n`)
})

test('from then on the new key publishes, and the old one no more', async () => {
  const files = fleet.files('next', { 'app.conf': 'next\n' })
  const key = join(first, 'new.key')
  await expect(publish(made, 'web/prod', files)).rejects.toThrow(/TRUST_UNAUTHORISED|CONFIG_KEY/)
  await converged(nodes, 'web/prod', (await publish(made, 'web/prod', files, { key })).release)
  expect((await run(first, command('push'))).out).toContain('nothing is issued again: ')
})

test('keys that may publish on some of the channels issue these again; the others are named', async () => {
  const files = fleet.files('site', { 'app.conf': 'site\n' })
  const { release } = await publish(made, 'partner/site', files, { key: join(first, 'new.key') })
  const keys = ['root-1.key', 'root-2.key'].flatMap((key) => ['--root-key', key])
  const signed = ['--root', 'root.json', ...keys]
  const partner = ['--public-key', 'partner.key.pub', '--channel', 'partner/*']
  await run(first, ['keygen', '--out', 'partner.key'])
  await run(first, ['trust', 'add-publisher', 'partner', ...partner, ...signed])
  await run(first, ['trust', 'raise-epoch', '**', ...signed])
  const { out } = await run(first, command('push', { 'new.key': 'partner.key' }))
  for (const channel of CHANNELS)
    expect(out).toContain(`${channel} is not issued again: these keys may not publish there`)
  await until('partner/site is the partner’s', 30_000, async () => {
    const { active, state } = await seed.client.channel('partner/site')
    return state === 'active' && active?.publisher === 'partner' && active.release !== release
  })
})

test('pushed without keys, a root says what it leaves without a release; pushed with them again, what is left', async () => {
  const keys = ['root-1.key', 'root-2.key'].flatMap((key) => ['--root-key', key])
  await run(first, ['trust', 'raise-epoch', 'web/*', '--root', 'root.json', ...keys])
  const version = JSON.parse(
    (await confmesh(['trust', 'show', '--root', 'root.json', '--json'], { cwd: first })).out,
  ).version as number
  const plain = await run(first, ['trust', 'push', '--root', 'root.json', '--seed', seed.address])
  expect(plain.out).toContain(`publish web/prod again: nothing there counts under root ${version}`)
  expect(plain.out).not.toContain('payments/prod')

  // what a rotation that was cut off leaves: the root is out, the channel stale
  const again = await confmesh(command('push'), { cwd: first })
  expect(again.err).toContain(`ORDER_STALE_EPOCH: web/prod is left without a release under root ${version}`)
  expect(again.err).toContain('confmesh publish')
  expect(again.code).toBe(3)
  const files = fleet.files('after', { 'app.conf': 'after\n' })
  await publish(made, 'web/prod', files, { key: join(first, 'new.key') })
  await publish(made, 'payments/prod', files, { key: join(first, 'new.key') })
  await run(first, command('push'))
})
