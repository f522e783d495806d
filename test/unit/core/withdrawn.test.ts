/** An activation under way that is taken back: it may wait for its turn for long, and must not be shown any more by then. */
import { describe, expect, it } from 'vitest'
import type { Effect } from '../../../src/core/effects.ts'
import type { Event } from '../../../src/core/events.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { renew } from '../../../src/trust/edit.ts'
import { activated, BenchNode, comes, ofKind, soaked } from './bench-node.ts'
import { CHANNEL, floorOf, gossip, type Made, make, PEER, ROOT, raised, record, rootBytes } from './fleet.ts'

const good = make({ clock: { alice: 1 } })
const stolen = make({ clock: { alice: 2 }, text: 'b=1\n' })
const right = make({ clock: { alice: 1 }, text: 'c=1\n', header: { root: 2 } })
const ending = { expires: ROOT.expires - 1_000 }
const short = make({ clock: { alice: 2 }, header: ending })
const short3 = make({ clock: { alice: 3 }, header: ending })
const newer = make({ clock: { alice: 3 }, text: 'd=1\n' })
const TICK: Event = { kind: 'tick' }
const withdrawn = ({ id }: Made) => ({ kind: 'withdraw', channel: CHANNEL, release: id })
const adopts = (node: BenchNode, root: TrustRoot) =>
  node.inside((step, journey) => journey.adoptRoot(step, rootBytes(root), PEER))
const shows = (effects: readonly Effect[]) => ofKind(effects, 'activate').map(({ release }) => release)
/** All but when to wake. */
const done = (effects: readonly Effect[]) => effects.filter(({ kind }) => kind !== 'wake')
const active = (node: BenchNode) => node.view().channels[0]?.active?.id

/** The first has soaked, and this one is under way. */
function underWay(made = stolen) {
  const node = soaked(good)
  expect(shows(comes(node, made))).toEqual([made.id])
  return node
}

describe('a root that ends its epoch', () => {
  it('takes it back at once, and what counts is shown next', () => {
    const node = underWay()
    const adopted = adopts(node, raised(ROOT))
    expect(done(adopted)).toMatchObject([
      { kind: 'persist', writes: [{ kind: 'root', version: 2 }] },
      { kind: 'publish', topic: 'control' },
      withdrawn(stolen),
    ])
    const floors = node.persist(adopted)
    expect(done(floors)).toMatchObject([
      { kind: 'persist', writes: [{ kind: 'floor' }, { kind: 'channel' }] },
    ])
    expect(ofKind(node.persist(floors), 'activate')).toEqual([])
    expect(shows(comes(node, right))).toEqual([])
    const ended = node.handle(activated(stolen, 'failed'))
    expect(done(ended)).toMatchObject([{ kind: 'activate', release: right.id, previous: good.id }])
    expect(node.view().channels[0]).toMatchObject({ active: { id: good.id }, lastError: undefined })
  })

  it('comes too late for one that was shown already', () => {
    const node = underWay()
    node.persist(node.persist(adopts(node, raised(ROOT))))
    node.persist(node.run(activated(stolen, 'healthy')))
    expect(active(node)).toBe(stolen.id)
    expect(shows(comes(node, right))).toEqual([right.id])
  })

  it('leaves a step back to go on', () => {
    const node = underWay()
    expect(shows(node.run(activated(stolen, 'unhealthy')))).toEqual([good.id])
    expect(ofKind(adopts(node, raised(ROOT)), 'withdraw')).toEqual([])
  })

  it('leaves a step back to go on, though a newer release is here', () => {
    const node = underWay()
    node.persist(node.run(activated(stolen, 'unhealthy')))
    expect(ofKind(comes(node, newer), 'withdraw')).toEqual([])
    expect(node.view().channels[0]).toMatchObject({ target: newer.id, gate: null })
  })
})

it('a root that raises nothing takes none back', () => {
  const node = underWay()
  expect(ofKind(adopts(node, renew(ROOT, ROOT.expires + 1_000)), 'withdraw')).toEqual([])
})

describe('a newer release that is here', () => {
  it('takes it back, once, and is shown straight away', () => {
    const node = underWay()
    expect(ofKind(comes(node, newer), 'withdraw')).toEqual([withdrawn(stolen)])
    expect(ofKind(node.run(TICK), 'withdraw')).toEqual([])
    expect(done(node.handle(activated(stolen, 'failed')))).toMatchObject([
      { kind: 'activate', release: newer.id, previous: good.id },
    ])
    node.persist(node.run(activated(newer, 'healthy')))
    expect(active(node)).toBe(newer.id)
  })

  it('waits where it is not whole yet, and where a gate holds it back', () => {
    const node = underWay()
    expect(ofKind(node.persist(node.run(gossip(newer))), 'withdraw')).toEqual([])
    const gated = underWay()
    expect(
      ofKind(comes(gated, make({ clock: { alice: 3 }, header: { critical: ['x'] } })), 'withdraw'),
    ).toEqual([])
  })

  it('comes too late for one that was shown already, and is next', () => {
    const node = underWay()
    comes(node, newer)
    expect(shows(node.persist(node.run(activated(stolen, 'healthy'))))).toEqual([newer.id])
    expect(active(node)).toBe(stolen.id)
  })

  it('takes no second one back before something was shown, however many come, and again after it', () => {
    const node = underWay()
    const [next, last, behind] = [4, 5, 6].map((n) =>
      make({ clock: { alice: n }, text: `e=${n}\n` }),
    ) as Made[]
    comes(node, newer)
    expect(shows(node.run(activated(stolen, 'failed')))).toEqual([newer.id])
    expect(ofKind(comes(node, next as Made), 'withdraw')).toEqual([])
    expect(shows(node.persist(node.run(activated(newer, 'healthy'))))).toEqual([next?.id])
    expect(ofKind(comes(node, last as Made), 'withdraw')).toEqual([withdrawn(next as Made)])
    expect(shows(node.run(activated(next as Made, 'failed')))).toEqual([last?.id])
    expect(ofKind(comes(node, behind as Made), 'withdraw')).toEqual([])
  })
})

it('its twin takes it back, and the release that ends the hold is shown', () => {
  const node = underWay()
  const twin = node.run(gossip(make({ clock: { alice: 2 }, text: 'twin=1\n' })))
  expect(ofKind([...twin, ...node.persist(twin)], 'withdraw')).toEqual([withdrawn(stolen)])
  expect(done(node.handle(activated(stolen, 'failed')))).toEqual([])
  expect(active(node)).toBe(good.id)
  expect(shows(comes(node, newer))).toEqual([newer.id])
})

describe('the end of', () => {
  it('the root takes it back, once, and it is shown under a renewed one', () => {
    const node = underWay()
    node.wallMs = ROOT.expires
    expect(done(node.run(TICK))).toContainEqual(withdrawn(stolen))
    expect(ofKind(node.run(TICK), 'withdraw')).toEqual([])
    expect(shows(node.run(activated(stolen, 'failed')))).toEqual([])
    expect(shows(adopts(node, renew(ROOT, ROOT.expires + 1_000)))).toEqual([stolen.id])
  })

  it('the root takes it back, also where a newer one needs another build', () => {
    const node = underWay()
    comes(node, make({ clock: { alice: 3 }, header: { critical: ['x'] } }))
    node.wallMs = ROOT.expires
    expect(done(node.run(TICK))).toContainEqual(withdrawn(stolen))
  })

  it('its own time takes it back', () => {
    const node = underWay(short)
    node.wallMs = ROOT.expires - 1_000
    expect(done(node.run(TICK))).toContainEqual(withdrawn(short))
    expect(shows(node.run(activated(short, 'failed')))).toEqual([])
    expect(active(node)).toBe(good.id)
  })

  it('its own time takes it back, also where a newer one has none and is not whole yet', () => {
    const node = underWay(short)
    node.persist(node.run(gossip(newer)))
    expect(ofKind(node.run(TICK), 'withdraw')).toEqual([])
    node.wallMs = ROOT.expires - 1_000
    expect(done(node.run(TICK))).toEqual([withdrawn(short)])
    expect(done(node.run(activated(short, 'failed')))).toEqual([])
    expect(active(node)).toBe(good.id)
  })

  it('a newer one does not take it back, and is told of', () => {
    const node = underWay()
    comes(node, short3)
    node.wallMs = ROOT.expires - 1_000
    expect(ofKind(node.run(TICK), 'withdraw')).toEqual([])
    node.persist(node.run(activated(stolen, 'healthy')))
    expect(node.view().channels[0]).toMatchObject({ active: { id: stolen.id }, gate: 'expired' })
  })
})

describe('the look through what is shown, after a start', () => {
  /** It shows the first. */
  function restarted() {
    const node = new BenchNode()
    const started = node.start({
      floors: [floorOf(good), floorOf(good)],
      channels: [
        record([good.id], { active: { release: good.id, epoch: 1, activatedAt: 5, soaked: true } }) as never,
      ],
      envelopes: [{ release: good.id, channel: CHANNEL, bytes: good.envelope }],
      whole: [good.id],
    })
    expect(ofKind(started, 'activate')).toMatchObject([{ release: good.id, previous: good.id }])
    return node
  }

  it('is taken back for what replaces it, which is shown straight away', () => {
    const node = restarted()
    const came = comes(node, newer)
    expect(ofKind(came, 'withdraw')).toEqual([withdrawn(good)])
    expect(ofKind(node.run(TICK), 'withdraw')).toEqual([])
    expect(ofKind(node.run(activated(good, 'failed')), 'activate')).toMatchObject([
      { release: newer.id, previous: good.id },
    ])
    node.persist(node.run(activated(newer, 'healthy')))
    expect(active(node)).toBe(newer.id)
  })

  it('that is through already changes nothing: the next is shown then', () => {
    const node = restarted()
    comes(node, newer)
    expect(shows(node.run(activated(good, 'healthy')))).toEqual([newer.id])
  })

  it('goes on while what replaces it is not whole', () => {
    const node = restarted()
    expect(ofKind(node.persist(node.run(gossip(newer))), 'withdraw')).toEqual([])
  })

  it('goes on where what replaces it has failed', () => {
    const node = restarted()
    comes(node, newer)
    node.run(activated(good, 'failed'))
    // it waits to be tried again, and what is shown is looked through meanwhile
    expect(shows(node.run(activated(newer, 'failed')))).toEqual([good.id])
    node.monoMs += 60_000
    expect(ofKind(node.run(TICK), 'withdraw')).toEqual([])
  })
})
