/** Very many releases under way at once: an event looks at some of them, so that none stalls the event loop. */
import { expect, test, vi } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { Chooser } from '../../../src/core/fetch/chooser.ts'
import { Ranking } from '../../../src/core/fetch/ranking.ts'
import type { Channel, Digest, PeerId, ReleaseId } from '../../../src/model/ids.ts'
import type { BlocksReply } from '../../../src/model/messages.ts'
import { BenchNode, ofKind } from '../core/bench-node.ts'
import { floorOf, make, record } from '../core/fleet.ts'

const COUNT = 400
/** Jobs of one event, and some. */
const MOST = 150

/** A node that starts with so many channels of which no content is here. */
function starting(count: number, ...neighbours: readonly PeerId[]) {
  const all = Array.from({ length: count }, (_, at) => {
    const channel = `app/c-${at}` as Channel
    return { channel, made: make({ clock: { alice: 1 }, text: `${at}`, header: { channel } }) }
  })
  const node = new BenchNode()
  for (const neighbour of neighbours) node.peer(neighbour)
  const effects = node.start({
    floors: all.map(({ channel, made }) => ({ ...floorOf(made), channel })),
    channels: all.map(({ channel, made }) => ({ ...record([made.id]), channel })) as never,
    envelopes: all.map(({ channel, made }) => ({ release: made.id, channel, bytes: made.envelope })),
  })
  return { node, all, effects }
}

/** Requests of one kind, of whom and what about. */
function asked(effects: readonly Effect[], type: 'have' | 'want') {
  return ofKind(effects, 'request').flatMap(({ id, peer, request }) => {
    if (request.protocol !== 'blocks' || request.message.type !== type) return []
    const { digest, release } = request.message as { readonly digest?: Digest; readonly release?: ReleaseId }
    return [{ id, peer, digest, release }]
  })
}

test('each of them is looked at in its turn, and no event looks at all', () => {
  const looks = vi.spyOn(Ranking.prototype, 'candidates')
  const rankings = vi.spyOn(Chooser.prototype, 'ranking')
  const { node } = starting(COUNT)
  expect(looks.mock.calls.length).toBeLessThanOrEqual(COUNT + MOST)
  node.peer('12D3KooWn' as PeerId)
  const seen = new Set<Channel>()
  for (let ms = 25; ms <= 200; ms += 25) {
    looks.mockClear()
    rankings.mockClear()
    node.monoMs = ms
    const effects = node.run({ kind: 'tick' })
    expect(looks.mock.calls.length).toBeLessThanOrEqual(MOST)
    // of hundreds of peers, each costs as much as all these looks
    expect(rankings.mock.calls.length).toBeLessThanOrEqual(1)
    for (const [{ channel }] of looks.mock.calls) seen.add(channel)
    const wakes = effects.flatMap((effect) => (effect.kind === 'wake' ? [effect.atMonoMs] : []))
    expect(Math.min(...wakes)).toBeLessThanOrEqual(ms + 25)
  }
  expect(seen.size).toBe(COUNT)
  looks.mockRestore()
  rankings.mockRestore()
})

test('what a neighbour answers is made use of, however many are under way', () => {
  const neighbour = '12D3KooWn' as PeerId
  const { node, all, effects } = starting(2_000, neighbour)
  const questions = asked(effects, 'have')
  const says = (id: number, message: BlocksReply) =>
    node.run({ kind: 'reply', id, reply: { protocol: 'blocks', message } })
  const tick = () => {
    node.monoMs += 10 // until the end nothing is blindly asked for yet
    return asked(node.run({ kind: 'tick' }), 'want')
  }
  const [first, second] = [700, 50].map((at) => {
    const { id, page } = (all[at] as (typeof all)[number]).made
    return { id: questions.find(({ release }) => release === id)?.id as number, digest: sha256(page) }
  }) as [{ id: number; digest: Digest }, { id: number; digest: Digest }]
  // at once: the others would have it wait for twenty events
  const wants = asked(says(first.id, { type: 'noted', whole: true }), 'want')
  expect(wants).toMatchObject([{ peer: neighbour, digest: first.digest }])
  // one block of one neighbour at a time; nor is this one forgotten while all others are looked at
  expect(asked(says(second.id, { type: 'noted', whole: true }), 'want')).toEqual([])
  for (let turn = 0; turn < 12; turn += 1) expect(tick()).toEqual([])
  for (let turn = 0; turn < 24; turn += 1) {
    for (const { id } of wants.splice(0)) says(id, { type: 'busy', retryAfterMs: 1 })
    wants.push(...tick())
    if (wants.some(({ digest }) => digest === second.digest)) break
  }
  expect(wants).toMatchObject([{ peer: neighbour, digest: second.digest }])
})
