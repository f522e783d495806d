/** Rows 55 and 58: somebody else at a seed's address; bytes that nobody asked for. */
import { expect, test } from 'vitest'
import { stage } from './kit/stage.ts'

const { fleet: aFleet, victim: aVictim, hostile: aHostile } = stage()

test('whoever answers at a seed’s address with another identity is not talked to', async () => {
  const fleet = aFleet()
  const [impostor, real] = [await aHostile(fleet, { listen: true }), await aHostile(fleet)]
  const address = impostor.address.replace(impostor.id, real.id)
  const victim = await aVictim(fleet, { seeds: [address] })
  await victim.refusedAtLeast('NET_PEER_ID')
  expect(await victim.peers()).toBe(0)
})

test('pages and blocks of no submission, or of none that names them, are refused', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { seed: true })
  const stranger = await aHostile(fleet)
  await stranger.dial(victim.address)
  const release = fleet.release()
  const bytes = Buffer.from('nobody asked for this')
  for (const type of ['page', 'block'] as const)
    expect(await stranger.ask('publish', { type, release: release.id, bytes })).toMatchObject({
      type: 'refused',
      code: 'BLOCK_UNWANTED',
    })
  expect(await stranger.ask('publish', { type: 'submit', envelope: release.bytes })).toMatchObject({
    type: 'need',
  })
  expect(await stranger.ask('publish', { type: 'block', release: release.id, bytes })).toMatchObject({
    type: 'refused',
    code: 'BLOCK_UNWANTED',
  })
  expect(await victim.active()).toBeUndefined()
})
