/** Several releases that one other seed is to hold: it is asked for each in its turn. */
import { expect, test } from 'vitest'
import type { Effect } from '../../../src/core/effects.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, PeerId, ReleaseId } from '../../../src/model/ids.ts'
import type { PublishReply } from '../../../src/model/messages.ts'
import { make, SELF, withLimits } from '../core/fleet.ts'
import { ofKind, replies, SubmitNode } from './submit-node.ts'

const [A, B] = ['A', 'B'].map((name) => `12D3KooW${name}` as PeerId) as [PeerId, PeerId]
const AT_ONCE = LIMITS.maxStreams.publish - 1
const some = ['app/config', 'app/one', 'app/two'].map((name) =>
  make({ clock: { alice: 1 }, text: name, header: { channel: name as Channel } }),
)
const ids = some.map(({ id }) => id)
const notYet = { type: 'noted' } as const
const held = { type: 'done', verdict: 'DUPLICATE', acknowledgedBy: [A] } as const

/** All of them whole here at once, beside these seeds; each is large, and its publisher waits. */
function whole(seeds: readonly PeerId[] = [A]) {
  const node = new SubmitNode({ limits: withLimits({ acknowledgeMs: 600_000 }) })
  for (const peer of seeds) node.connect(peer, { seed: true })
  /** Questions under way. */
  const open: { readonly effect: Effect; readonly peer: PeerId; readonly release: ReleaseId }[] = []
  const told: PublishReply[] = []
  const note = (effects: readonly Effect[]): readonly ReleaseId[] => {
    told.push(...replies(effects).filter(({ type }) => type === 'done'))
    const asked = ofKind(effects, 'request').flatMap((effect) => {
      const { message } = effect.request
      return message.type === 'await' ? [{ effect, peer: effect.peer, release: message.release }] : []
    })
    open.push(...asked)
    for (const peer of seeds)
      expect(open.filter((one) => one.peer === peer).length).toBeLessThanOrEqual(AT_ONCE)
    return asked.map(({ release }) => release)
  }
  const end = (release: ReleaseId | undefined) => {
    const [one] = open.splice(
      open.findIndex((each) => each.release === release),
      1,
    )
    if (one?.effect.kind !== 'request') throw new Error('it was not asked')
    return one.effect
  }
  for (const made of some) {
    let effects = node.ask({ type: 'submit', envelope: made.envelope })
    while (ofKind(effects, 'request').length > 0) effects = node.answer(effects[0], notYet)
    node.settled(effects)
    node.ask({ type: 'page', release: made.id, bytes: made.page })
    note(node.settled(node.ask({ type: 'block', release: made.id, bytes: made.block })))
  }
  const wait = () => {
    for (const { id } of some) note(node.ask({ type: 'await', release: id }))
  }
  return {
    /** Their publishers, for as long as that may last. */
    wait,
    open: () => open.map(({ release }) => release),
    peers: () => open.map(({ peer }) => peer).sort(),
    told,
    answer: (release: ReleaseId | undefined, reply: PublishReply) => note(node.answer(end(release), reply)),
    fail: (release: ReleaseId | undefined) =>
      note(node.handle({ kind: 'requestFailed', id: end(release).id, code: 'NET_TIMEOUT' })),
    tick: (ms: number) => note(node.tick(ms)),
  }
}

test('one seed is asked for as many as it takes streams but one, the next once one of these has its answer, and holds them all', () => {
  const node = whole()
  expect(node.open()).toEqual(ids.slice(0, AT_ONCE))
  node.tick(LIMITS.awaitMs)
  expect(node.answer(ids[0], notYet)).toEqual([ids[2]])
  expect(node.answer(ids[1], notYet)).toEqual([ids[0]])
  node.tick(LIMITS.awaitMs)
  node.wait()
  // In the order in which they wait, so that each has its turn.
  expect(node.answer(ids[2], notYet)).toEqual([ids[1]])
  expect(node.answer(ids[0], held)).toEqual([ids[2]])
  for (const id of [ids[1], ids[2]]) expect(node.answer(id, held)).toEqual([])
  expect(node.told.map((reply) => reply.type === 'done' && reply.acknowledgedBy)).toEqual(
    some.map(() => [A, SELF]),
  )
})

test('what failed there is not asked for again, and makes room for the next', () => {
  const node = whole()
  node.wait()
  expect(node.fail(ids[0])).toEqual([ids[2]])
  expect(node.told).toEqual([{ ...held, verdict: 'NEW', acknowledgedBy: [SELF] }])
})

test('where one seed has no place another is asked that has one', () => {
  const node = whole([A, B])
  expect(node.open()).toEqual(ids)
  expect(node.tick(200_000)).toHaveLength(1)
  expect(node.peers()).toEqual([A, A, B, B])
})
