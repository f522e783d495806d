import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { freePort } from '../../src/cli/demo/free-port.ts'
import { json, RealFleet, tryPublish, until } from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const ROUNDS = 10
/** How long a disk takes to sync the word that a place is given is the machine's affair. */
const PATIENT = { CONFMESH_NODE_LIMITS_LEASE_ASK_MS: '20000' }
const fleet = new RealFleet()
afterAll(() => fleet.end())

test('two runs at once with copies of one key, each knowing one seed only: no hold, one order on all nodes', async () => {
  const made = await fleet.init()
  const second = await json([
    'add-seed',
    join(fleet.dir, 'seed2'),
    '--from',
    made.seedConfig,
    '--host',
    '127.0.0.1',
    '--port',
    String(await freePort()),
    '--root',
    made.root,
    '--root-key',
    ...made.rootKeys,
  ])
  expect(second.value).not.toHaveProperty('error')
  const config = (second.value as unknown as { seedConfig: string }).seedConfig
  const seeds = [
    await fleet.start('seed', made.seedConfig, [], { env: PATIENT }),
    await fleet.start('seed-2', config, [], { env: PATIENT }),
  ]
  const nodes = await Promise.all(
    [1, 2].map((n) =>
      fleet.startNode(`node${n}`, made, ['--seed', made.seedAddress, '--seed', seeds[1]?.address as string]),
    ),
  )
  await until(
    'the seeds know each other',
    30_000,
    async () => (await seeds[0]?.client.status())?.peers.connected === 3,
  )

  const folders = ['a', 'b'].map((name) => {
    const dir = join(fleet.dir, `keys-${name}`)
    mkdirSync(dir)
    for (const file of [made.publisherKey, `${made.publisherKey}.pub`, made.root])
      cpSync(file, join(dir, file.slice(file.lastIndexOf('/') + 1)))
    return join(dir, 'publisher.key')
  })
  const released: string[] = []
  for (let round = 1; round <= ROUNDS; round++) {
    const runs = await Promise.all(
      folders.map((key, at) => {
        const dir = fleet.files(`app-${at}`, { 'app.yaml': `round: ${round}\nfrom: ${at}\n` })
        const seed = seeds[at]?.address as string
        return tryPublish(made, CHANNEL, dir, { key, seed, message: `${round}.${at}` })
      }),
    )
    for (const { code, value } of runs) {
      if (code === 0) released.push((value as unknown as { release: string }).release)
      else expect(value.error, JSON.stringify(value)).toMatchObject({ code: 'ORDER_STALE' })
    }
  }
  const all = [...seeds, ...nodes]
  // All may still agree on the release of the round before, while one of them fetches the next.
  const target = await until('one release on all, and nothing newer on its way', 30_000, async () => {
    const views = await Promise.all(all.map((node) => node.client.channel(CHANNEL)))
    const first = views[0]?.active?.release
    return views.every(({ state, active }) => state === 'active' && active?.release === first) && first
  })
  expect(released).toContain(target)
}, 400_000)
