/** Going back to a release that one of the seeds never had: it came to the fleet later. */
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { EXIT_CODES } from '../../src/cli/exit-codes.ts'
import { confmesh, converged, freePort, json, publish, RealFleet } from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const fleet = new RealFleet()
afterAll(() => fleet.end())

test('a rollback goes to the seed that holds the old files, and the other has it from the mesh', async () => {
  const made = await fleet.init()
  const added = await json([
    ...['add-seed', join(fleet.dir, 'later'), '--from', made.seedConfig, '--host', '127.0.0.1'],
    ...['--port', String(await freePort()), '--root', made.root, '--root-key', ...made.rootKeys],
  ])
  expect(added.value).not.toHaveProperty('error')
  const { seedConfig } = added.value as unknown as { seedConfig: string }
  const seed = await fleet.start('seed', made.seedConfig)
  const old = await publish(made, CHANNEL, fleet.files('old', { 'app.yaml': 'replicas: 3\n' }))
  const { release } = await publish(made, CHANNEL, fleet.files('new', { 'app.yaml': 'replicas: 5\n' }))
  const later = await fleet.start('later', seedConfig)
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
