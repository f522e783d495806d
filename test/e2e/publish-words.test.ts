/** What publish, rollback and rotate say to people and pipelines of what they do, and what they refuse to pass over. */
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { confmesh, type InitResult, json, publish, RealFleet } from './real-fleet.ts'

const real = new RealFleet()
let fleet: InitResult
let first: string
let signing: string[]

beforeAll(async () => {
  fleet = await real.init()
  await real.start('seed', fleet.seedConfig)
  first = (await publish(fleet, 'pay/prod', real.files('a', { 'app.yaml': 'a: 1\n' }))).release
  signing = ['--key', fleet.publisherKey, '--seed', fleet.seedAddress]
})
afterAll(() => real.end())

test('a dry run without a terminal shows the difference and says that it was one', async () => {
  const next = real.files('b', { 'app.yaml': 'a: 1\n', 'more.yaml': 'b: 22\n' })
  const dry = ['publish', 'pay/prod', next, ...signing, '--dry-run']
  const { code, out, err } = await confmesh(dry)
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toMatch(
    new RegExp(
      `^- ${first.slice(0, 12)} by publisher, 1 file, 5 B\n\\+ publisher, counter 2, 2 files, 11 B\n \\+1 files, \\+6 bytes, 1 of 1 pages of the list of files changed\ndry run: nothing signed or sent\n$`,
    ),
  )
  expect((await json(dry)).value).toMatchObject({
    ...{ dryRun: true, replaces: first, newChannel: false },
    difference: { files: 1, bytes: 6, pages: 1, sameFiles: false },
  })
})

test('a publish without a terminal shows the difference beside its result; a rollback has the same fields', async () => {
  const next = real.files('c', { 'app.yaml': 'a: 3\n' })
  const { code, out, err } = await confmesh(['publish', 'pay/prod', next, ...signing])
  expect([code, out]).toEqual([
    0,
    expect.stringMatching(/^pay\/prod [0-9a-f]{12}: 1 file, 5 B, .* held by 1 seed\n$/),
  ])
  expect(err).toContain(`- ${first.slice(0, 12)} by publisher`)
  expect(err).toContain('as many files and bytes, others in them: 1 of 1 pages of the list of files changed')
  const back = ['rollback', 'pay/prod', '--to', first, ...signing]
  const done = (await json(back)).value
  expect(done).toMatchObject({ unchanged: false, newChannel: false, replaces: expect.any(String) })
  expect((await json(back)).value).toMatchObject({ unchanged: true, newChannel: false, replaces: null })
})

test('a short id that nobody here can complete: who was asked, and where the whole one is', async () => {
  const back = ['rollback', 'pay/prod', '--to', 'abcdef12', ...signing]
  const messageOf = async (api: string) => (await json([...back, '--api', api])).value.error?.message
  expect(await messageOf('http://127.0.0.1:9')).toMatch(
    /no such release of pay\/prod .* cannot be asked \(NET_UNREACHABLE\); give all 64 digits .* --json/,
  )
})

test('what was prepared and is there already is unchanged', async () => {
  const file = join(real.dir, 'release.json')
  const content = real.files('d', { 'app.yaml': 'a: 4\n' })
  expect((await json(['publish', 'pay/two', content, ...signing, '--prepare', file])).code).toBe(0)
  const inject = ['publish', '--prepared', file, '--seed', fleet.seedAddress]
  expect((await json(inject)).value).toMatchObject({ unchanged: false })
  expect((await json(inject)).value).toMatchObject({ unchanged: true, uploadedBytes: 0 })
})

test('--expect where nobody is asked is refused', async () => {
  const preparing = ['--prepare', join(real.dir, 'never.json'), '--expect', 'none']
  const { code, value } = await json([
    'publish',
    'pay/prod',
    join(real.dir, 'a'),
    '--key',
    fleet.publisherKey,
    ...preparing,
  ])
  expect([code, value.error?.code, value.error?.message]).toEqual([
    2,
    'USAGE',
    expect.stringContaining('--seed'),
  ])
})

test('a folder on stdin is no key', () => {
  const folder = openSync(real.dir, 'r')
  const launcher = join(import.meta.dirname, '../../dist/cli/launcher.js')
  const args = [
    'publish',
    'pay/prod',
    join(real.dir, 'a'),
    '--key',
    '-',
    '--root',
    fleet.root,
    '--seed',
    fleet.seedAddress,
  ]
  const { status, stderr } = spawnSync(process.execPath, [launcher, ...args], {
    stdio: [folder, 'ignore', 'pipe'],
    encoding: 'utf8',
  })
  closeSync(folder)
  expect([status, stderr]).toEqual([2, expect.stringContaining('CONFIG_KEY: --key -: ')])
})

test('rotate: what only seeds would use is refused without them; a key is asked for where something is signed', async () => {
  const key = join(real.dir, 'new.key')
  await json(['keygen', '--out', key])
  const rotate = [
    'trust',
    'rotate',
    'publisher',
    '--root',
    fleet.root,
    '--root-key',
    fleet.rootKeys[0] as string,
  ]
  const before = readFileSync(fleet.root)
  for (const [option, value] of [
    ['--key', key],
    ['--sign-with', 'true'],
    ['--channel', 'pay/prod'],
  ] as const) {
    const { code, value: said } = await json([...rotate, '--add-key', `${key}.pub`, option, value])
    expect([code, said.error?.code, said.error?.message]).toEqual([
      2,
      'USAGE',
      expect.stringContaining(option),
    ])
  }
  const removing = [...rotate, '--remove-key', `${fleet.publisherKey}.pub`, '--add-key', `${key}.pub`]
  const refused = await json([...removing, '--seed', fleet.seedAddress])
  expect([refused.code, refused.value.error?.message]).toEqual([2, expect.stringContaining('name a key')])
  expect(readFileSync(fleet.root)).toEqual(before)
  const added = await json([...rotate, '--add-key', `${key}.pub`, '--seed', fleet.seedAddress])
  expect(added).toMatchObject({ code: 0, value: { complete: true, reissued: [], refused: [] } })
})
