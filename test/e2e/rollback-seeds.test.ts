/** What seeds alone hold, signed anew where one of them never had it: an old release, and one of an epoch that has ended. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { EXIT_CODES } from '../../src/cli/exit-codes.ts'
import { freePort } from './free-port.ts'
import { confmesh, converged, type InitResult, json, publish, RealFleet } from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const fleet = new RealFleet()
afterAll(() => fleet.end())

/** A fleet, and the configuration of a second seed. */
async function init(name: string): Promise<{ readonly made: InitResult; readonly second: string }> {
  const made = await fleet.init(name)
  const { value } = await json([
    ...['add-seed', join(fleet.dir, `${name}-2`), '--from', made.seedConfig, '--host', '127.0.0.1'],
    ...['--port', String(await freePort()), '--root', made.root, '--root-key', ...made.rootKeys],
  ])
  expect(value).not.toHaveProperty('error')
  return { made, second: (value as unknown as { seedConfig: string }).seedConfig }
}

test('a rollback goes to the seed that holds the old files, and the other has it from the mesh', async () => {
  const { made, second } = await init('fleet')
  const seed = await fleet.start('seed', made.seedConfig)
  const old = await publish(made, CHANNEL, fleet.files('old', { 'app.yaml': 'replicas: 3\n' }))
  const { release } = await publish(made, CHANNEL, fleet.files('new', { 'app.yaml': 'replicas: 5\n' }))
  const later = await fleet.start('later', second)
  await converged([later], CHANNEL, release)
  const back = ['rollback', CHANNEL, '--to', old.release, '--key', made.publisherKey, '--yes', '--json']

  const alone = await confmesh([...back, '--seed', later.address])
  expect(JSON.parse(alone.out).error).toMatchObject({
    code: 'CONTENT_GONE',
    message: expect.stringContaining('publish its files instead'),
  })
  expect(alone.code).toBe(EXIT_CODES.CONTENT_GONE)

  const run = await confmesh([...back, '--seed', later.address, '--seed', seed.address])
  expect(run.code, run.out).toBe(0)
  expect(run.err).not.toContain('no longer holds')
  const done = JSON.parse(run.out)
  expect(done).toMatchObject({
    uploadedBytes: 0,
    acknowledgedBy: [seed.peerId, later.peerId].sort(),
  })
  await converged([seed, later], CHANNEL, done.release)
  expect(Buffer.from(await later.client.get(CHANNEL, 'app.yaml')).toString()).toBe('replicas: 3\n')
})

test('a channel is issued again by the seed that holds its release, though another lacks it', async () => {
  const { made, second } = await init('rotated')
  const config = readFileSync(second, 'utf8')
  const alone = config.replace(/^seeds:\n( +- .*\n)+/m, 'seeds: []\n')
  expect(alone).not.toBe(config)
  writeFileSync(second, alone)
  const seeds = [await fleet.start('empty', second), await fleet.start('full', made.seedConfig)] as const
  await publish(made, CHANNEL, fleet.files('rotated-app', { 'app.yaml': 'replicas: 3\n' }))
  const key = join(fleet.dir, 'new.key')
  expect((await json(['keygen', '--out', key])).value).not.toHaveProperty('error')
  const run = await confmesh([
    ...[
      'trust',
      'rotate',
      'publisher',
      '--add-key',
      `${key}.pub`,
      '--remove-key',
      `${made.publisherKey}.pub`,
    ],
    ...['--root', made.root, '--root-key', ...made.rootKeys, '--key', key, '--yes', '--json'],
    ...seeds.flatMap(({ address }) => ['--seed', address]),
  ])
  expect(run.code, run.out).toBe(0)
  expect(run.err).not.toContain('no longer holds')
  const [{ release, acknowledgedBy }] = JSON.parse(run.out).reissued
  expect(acknowledgedBy).toEqual([seeds[1].peerId])
  await converged([seeds[1]], CHANNEL, release)
})
