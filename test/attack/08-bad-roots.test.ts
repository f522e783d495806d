/** Rows 8 and 17: roots that bear the root key's signature and must not be taken all the same. */
import { createHash, generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { removePublisher, renew } from '../../src/trust/edit.ts'
import { PUBLISHER } from './kit/fleet.ts'
import { stage } from './kit/stage.ts'

const { fleet: aFleet, victim: aVictim, joined } = stage()

const ed25519 = (point: string): Buffer => Buffer.from(`302a300506032b6570032100${point}`, 'hex')
const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const WEAK: Readonly<Record<string, { type: string; spki: Buffer }>> = {
  'the neutral point': { type: 'ed25519', spki: ed25519(`01${'00'.repeat(31)}`) },
  'a point of order 8': {
    type: 'ed25519',
    spki: ed25519('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'),
  },
  'no point of the curve': { type: 'ed25519', spki: ed25519(`02${'00'.repeat(31)}`) },
  'P-256 at infinity': {
    type: 'p256',
    spki: Buffer.from('301a301306072a8648ce3d020106082a8648ce3d03010703020000', 'hex'),
  },
  'RSA that calls itself p256': {
    type: 'p256',
    spki: Buffer.from(rsa.publicKey.export({ format: 'der', type: 'spki' })).subarray(0, 128),
  },
}

test('a weak key in a root makes it no root', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { seed: true })
  const peer = await joined(fleet, victim)
  const next = renew(fleet.root, fleet.root.expires + 86_400_000)
  for (const { type, spki } of Object.values(WEAK)) {
    const root = fleet.alteredRoot(next, ({ keys, publishers }) => {
      const id = createHash('sha256').update(spki).digest('hex')
      keys[id] = { type, spki: spki.toString('base64') }
      publishers[PUBLISHER]?.keys.push(id)
      publishers[PUBLISHER]?.keys.sort()
    })
    peer.control('root', root)
    await peer.ask('publish', { type: 'root', root })
  }
  await victim.refusedAtLeast('TRUST_ROOT_INVALID', 2 * Object.keys(WEAK).length)
  expect((await victim.client.status()).root.version).toBe(1)
  peer.control(
    'root',
    fleet.alteredRoot(next, () => {}),
  )
  await victim.rootVersion(2)
})

test('a root that takes authority away within an epoch is refused; with a new epoch it counts', async () => {
  const fleet = aFleet({ patterns: ['pay/**', 'pay/prod'] })
  const victim = await aVictim(fleet, { seed: true })
  const peer = await joined(fleet, victim)
  const without = removePublisher(fleet.root, PUBLISHER)
  const renewed = renew(fleet.root, fleet.root.expires + 86_400_000)
  const narrow = [
    fleet.alteredRoot(without, (document) => {
      document.epochs = []
    }),
    fleet.alteredRoot(renewed, ({ publishers }) => publishers[PUBLISHER]?.keys.pop()),
    fleet.alteredRoot(renewed, ({ publishers }) => publishers[PUBLISHER]?.patterns.shift()),
    fleet.alteredRoot(renewed, ({ publishers }) => {
      const of = publishers[PUBLISHER]
      if (of !== undefined) of.threshold = 3
    }),
  ]
  for (const root of narrow) {
    peer.control('root', root)
    await peer.ask('publish', { type: 'root', root })
  }
  await victim.refusedAtLeast('TRUST_ROOT_NARROWS', 2 * narrow.length)
  expect((await victim.client.status()).root.version).toBe(1)
  peer.control(
    'root',
    fleet.alteredRoot(without, () => {}),
  )
  await victim.rootVersion(2)
})
