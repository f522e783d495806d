/** Rows 2 and 9: fewer signatures than the threshold; other valid sets of signatures. */
import { expect, test } from 'vitest'
import { stage } from './kit/stage.ts'

const { fleet: aFleet, victim: aVictim, joined } = stage()

test('one of three keys where two must sign: no key alone is enough, on the wire or at a seed', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { seed: true })
  const thief = await joined(fleet, victim)
  for (const key of fleet.publisherKeys) {
    const stolen = fleet.release({ counter: 7, keys: [key] })
    thief.announce(stolen)
    await expect(victim.submit(stolen)).rejects.toMatchObject({ code: 'TRUST_UNAUTHORISED' })
  }
  await victim.refusedAtLeast('TRUST_UNAUTHORISED', 6)
  expect(await victim.active()).toBeUndefined()
})

test('one payload under each valid pair of signatures is one release, not equivocation', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const peer = await joined(fleet, victim)
  const [a, b, c] = fleet.publisherKeys as [never, never, never]
  const header = { created: Date.now() }
  const variants = [
    [a, b],
    [b, c],
    [a, c],
  ].map((keys) => fleet.release({ header, keys }))
  expect(new Set(variants.map(({ id }) => id)).size).toBe(1)
  for (const variant of variants) peer.announce(variant)
  await victim.runs(variants[0] as (typeof variants)[number])
  await victim.metricAtLeast('confmesh_duplicates_total', 2)
  expect((await victim.client.channel('pay/prod')).state).toBe('active')
})
