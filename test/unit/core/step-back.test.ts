/** The one step back: taken in whatever order a release fails, last-known-good is read again, and newer ones come. */
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { Event } from '../../../src/core/events.ts'
import type { Digest } from '../../../src/model/ids.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import { CHANNEL, gossip, type Made, make, PEER } from './fleet.ts'

const good = make({ clock: { alice: 1 } })
const bad = make({ clock: { alice: 2 }, text: 'b=1\n' })
const TICK: Event = { kind: 'tick' }
const done = ({ id }: Made, kind: 'healthy' | 'unhealthy' | 'failed'): Event => ({
  kind: 'activated',
  channel: CHANNEL,
  release: id,
  outcome:
    kind === 'healthy'
      ? { kind, changed: 1 }
      : { kind, code: 'ACTIVATE_UNHEALTHY', text: 'the check said no' },
})
const comes = (node: BenchNode, made: Made) => node.persist(node.run(gossip(made, [made.page, made.block])))
const activations = (effects: readonly Effect[]) =>
  ofKind(effects, 'activate').map(({ release, previous, fallback }) => ({ release, previous, fallback }))
const lost = (made: Made): Event => ({ kind: 'blockLost', digest: sha256(made.block) })

/** The first is last-known-good, and the second under way. */
function underWay() {
  const node = new BenchNode()
  node.start()
  node.peer(PEER, { submit: true })
  comes(node, good)
  node.persist(node.run(done(good, 'healthy')))
  node.monoMs = 30_000
  node.persist(node.run(TICK))
  comes(node, bad)
  return node
}

describe('a step back to what is just read again', () => {
  it('is taken as soon as that is whole', () => {
    const node = underWay()
    node.run({ kind: 'blockLost', digest: 'f'.repeat(64) as Digest })
    node.monoMs += 10_000
    const reads = ofKind(node.run(TICK), 'read').map(({ digest }) => digest)
    expect(reads).toContain(sha256(good.page))
    const failed = node.run(done(bad, 'unhealthy'))
    expect(activations(failed)).toEqual([])
    expect(ofKind(failed, 'persist').flatMap(({ writes }) => writes)).toMatchObject([
      { kind: 'channel', record: { active: { release: good.id, soaked: true }, failed: [bad.id] } },
    ])
    node.persist(failed)
    const read = node.run({ kind: 'blockRead', digest: sha256(good.page), bytes: good.page })
    expect(activations(node.persist(read))).toEqual([{ release: good.id, previous: bad.id, fallback: true }])
    const back = node.run(done(good, 'healthy'))
    expect(activations([...back, ...node.persist(back)])).toEqual([])
    expect(node.view().channels[0]).toMatchObject({ active: { id: good.id, soaked: true }, unhealthy: false })
  })

  it('fetches what is gone of it', () => {
    const node = underWay()
    node.run(lost(good))
    node.persist(node.run(done(bad, 'unhealthy')))
    node.persist(node.run(done(good, 'failed')))
    node.monoMs += 10_000
    node.run(TICK)
    const read = node.run({ kind: 'blockRead', digest: sha256(good.page), bytes: good.page })
    expect(ofKind(read, 'request').map(({ request }) => request.message)).toContainEqual({
      type: 'want',
      digest: sha256(good.block),
    })
  })
})
