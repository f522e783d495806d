import { expect, test } from 'vitest'
import { choosePeers, type Due } from '../../../src/core/sync/choice.ts'
import type { SyncPeer } from '../../../src/core/sync/peer.ts'
import type { Channel, Pattern } from '../../../src/model/ids.ts'

/** How often what a peer stores was looked at. */
let looks = 0
const storing = (name: string, ...patterns: readonly string[]) =>
  ({
    peer: name,
    get patterns() {
      looks += 1
      return patterns as readonly Pattern[]
    },
  }) as unknown as SyncPeer
const channel = (name: string): Due => ({ channel: name as Channel })
const names = (peers: readonly SyncPeer[]) => peers.map(({ peer }) => peer as string)

const EVERYTHING: Due = { pattern: '**' as Pattern }

test('whoever stores what was compared longest ago comes first, and nobody for what they compare already', () => {
  const peers = [storing('a', 'a/**'), storing('b', 'b/**'), storing('ab', 'a/**', 'b/**')]
  const due = [EVERYTHING, channel('none/x'), channel('b/x'), channel('b/y'), channel('a/x')]
  expect(names(choosePeers(due, peers, () => 0))).toEqual(['b', 'a'])
  expect(names(choosePeers(due, peers, () => 0.9))).toEqual(['ab'])
})

test('one peer at least, and four at most', () => {
  const peers = [...'abcdef'].map((name) => storing(name, `${name}/**`))
  const due = [...'fedcba'].map((name) => channel(`${name}/x`))
  expect(names(choosePeers(due, peers, () => 0))).toEqual(['f', 'e', 'd', 'c'])
  expect(names(choosePeers([EVERYTHING], peers, () => 0))).toEqual(['a'])
  expect(choosePeers([EVERYTHING], [], () => 0)).toEqual([])
})

test('channels that nobody stores are not held against every peer', () => {
  const peers = Array.from({ length: 200 }, (_, at) => storing(`p${at}`, 'team/**'))
  const due = [EVERYTHING, ...Array.from({ length: 2_000 }, (_, at) => channel(`none/${at}`))]
  looks = 0
  choosePeers([...due, channel('team/x')], peers, () => 0)
  // Once to join them, once for the channel that somebody stores.
  expect(looks).toBeLessThanOrEqual(2 * peers.length)
})
