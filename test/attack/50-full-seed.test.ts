/** A seed that has all its peers: who comes then hears so, and publishers are served. */
import { expect, test } from 'vitest'
import { stage } from './kit/stage.ts'

const { fleet: aFleet, victim: aVictim, joined, hostile: stranger } = stage()

test('a full seed tells a node to try another, and is published to', async () => {
  const fleet = aFleet()
  const seed = await aVictim(fleet, { seed: true, limits: { seedDegree: 2 } })
  await joined(fleet, seed)
  await joined(fleet, seed)
  const third = await stranger(fleet)
  expect(await third.enter(seed.address)).toMatchObject({ type: 'refused', code: 'ADMIT_REFUSED' })
  const release = fleet.release({ counter: 1 })
  await seed.submit(release)
  await seed.runs(release)
  expect(await seed.peers()).toBe(2)
})
