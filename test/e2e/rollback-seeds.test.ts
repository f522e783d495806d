/** What seeds alone hold, signed anew where one of them never had it: an old release, and one of an epoch that has ended. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { freePort } from '../../src/cli/demo/free-port.ts'
import { EXIT_CODES } from '../../src/cli/exit-codes.ts'
import { confmesh, converged, type InitResult, json, publish, RealFleet } from './real-fleet.ts'

const CHANNEL = 'payments/prod'
/** A command gives a second seed two seconds to be reached: one that stood still for as long is reached by the next run. */
const TRIES = 3
const MISSED = 'was not reached (NET_TIMEOUT)'
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

  const both = () => confmesh([...back, '--seed', later.address, '--seed', seed.address])
  let run = await both()
  for (let tries = 1; run.code !== 0 && run.err.includes(MISSED) && tries < TRIES; tries += 1)
    run = await both()
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

/** A channel whose release one seed holds alone, issued again over this seed and one that lacks it. */
async function rotated(name: string) {
  const { made, second } = await init(name)
  const config = readFileSync(second, 'utf8')
  const alone = config.replace(/^seeds:\n( +- .*\n)+/m, 'seeds: []\n')
  expect(alone).not.toBe(config)
  writeFileSync(second, alone)
  const [empty, full] = [await fleet.start('empty', second), await fleet.start('full', made.seedConfig)]
  await publish(made, CHANNEL, fleet.files(`${name}-app`, { 'app.yaml': 'replicas: 3\n' }))
  const key = join(fleet.dir, `${name}.key`)
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
    ...[empty, full].flatMap(({ address }) => ['--seed', address]),
  ])
  return { run, full }
}

test('a channel is issued again by the seed that holds its release, though another lacks it', async () => {
  let { run, full } = await rotated('rotated')
  for (let tries = 1; run.err.includes(MISSED) && tries < TRIES; tries += 1)
    ({ run, full } = await rotated(`rotated-${tries}`))
  expect(run.code, run.out).toBe(0)
  expect(run.err).not.toContain('no longer holds')
  const [{ release, acknowledgedBy }] = JSON.parse(run.out).reissued
  expect(acknowledgedBy).toEqual([full.peerId])
  await converged([full], CHANNEL, release)
})
