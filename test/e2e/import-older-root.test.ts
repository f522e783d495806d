/** Over an air gap: a site whose seed was founded with a later root, and a release that names an earlier one. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { confmesh, json, publish, RealFleet } from './real-fleet.ts'

const fleet = new RealFleet()
afterAll(() => fleet.end())

test('is refused with what to do, and taken once the roots before came by trust push', async () => {
  const made = await fleet.init()
  const seed = await fleet.start('seed', made.seedConfig)
  const { release } = await publish(made, 'pay/prod', fleet.files('app', { 'app.yaml': 'a: 1\n' }))
  const car = join(fleet.dir, 'release.car')
  const exported = await confmesh(['export', 'pay/prod', car, '--api', seed.api])
  expect(exported, exported.err).toMatchObject({ code: 0 })
  await seed.kill('SIGTERM')
  const root = ['--root', made.root]
  for (let version = 2; version <= 4; version += 1) {
    const renewed = await confmesh(['trust', 'renew', ...root, '--root-key', ...made.rootKeys])
    expect(renewed, renewed.err).toMatchObject({ code: 0 })
  }
  // On the far side there was no root before the fourth.
  for (const part of ['store', 'floor']) await rm(join(fleet.dir, 'fleet/seed', part), { recursive: true })
  await fleet.start('seed', made.seedConfig)
  const bring = () => json(['import', car, '--seed', made.seedAddress])
  const push = () => confmesh(['trust', 'push', ...root, '--seed', made.seedAddress])
  const refused = await bring()
  expect([refused.code, refused.value.error]).toEqual([
    3,
    expect.objectContaining({
      code: 'TRUST_ROOT_GAP',
      message: expect.stringContaining('confmesh trust push --root'),
    }),
  ])
  const pushed = await push()
  expect([pushed.code, pushed.out]).toEqual([
    0,
    expect.stringContaining('is at root 4 already; 3 before it were not there, and are now'),
  ])
  expect(await bring()).toMatchObject({ code: 0, value: { release } })
  expect((await push()).out).toMatch(/is at root 4 already$/m)
}, 60_000)
