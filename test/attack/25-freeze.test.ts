/** Rows 25 and 54: everything new is kept from a node, and all of its neighbours are hostile. */
import { expect, test } from 'vitest'
import { freePort } from '../../src/cli/demo/free-port.ts'
import { LIMITS } from '../../src/limits.ts'
import { stage } from './kit/stage.ts'
import { until } from './kit/victim.ts'

const { fleet: aFleet, victim: aVictim, hostile: aHostile, joined } = stage()
/** Looks for silence four times in this time; dials again soon. */
const QUICK = { beaconIntervalMs: 400, redialMinMs: 50, redialMaxMs: 200, redialIdleMaxMs: 200 }

test('all neighbours hostile and silent: it says so, serves on, keeps room for a seed, and finds one that comes back', async () => {
  const fleet = aFleet({ maxAgeS: 1 })
  const config = { listen: [`/ip4/127.0.0.1/tcp/${await freePort()}`] }
  const seed = await aVictim(fleet, { seed: true, limits: QUICK, config })
  const first = fleet.release({ counter: 1 })
  await seed.submit(first)
  const victim = await aVictim(fleet, {
    seeds: [seed.address],
    // besiegers open no gossip stream, and are to stay all the same
    limits: { ...QUICK, hardDegree: 3, gatewayDegree: 3, watchdogMs: 60_000 },
  })
  await victim.runs(first)
  await seed.stop(true)
  const besiegers = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const hostile = await aHostile(fleet)
      // those beyond the degree are sent away
      await hostile.enter(victim.address)
      return hostile
    }),
  )
  await victim.refusedAtLeast('SYNC_SILENT')
  // whoever says nothing is noticed sooner than the second after which a beacon is old
  const state = async () => (await victim.client.channel('pay/prod')).state
  await until('stale', async () => (await state()) === 'stale')
  expect((await victim.client.channel('pay/prod')).active?.release).toBe(first.id)
  expect((await victim.client.snapshot('pay/prod')).release).toBe(first.id)
  expect(besiegers.filter(({ connections }) => connections > 0)).toHaveLength(3)
  const back = await aVictim(fleet, { seed: true, dir: seed.dir, limits: QUICK, config })
  const second = fleet.release({ counter: 2 })
  await back.submit(second)
  await victim.runs(second)
  await until('fresh', async () => (await state()) === 'active')
})

test('a beacon names what nobody hands over: behind, and it says so', async () => {
  const fleet = aFleet()
  const seed = await aVictim(fleet, { seed: true, limits: QUICK })
  const [first, second] = [fleet.release({ counter: 1 }), fleet.release({ counter: 2 })]
  await seed.submit(first)
  const victim = await aVictim(fleet, { limits: { ...QUICK, beaconGraceMs: 300 } })
  const [spy, censor] = [await joined(fleet, seed), await joined(fleet, victim)]
  censor.announce(first)
  await victim.runs(first)
  await seed.submit(second)
  await seed.runs(second)
  // passes on beacons and their pages, and no release
  const pages = new Map<string, Uint8Array>()
  censor.answers = ({ protocol, message }) =>
    protocol === 'blocks' && message.type === 'want' && pages.has(message.digest)
      ? { protocol, message: { type: 'block', bytes: pages.get(message.digest) as Uint8Array } }
      : undefined
  await until('behind', async () => {
    for (const { beacon, envelope } of spy.beacons()) {
      for (const digest of beacon.pages.filter((page) => !pages.has(page))) {
        const reply = await spy.ask('blocks', { type: 'want', digest })
        if (reply.type === 'block') pages.set(digest, reply.bytes)
      }
      censor.control('beacon', envelope)
    }
    return (await victim.refused('SYNC_BEHIND')) > 0
  })
  const { state, active } = await victim.client.channel('pay/prod')
  expect([state, active?.release]).toEqual(['stale', first.id])
  expect(LIMITS.beaconGraceMs).toBeGreaterThan(1_000)
})
