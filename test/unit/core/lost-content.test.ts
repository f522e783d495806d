/** What is active, and what may be gone back to, is kept whole: what either has lost is fetched, whatever the channel does meanwhile. */
import { expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { Event } from '../../../src/core/events.ts'
import { activated, BenchNode, comes, ofKind, soaked } from './bench-node.ts'
import { CHANNEL, floorOf, given, type Made, make, PEER, record } from './fleet.ts'

const good = make({ clock: { alice: 1 } })
const next = make({ clock: { alice: 2 }, text: 'b=1\n' })
const third = make({ clock: { alice: 3 }, text: 'c=1\n' })
const TICK: Event = { kind: 'tick' }
const READ: Event = { kind: 'blockRead', digest: sha256(good.page), bytes: good.page }
const wants = (effects: readonly Effect[], digest = sha256(good.block)) =>
  ofKind(effects, 'request').filter(
    ({ request: { message } }) => message.type === 'want' && message.digest === digest,
  )
const activations = (effects: readonly Effect[]) =>
  ofKind(effects, 'activate').map(({ release, fallback }) => ({ release, fallback }))

/** A block of what is active was lost: its pages are to be read. */
function lost() {
  const node = soaked(good)
  node.run({ kind: 'blockLost', digest: sha256(good.block) })
  node.monoMs += 10_000
  expect(ofKind(node.run(TICK), 'read')).toEqual([{ kind: 'read', digest: sha256(good.page) }])
  return node
}

/** What comes after it is healthy, and the third is not. */
function stepsBack(node: BenchNode): readonly Effect[] {
  node.persist(node.run(activated(next, 'healthy')))
  comes(node, third)
  return node.run(activated(third, 'unhealthy'))
}

it('a block of last-known-good is awaited although the next is published and becomes active, so that it can be gone back to', () => {
  const node = lost()
  const [want] = wants(node.run(READ))
  comes(node, next)
  const written = node.run(given(want?.id, good.block))
  expect(ofKind(written, 'persist')).toMatchObject([
    { writes: [{ kind: 'block', digest: sha256(good.block) }] },
  ])
  node.persist(node.persist(written))
  expect(activations(stepsBack(node))).toEqual([{ release: good.id, fallback: true }])
})

it('nor is it forgotten where the next comes while it is not known yet what was lost', () => {
  const node = lost()
  comes(node, next)
  node.persist(node.run(activated(next, 'healthy')))
  const [want] = wants(node.run(READ))
  comes(node, third)
  expect(ofKind(node.run(given(want?.id, good.block)), 'persist')).toHaveLength(1)
})

it('on a disk that is short of room it is fetched once there is some', () => {
  const node = lost()
  node.run({ kind: 'storeMode', readOnly: false, short: true })
  expect(wants(node.run(READ))).toEqual([])
  comes(node, next)
  node.persist(node.run(activated(next, 'healthy')))
  expect(wants(node.run({ kind: 'storeMode', readOnly: false, short: false }))).toHaveLength(1)
})

it('after a start it is not believed to be whole, and fetched: what is active, and last-known-good', () => {
  const written = ofKind(lost().run(READ), 'persist').flatMap(({ writes }) => writes)
  expect(written).toEqual([{ kind: 'unwhole', release: good.id }])
  const envelopes = [good, next].map(({ id, envelope }: Made) => ({
    release: id,
    channel: CHANNEL,
    bytes: envelope,
  }))
  for (const [isLast, newest] of [
    [false, good],
    [true, next],
  ] as const) {
    const node = new BenchNode()
    node.peer(PEER, { submit: true })
    const active = { release: newest.id, epoch: 1, activatedAt: 5, soaked: !isLast }
    const back = isLast ? { lastGood: good.id, lastGoodEpoch: 1 } : {}
    node.start({
      floors: [floorOf(newest), floorOf(newest)],
      channels: [record([newest.id], { active, ...back })] as never,
      envelopes,
      whole: isLast ? [next.id] : [],
      blocks: new Set([good.page, next.page, next.block].map((bytes) => sha256(bytes))),
    })
    expect(wants(node.run(READ))).toHaveLength(1)
  }
})
