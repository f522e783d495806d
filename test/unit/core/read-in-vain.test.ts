/** The store tells of every block that is read in vain, also of one that was never here: of a losing head, or on its way. */
import { expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Event } from '../../../src/core/events.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import { CHANNEL, floorOf, given, make, PEER, record } from './fleet.ts'

const made = make({ clock: { alice: 1 } })
const vain: Event = { kind: 'blockLost', digest: sha256(Buffer.from('never here')) }

it('leaves alone what is being written as whole: it becomes active at once', () => {
  const node = new BenchNode()
  node.start()
  node.peer(PEER)
  node.inside((step, journey) =>
    journey.ingestWhole(step, made.envelope, made.content, { via: 'submit', peer: PEER }),
  )
  // What counts is looked through once, as below.
  expect(node.run(vain)).toEqual([{ kind: 'wake', atMonoMs: 1 }])
  expect(node.run({ kind: 'persisted', ticket: 1 }).map(({ kind }) => kind)).toEqual(['publish', 'activate'])
  expect(node.heard).toEqual([`ordered NEW ${made.id.slice(0, 8)}`, `whole ${CHANNEL}`, `durable ${CHANNEL}`])
})

it('once has what counts looked through: a life before may have lost a block, and left the record that all is here', () => {
  const node = new BenchNode()
  node.start({
    floors: [floorOf(made), floorOf(made)],
    channels: [
      record([made.id], { active: { release: made.id, epoch: 1, activatedAt: 5, soaked: true } }),
    ] as never,
    envelopes: [{ release: made.id, channel: CHANNEL, bytes: made.envelope }],
    whole: [made.id],
    blocks: new Set([sha256(made.page)]),
  })
  node.peer(PEER, { submit: true })
  node.run({ kind: 'blockLost', digest: sha256(made.block) })
  node.monoMs = 1
  expect(ofKind(node.run({ kind: 'tick' }), 'read')).toEqual([{ kind: 'read', digest: sha256(made.page) }])
  const [wanted] = ofKind(
    node.run({ kind: 'blockRead', digest: sha256(made.page), bytes: made.page }),
    'request',
  )
  expect(wanted?.request.message).toEqual({ type: 'want', digest: sha256(made.block) })
  node.persist(node.persist(node.run(given(wanted?.id, made.block))))
  // Whole again. A reader that comes every second costs no more than that.
  for (let second = 0; second < 60; second++) {
    expect(node.run(vain)).toEqual([])
    node.monoMs += 1_000
    expect(ofKind(node.run({ kind: 'tick' }), 'read')).toEqual([])
  }
})
