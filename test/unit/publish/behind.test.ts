/** A publish that is refused where a seed is past the root at hand. */
import { expect, test } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import type { PublishReply } from '../../../src/model/messages.ts'
import { publishFrom } from '../../../src/publish/behind.ts'
import { keySigner } from '../../../src/publish/signer.ts'
import { make, ROOT, raised, rootBytes } from '../core/fleet.ts'
import { FakeSeed, publishing } from './fake-seed.ts'

const made = make({ clock: { alice: 1 } })
const STALE: PublishReply = { type: 'refused', code: 'ORDER_STALE_EPOCH', text: 'before the epoch' }

function refusing(rootVersion: number): FakeSeed {
  const seed = new FakeSeed('a')
  seed.rootVersion = rootVersion
  seed.next.set('submit', [STALE])
  return seed
}
const published = (seed: FakeSeed, ...others: readonly FakeSeed[]) =>
  publishFrom(publishing(made, seed, { seeds: [seed, ...others] }))

test('says so, and what to do, where the seed lacks the roots between', async () => {
  await expect(published(refusing(3))).rejects.toMatchObject({
    code: 'TRUST_ROOT_GAP',
    message: expect.stringMatching(
      /^before the epoch .*12D3KooWa is at root 3 and has none that follows root 1.*confmesh trust fetch.*--root/,
    ),
  })
  const stranger = { signers: [keySigner(generatePrivateKey('ed25519').key)] }
  await expect(publishFrom(publishing(made, refusing(3), stranger))).rejects.toMatchObject({
    code: 'TRUST_ROOT_GAP',
    message: expect.stringMatching(/^no publisher has the key/),
  })
})

test('so it is where the seed began after the root at hand', async () => {
  const seed = refusing(3)
  seed.next.set('submit', [{ type: 'refused', code: 'TRUST_ROOT_GAP', text: 'root 1 is not known here' }])
  const message = expect.stringMatching(/^root 1 is not known here .*12D3KooWa is at root 3/)
  await expect(published(seed)).rejects.toMatchObject({ code: 'TRUST_ROOT_GAP', message })
})

test('is said as it is where no root is missing, and where the seed says no more', async () => {
  const ahead = refusing(2)
  ahead.roots.set(2, rootBytes(raised(ROOT)))
  const silent = refusing(3)
  silent.next.set('roots', [STALE])
  for (const seed of [refusing(1), ahead, silent])
    await expect(published(seed)).rejects.toMatchObject({ code: 'ORDER_STALE_EPOCH' })
  const other = refusing(1)
  other.next.set('submit', [{ type: 'refused', code: 'CODEC_MALFORMED', text: 'not well formed' }])
  other.rootVersion = 3
  await expect(published(other)).rejects.toMatchObject({ code: 'CODEC_MALFORMED' })
})

test('nobody is kept from publishing by what a seed says of its root', async () => {
  const seed = new FakeSeed('a')
  seed.rootVersion = 9
  expect(await published(seed)).toMatchObject({ acknowledgedBy: [seed.peer] })
  expect(seed.asked).not.toContain('roots')
})
