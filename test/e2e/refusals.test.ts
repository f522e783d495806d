import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { converged, type InitResult, json, publish, RealFleet, type RealNode } from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const fleet = new RealFleet()
let made: InitResult
let nodes: RealNode[]
let newest: string
let content: string
let firstPrepared: string

/** Signs a release into a file, without sending it. */
async function prepare(name: string, from: InitResult, more: readonly string[] = []): Promise<string> {
  const file = join(fleet.dir, `${name}.json`)
  const { value, code } = await json([
    'publish',
    CHANNEL,
    content,
    '--key',
    from.publisherKey,
    '--root',
    from.root,
    '--prepare',
    file,
    ...more,
  ])
  expect(value).not.toHaveProperty('error')
  expect(code).toBe(0)
  return file
}

const inject = (file: string, ...more: string[]): ReturnType<typeof json> =>
  json(['publish', '--prepared', file, '--seed', made.seedAddress, '--yes', ...more])

beforeAll(async () => {
  made = await fleet.init()
  const seed = await fleet.start('seed', made.seedConfig)
  nodes = [seed, ...(await Promise.all([1, 2].map((n) => fleet.startNode(`node${n}`, made))))]
  content = fleet.files('app', { 'app.yaml': 'replicas: 1\n' })
  firstPrepared = await prepare('first', made, ['--seed', made.seedAddress])
  expect((await inject(firstPrepared)).code).toBe(0)
  fleet.files('app', { 'app.yaml': 'replicas: 2\n' })
  newest = (await publish(made, CHANNEL, content)).release
  await converged(nodes, CHANNEL, newest)
  // Not what runs already, whichever of the tests is run alone.
  fleet.files('app', { 'app.yaml': 'replicas: 4\n' })
})
afterAll(() => fleet.end())

async function expectRefused(file: string, code: string, ...more: string[]): Promise<void> {
  const result = await inject(file, ...more)
  expect(result.value.error?.code).toBe(code)
  expect(result.code).toBe(3)
  await expectUnmoved()
}

async function expectUnmoved(): Promise<void> {
  for (const node of nodes) expect((await node.client.channel(CHANNEL)).active?.release).toBe(newest)
}

describe('what is refused, with its code and exit 3, and no node moves', () => {
  test('an older release', async () => {
    fleet.files('app', { 'app.yaml': 'replicas: 1\n' })
    await expectRefused(firstPrepared, 'ORDER_STALE')
  })

  test('a release of another fleet', async () => {
    const foreign = await fleet.init('foreign')
    await expectRefused(await prepare('foreign', foreign), 'ORDER_MISPLACED')
  })

  test('a prepared release in the place of another than expected, and a dry run of it', async () => {
    fleet.files('app', { 'app.yaml': 'replicas: 3\n' })
    const file = await prepare('third', made, ['--seed', made.seedAddress])
    for (const expected of ['none', '0'.repeat(64)])
      await expectRefused(file, 'PUBLISH_EXPECT', '--expect', expected)
    const dry = await inject(file, '--dry-run', '--expect', newest)
    expect(dry).toMatchObject({ code: 0, value: { dryRun: true, uploadedBytes: 0, acknowledgedBy: [] } })
    await expectUnmoved()
  })

  test('a changed byte', async () => {
    const file = await prepare('changed', made, ['--seed', made.seedAddress, '-m', 'the true text'])
    const form = JSON.parse(readFileSync(file, 'utf8')) as { envelope: { payload: string } }
    const payload = Buffer.from(form.envelope.payload, 'base64')
    const at = payload.indexOf('the true text')
    payload[at] = (payload[at] ?? 0) ^ 1
    form.envelope.payload = payload.toString('base64')
    writeFileSync(file, JSON.stringify(form))
    await expectRefused(file, 'TRUST_UNAUTHORISED')
  })

  test('an unknown key', async () => {
    const key = join(fleet.dir, 'stranger.key')
    expect((await json(['keygen', '--out', key])).code).toBe(0)
    const file = await prepare('unknown', made, ['--seed', made.seedAddress])
    const form = JSON.parse(readFileSync(file, 'utf8')) as { envelope: { signatures: unknown[] } }
    form.envelope.signatures = []
    writeFileSync(file, JSON.stringify(form))
    const signed = await json(['sign', file, '--key', key])
    if (signed.code !== 0)
      expect(signed).toMatchObject({ code: 3, value: { error: { code: 'TRUST_UNAUTHORISED' } } })
    await expectRefused(file, 'TRUST_UNAUTHORISED')
  })

  test('a release below its threshold', async () => {
    const second = join(fleet.dir, 'second.key')
    await json(['keygen', '--out', second])
    const two = join(fleet.dir, 'team.key')
    await json(['keygen', '--out', two])
    const change = await json([
      'trust',
      'add-publisher',
      'team',
      '--public-key',
      `${second}.pub`,
      '--public-key',
      `${two}.pub`,
      '--threshold',
      '2',
      '--channel',
      CHANNEL,
      '--root',
      made.root,
      '--root-key',
      ...made.rootKeys,
    ])
    expect(change.value).not.toHaveProperty('error')
    const pushed = await json(['trust', 'push', '--root', made.root, '--seed', made.seedAddress])
    expect(pushed.value).not.toHaveProperty('error')
    const file = await prepare('below', { ...made, publisherKey: second }, ['--seed', made.seedAddress])
    await expectRefused(file, 'TRUST_UNAUTHORISED')
  })
})
