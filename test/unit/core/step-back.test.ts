/** The one step back: taken in whatever order a release fails, last-known-good is read again, and newer ones come. */
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { Event } from '../../../src/core/events.ts'
import type { Digest } from '../../../src/model/ids.ts'
import { activated, BenchNode, comes, ofKind, soaked } from './bench-node.ts'
import { CHANNEL, floorOf, given, type Made, make, PEER, ROOT, raised, record, rootBytes } from './fleet.ts'

const good = make({ clock: { alice: 1 } })
const bad = make({ clock: { alice: 2 }, text: 'b=1\n' })
const newer = make({ clock: { alice: 3 }, text: 'c=1\n' })
const TICK: Event = { kind: 'tick' }
const activations = (effects: readonly Effect[]) =>
  ofKind(effects, 'activate').map(({ release, previous, fallback }) => ({ release, previous, fallback }))
const lost = (made: Made): Event => ({ kind: 'blockLost', digest: sha256(made.block) })

/** The first is last-known-good, and the second under way. */
function underWay() {
  const node = soaked(good)
  comes(node, bad)
  return node
}

describe('a step back to what is just read again', () => {
  const back = [{ release: good.id, previous: bad.id, fallback: true }]
  const read: Event = { kind: 'blockRead', digest: sha256(good.page), bytes: good.page }

  it('is taken at once: it is whole unless something of it is found missing', () => {
    const node = underWay()
    node.run({ kind: 'blockLost', digest: 'f'.repeat(64) as Digest })
    node.monoMs += 10_000
    const reads = ofKind(node.run(TICK), 'read').map(({ digest }) => digest)
    expect(reads).toContain(sha256(good.page))
    const failed = node.run(activated(bad, 'unhealthy'))
    expect(activations(failed)).toEqual(back)
    expect(ofKind(failed, 'persist').flatMap(({ writes }) => writes)).toMatchObject([
      { kind: 'channel', record: { active: { release: good.id, soaked: true }, failed: [bad.id] } },
    ])
    node.persist(failed)
    expect(node.run(read)).toEqual([])
    const healthy = node.run(activated(good, 'healthy'))
    expect(activations([...healthy, ...node.persist(healthy)])).toEqual([])
    expect(node.view().channels[0]).toMatchObject({ active: { id: good.id, soaked: true }, unhealthy: false })
  })

  it('is taken as soon as that is whole, where something was', () => {
    const node = underWay()
    node.run(lost(good))
    node.monoMs += 10_000
    node.run(TICK)
    const [want] = ofKind(node.run(read), 'request')
    const failed = node.run(activated(bad, 'unhealthy'))
    expect(activations([...failed, ...node.persist(failed)])).toEqual([])
    const closing = node.persist(node.run(given(want?.id, good.block)))
    expect(activations(node.persist(closing))).toEqual(back)
  })

  it('fetches what is gone of it', () => {
    const node = underWay()
    node.run(lost(good))
    node.persist(node.run(activated(bad, 'unhealthy')))
    node.persist(node.run(activated(good, 'failed')))
    node.monoMs += 10_000
    node.run(TICK)
    const read = node.run({ kind: 'blockRead', digest: sha256(good.page), bytes: good.page })
    expect(ofKind(read, 'request').map(({ request }) => request.message)).toContainEqual({
      type: 'want',
      digest: sha256(good.block),
    })
  })
})

describe('a step back that touches nothing, while a newer target cannot be shown either', () => {
  const made = (id: string): Made => (id === good.id ? good : newer)

  /** What is tried so long after the newer one came, each attempt in vain but those that end well. */
  function tries(node: BenchNode, well: readonly Made[] = []): readonly Made[] {
    const tried: Made[] = []
    for (let [next] = ofKind(node.run(TICK), 'activate'); next !== undefined; ) {
      tried.push(made(next.release))
      const effects = node.run(
        activated(made(next.release), well.includes(made(next.release)) ? 'healthy' : 'failed'),
      )
      node.persist(effects)
      ;[next] = ofKind(effects, 'activate')
    }
    return tried
  }

  function bothFailed() {
    const node = underWay()
    node.persist(node.run(activated(bad, 'unhealthy')))
    node.run(activated(good, 'failed'))
    expect(activations(comes(node, newer))).toEqual([
      { release: newer.id, previous: bad.id, fallback: false },
    ])
    expect(activations(node.run(activated(newer, 'failed')))).toEqual([])
    const at = (ms: number, ...well: Made[]) => {
      node.monoMs = 30_000 + ms
      return tries(node, well)
    }
    return { node, at }
  }

  it('is tried again as that is, each ever more slowly', () => {
    const { at } = bothFailed()
    expect([at(749), at(750), at(2_249), at(2_250), at(5_249), at(5_250)]).toEqual([
      [],
      [newer, good],
      [],
      [newer, good],
      [],
      [newer, good],
    ])
  })

  it('once it is done leaves that to its own time', () => {
    const { node, at } = bothFailed()
    expect(at(750, good)).toEqual([newer, good])
    expect(node.view().channels[0]).toMatchObject({ active: { id: good.id }, unhealthy: false })
    expect([at(2_249), at(2_250), at(5_249), at(5_250, newer)]).toEqual([[], [newer], [], [newer]])
    expect(node.view().channels[0]).toMatchObject({ active: { id: newer.id } })
  })

  it('is not needed any more where that is shown at last', () => {
    const { at } = bothFailed()
    expect([at(750, newer), at(60_000)]).toEqual([[newer], []])
  })
})

it('what is active is checked after the start, though the target touches nothing again and again', () => {
  const node = new BenchNode()
  const active = { release: good.id, epoch: 1, activatedAt: 5, soaked: true }
  const start = node.start({
    floors: [floorOf(newer), floorOf(newer)],
    channels: [record([newer.id], { active })] as never,
    envelopes: [good, newer].map(({ id, envelope }) => ({ release: id, channel: CHANNEL, bytes: envelope })),
    whole: [good.id, newer.id],
  })
  expect(activations(start)).toMatchObject([{ release: newer.id }])
  expect(activations(node.run(activated(newer, 'failed')))).toEqual([
    { release: good.id, previous: good.id, fallback: false },
  ])
})

it('those that failed here are remembered, the newest 32', () => {
  const node = new BenchNode()
  node.start()
  const all = Array.from({ length: 33 }, (_, at) => make({ clock: { alice: at + 1 }, text: `${at}\n` }))
  const noted = all.map((made) => {
    comes(node, made)
    const effects = node.run(activated(made, 'unhealthy'))
    node.persist(effects)
    const [write] = ofKind(effects, 'persist').flatMap(({ writes }) => writes)
    return write?.kind === 'channel' ? write.record.failed : []
  })
  const ids = all.map(({ id }) => id)
  expect(noted.slice(-2)).toEqual([ids.slice(0, 32), ids.slice(1)])
})

it('leads also to what has expired while it was active: better old than what its check refused', () => {
  const short = make({ clock: { alice: 1 }, header: { expires: ROOT.expires - 1_000 } })
  const node = soaked(short)
  comes(node, bad)
  node.wallMs = ROOT.expires - 1_000
  const failed = node.run(activated(bad, 'unhealthy'))
  expect(activations(failed)).toEqual([{ release: short.id, previous: bad.id, fallback: true }])
  node.persist(failed)
  expect(ofKind(node.run(TICK), 'withdraw')).toEqual([])
  node.persist(node.run(activated(short, 'healthy')))
  expect(node.view().channels[0]).toMatchObject({ state: 'stale', gate: 'health', active: { id: short.id } })
})

describe('until it is back', () => {
  const third = make({ clock: { alice: 3 }, text: 'd=1\n' })

  /** The second was healthy, did not soak, and the third is under way. */
  function onTheThird() {
    const node = underWay()
    node.persist(node.run(activated(bad, 'healthy')))
    comes(node, third)
    return node
  }

  it('a node says of what was active before that it is, and that what files show is unhealthy', () => {
    const node = onTheThird()
    node.persist(node.run(activated(third, 'unhealthy')))
    expect(node.view().channels[0]).toMatchObject({ active: { id: bad.id, soaked: false }, unhealthy: true })
    node.persist(node.run(activated(good, 'failed')))
    expect(node.view().channels[0]).toMatchObject({ active: { id: bad.id }, unhealthy: true })
    node.monoMs += 2_000
    expect(activations(node.run(TICK))).toEqual([{ release: good.id, previous: third.id, fallback: true }])
    node.persist(node.run(activated(good, 'healthy')))
    expect(node.view().channels[0]).toMatchObject({ active: { id: good.id, soaked: true }, unhealthy: false })
  })

  it('and another fails meanwhile, too', () => {
    const node = onTheThird()
    node.persist(node.run(activated(third, 'unhealthy')))
    node.persist(node.run(activated(good, 'failed')))
    const fourth = make({ clock: { alice: 4 }, text: 'e=1\n' })
    comes(node, fourth)
    node.persist(node.run(activated(fourth, 'unhealthy')))
    expect(node.view().channels[0]).toMatchObject({ active: { id: bad.id }, unhealthy: true })
    node.persist(node.run(activated(good, 'healthy')))
    expect(node.view().channels[0]).toMatchObject({ active: { id: good.id }, unhealthy: false })
  })

  it('the release that is served stays here, however few of those before are kept', () => {
    const node = new BenchNode({ keepReleases: 0 })
    node.start()
    for (const [made, soaks] of [
      [good, true],
      [bad, false],
    ] as const) {
      comes(node, made)
      node.persist(node.run(activated(made, 'healthy')))
      if (soaks) {
        node.monoMs += 30_000
        node.persist(node.run(TICK))
      }
    }
    comes(node, third)
    node.persist(node.run(activated(third, 'unhealthy')))
    comes(node, make({ clock: { alice: 4 }, text: 'e=1\n', header: { expires: 1 } }))
    node.inside((_step, journey) =>
      expect([bad, third].map(({ id }) => journey.envelope(id) !== undefined)).toEqual([true, true]),
    )
    node.persist(node.run(activated(good, 'healthy')))
    node.inside((_step, journey) =>
      expect([bad, third].map(({ id }) => journey.envelope(id) !== undefined)).toEqual([false, false]),
    )
  })
})

describe('a root that ends the epoch before the step back is taken', () => {
  const raises = (node: BenchNode) => {
    const adopted = node.inside((step, journey) => journey.adoptRoot(step, rootBytes(raised(ROOT)), PEER))
    const floors = node.persist(adopted)
    return [...floors, ...node.persist(floors)]
  }

  it('ends it: what failed stays, and its state says so', () => {
    const node = underWay()
    node.persist(node.run(activated(bad, 'unhealthy')))
    node.persist(node.run(activated(good, 'failed')))
    expect(activations(raises(node))).toEqual([])
    node.monoMs += 60_000
    expect(activations(node.run(TICK))).toEqual([])
    expect(node.view().channels[0]).toMatchObject({ active: { id: bad.id, soaked: false }, unhealthy: true })
    const next = make({ clock: { alice: 1 }, text: 'e=1\n', header: { root: 2 } })
    expect(activations(comes(node, next))).toEqual([{ release: next.id, previous: bad.id, fallback: false }])
  })

  it('while it is under way does not stop it, but that it is tried again', () => {
    for (const outcome of ['healthy', 'failed'] as const) {
      const node = underWay()
      node.persist(node.run(activated(bad, 'unhealthy')))
      raises(node)
      node.persist(node.run(activated(good, outcome)))
      node.monoMs += 60_000
      expect(activations(node.run(TICK))).toEqual([])
      const runs = outcome === 'healthy' ? good : bad
      const release = runs.release
      expect(node.view().channels[0]).toMatchObject({ active: { id: runs.id, release } })
    }
  })
})

describe('a first release that stays, as there is nothing to go back to, and after a start passes its check', () => {
  const twice = [floorOf(bad), floorOf(bad)]
  const active = { release: bad.id, epoch: 1, activatedAt: 5, soaked: false }
  const failedBefore = { active, failed: [good.id, bad.id] }
  const snapshot = {
    floors: twice,
    channels: [record([bad.id], failedBefore)] as never,
    envelopes: [{ release: bad.id, channel: CHANNEL, bytes: bad.envelope }],
    whole: [bad.id],
  }

  it('is healthy by the record, too', () => {
    const node = new BenchNode()
    node.persist(node.start(snapshot))
    expect(node.view().channels[0]).toMatchObject({ unhealthy: true })
    const passed = node.run(activated(bad, 'healthy'))
    expect(ofKind(passed, 'persist').flatMap(({ writes }) => writes)).toMatchObject([
      { kind: 'channel', record: { active: { release: bad.id }, failed: [good.id] } },
    ])
    expect(node.view().channels[0]).toMatchObject({ state: 'active', gate: null, unhealthy: false })
    expect(node.view().channels[0]?.lastError).toBeUndefined()
  })

  it('soaks, and is what the next one that fails is left for', () => {
    const node = new BenchNode()
    node.persist(node.start(snapshot))
    node.persist(node.run(activated(bad, 'healthy')))
    node.monoMs += 30_000
    node.persist(node.run(TICK))
    expect(node.view().channels[0]).toMatchObject({ active: { id: bad.id, soaked: true } })
    comes(node, newer)
    const failed = node.run(activated(newer, 'unhealthy'))
    expect(activations(failed)).toEqual([{ release: bad.id, previous: newer.id, fallback: true }])
  })

  it('is unhealthy as before where it fails once more, or files show what is ahead of it and nothing was checked', () => {
    for (const [shown, outcome] of [
      [new Map(), 'unhealthy'],
      [new Map([[CHANNEL, newer.id]]), 'healthy'],
    ] as const) {
      const node = new BenchNode()
      node.persist(node.start({ ...snapshot, floors: [floorOf(newer), floorOf(newer)] }, shown))
      const ended = node.run(activated(bad, outcome))
      expect(ofKind(ended, 'persist')).toEqual([])
    }
  })

  it('is shown again where a root that ended its epoch has it issued anew', () => {
    const two = raised(ROOT)
    const roots = [ROOT, two].map((root) => ({ version: root.version, envelope: rootBytes(root) }))
    const node = new BenchNode({ root: rootBytes(two) })
    node.persist(node.start({ ...snapshot, roots }))
    node.persist(node.run(activated(bad, 'healthy')))
    const anew = make({ clock: { alice: 1 }, text: 'b=1\n', header: { root: 2 } })
    expect(activations(comes(node, anew))).toMatchObject([{ release: anew.id }])
  })
})
