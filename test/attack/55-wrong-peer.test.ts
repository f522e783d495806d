/** Rows 55 and 58: somebody else at a seed's address; bytes that nobody asked for. */
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import type { Address } from '../../src/model/ids.ts'
import type { BlocksReply } from '../../src/model/messages.ts'
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

test('a peer that calls itself a seed cannot send a node to an address that is not that of the peer it names', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  let knocks = 0
  const host = createServer((socket) => {
    knocks += 1
    socket.destroy()
  })
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve))
  const { port } = host.address() as AddressInfo
  const [liar, named, other] = [await aHostile(fleet), await aHostile(fleet), await aHostile(fleet)]
  try {
    liar.submits = true
    const redirects: BlocksReply[] = [
      {
        type: 'redirect',
        peer: named.id,
        addresses: [`/ip4/127.0.0.1/tcp/${port}/p2p/${other.id}` as Address],
      },
    ]
    liar.answers = ({ protocol, message }) => {
      if (protocol !== 'blocks') return undefined
      if (message.type === 'have') return { protocol, message: { type: 'noted' } }
      const next = redirects[0]
      return message.type === 'want' && next !== undefined ? { protocol, message: next } : undefined
    }
    await liar.join(victim.address)
    liar.announceBare(fleet.release())
    await victim.refusedAtLeast('CODEC_MALFORMED')
    expect(knocks).toBe(0)
  } finally {
    host.close()
  }
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
