/** A seed has sent this node to another, and connections end meanwhile: when the seed hears that it was in vain. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import { peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER, SEED, SELF, type Want } from './fetcher.ts'

/** The page is this node's to bring in, and was given to another before. */
function sentTo(to: PeerId) {
  const node = fetcher({ gateways: [SELF] })
  const [page] = node.started as [Want]
  const sent = node.answer(page.id, { type: 'redirect', peer: to, addresses: [] })
  return { ...node, page, sent }
}

test('the ends of others’ connections, however many, keep nothing from it', () => {
  const { sent, left, tick, page } = sentTo(peer('holder'))
  expect(sent).toEqual([])
  const asked: Want[] = []
  // The draw makes it three quarters of the time that makes one silent.
  for (let ms = 50; ms < 0.75 * LIMITS.blockSilenceMs; ms += 50)
    asked.push(...left(peer(`stranger ${ms}`)), ...tick(50))
  expect(asked).toEqual([])
  const again = [...left(peer('stranger')), ...tick(50)]
  expect(again).toEqual([expect.objectContaining({ to: SEED, digest: page.digest, failed: true })])
})

test('of whoever broke its own connection nothing is awaited: the seed hears it as soon as nothing else comes', () => {
  const { sent, left, tick, page } = sentTo(OTHER)
  expect(sent).toEqual([expect.objectContaining({ to: OTHER, digest: page.digest })])
  expect(left(OTHER)).toEqual([])
  expect(tick(LIMITS.stuckMs - 1)).toEqual([])
  expect(tick(1)).toEqual([expect.objectContaining({ to: SEED, digest: page.digest, failed: true })])
})
