import { describe, expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Channel, Digest } from '../../../src/model/ids.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import { given, gossip, type Made, make, PEER, ROOT } from './fleet.ts'

const NOTHING = { keep: [], envelopes: [], awaited: [] }
const NAMED = '5'.repeat(64) as Digest
const collects = (node: BenchNode, afterMs: number) => node.collects(afterMs)
const uploaded = (node: BenchNode): void => {
  node.uploads = [NAMED]
  node.run({ kind: 'tick' })
  node.uploads = []
  node.run({ kind: 'tick' })
}

describe('collection', () => {
  it('awaits what is being fetched until its pages are read, and what would be fetched were a page missing', () => {
    const made = make({ clock: { alice: 1 } })
    const node = new BenchNode()
    node.start()
    node.peer(PEER, { submit: true })
    uploaded(node)
    node.monoMs = 1
    const [page] = ofKind(node.persist(node.run(gossip(made))), 'request')
    const [keep, envelopes] = [[made.id], []]
    expect(collects(node, 29_999)).toEqual([
      { kind: 'collect', keep, envelopes, awaited: [made.id], uploads: [] },
    ])
    const asked = node.run(given(page?.id, made.page))
    node.persist(asked)
    uploaded(node)
    expect(collects(node, 30_000)).toEqual([{ kind: 'collect', keep, envelopes, awaited: [], uploads: [] }])
    const block = ofKind(asked, 'request').at(-1)
    node.persist(node.persist(node.run(given(block?.id, made.block))))
    uploaded(node)
    expect(collects(node, 30_000)).toMatchObject([{ keep, awaited: [made.id] }])
  })

  it('keeps what is needed in the order of the channels: nobody asks for another, and to sort all is long', () => {
    const made = ['app/a', 'app/b']
      .map((channel) => make({ clock: { alice: 1 }, header: { channel: channel as Channel } }))
      .sort((a, b) => (a.id < b.id ? 1 : -1))
    const node = new BenchNode()
    node.start()
    node.peer(PEER, { submit: true })
    for (const each of made) node.persist(node.run(gossip(each)))
    uploaded(node)
    const keep = made.map(({ id }) => id)
    expect(collects(node, 30_000)).toMatchObject([{ keep }])
  })

  it('waits for pages that nobody gives no longer than it says so, and then looks again', () => {
    const made = make({ clock: { alice: 1 } })
    const node = new BenchNode()
    node.start()
    node.peer(PEER, { submit: true })
    uploaded(node)
    node.monoMs = 10_000
    node.persist(node.run(gossip(made)))
    const awaited = (afterMs: number) => collects(node, afterMs).map((collect) => collect.awaited)
    expect(awaited(20_000)).toEqual([[made.id]])
    expect(awaited(30_000)).toEqual([[]])
    expect(node.view().channels[0]).toMatchObject({ lastError: { code: 'FETCH_UNAVAILABLE' } })
    expect(awaited(60_000)).toEqual([])
  })

  it('comes behind a fetch that ended with its release, and behind each release that became whole', () => {
    const node = new BenchNode()
    node.start()
    node.peer(PEER, { submit: true })
    const [one, two] = [1, 2].map((counter) =>
      make({ clock: { alice: counter }, text: `a=${counter}\n`, header: { critical: ['future'] } }),
    ) as [Made, Made]
    const [page] = ofKind(node.persist(node.run(gossip(one))), 'request')
    const coming = node.run(given(page?.id, one.page))
    const newer = node.run(gossip(two, [two.page, two.block]))
    // its envelope is gone by now: there is nothing to be read for
    node.persist(coming)
    expect(collects(node, 30_000)).toHaveLength(1)
    node.persist(newer)
    expect(collects(node, 30_000)).toMatchObject([{ keep: [two.id] }])
  })

  it('takes the content of a channel that is not stored here any more for cache, and keeps its envelope', () => {
    const made = make({ clock: { alice: 1 } })
    const { channel } = made.release.header
    const node = new BenchNode({ patterns: ['elsewhere/**'] as never })
    const floor = {
      fleet: ROOT.fleetId,
      channel,
      top: { epoch: 1, counter: 1, publisher: 'alice' },
      ids: [made.id],
    }
    node.start({
      floors: [floor, floor] as never,
      envelopes: [{ release: made.id, channel, bytes: made.envelope }],
      whole: [made.id],
      blocks: new Set(made.content.keys()),
    })
    uploaded(node)
    node.monoMs += 30_000
    const effects = node.run({ kind: 'tick' })
    expect(ofKind(effects, 'collect')).toEqual([
      { kind: 'collect', ...NOTHING, envelopes: [made.id], uploads: [] },
    ])
    expect(ofKind(effects, 'persist')).toMatchObject([{ writes: [{ kind: 'unwhole', release: made.id }] }])
    node.inside((_step, journey) => expect(journey.isWhole(made.id)).toBe(false))
  })
})

describe('a collection that takes long', () => {
  const begun = () => {
    const node = new BenchNode({ submit: true })
    node.start()
    uploaded(node)
    node.monoMs = 30_000
    expect(ofKind(node.run({ kind: 'tick' }), 'collect')).toHaveLength(1)
    uploaded(node)
    return node
  }
  const tick = (node: BenchNode, afterMs: number) => {
    node.monoMs += afterMs
    return ofKind(node.run({ kind: 'tick' }), 'collect')
  }

  it('has none beside it: the next one says what is to be kept by then', () => {
    const made = make({ clock: { alice: 1 } })
    const node = begun()
    node.peer(PEER, { submit: true })
    expect(tick(node, 60_000)).toEqual([])
    node.run({ kind: 'collected', digests: [] })
    node.persist(node.run(gossip(made)))
    expect(tick(node, 600_000)).toMatchObject([{ keep: [made.id] }])
  })

  it('is followed by a pause of many times as long', () => {
    const node = begun()
    expect(tick(node, 40_000)).toEqual([])
    const effects = node.run({ kind: 'collected', digests: [] })
    expect(ofKind(effects, 'wake')).toEqual([{ kind: 'wake', atMonoMs: 430_000 }])
    expect(tick(node, 359_999)).toEqual([])
    expect(tick(node, 1)).toHaveLength(1)
  })

  it('is followed by ten minutes at most, where the process or its disk stood still meanwhile', () => {
    const node = begun()
    expect(tick(node, 8 * 3_600_000)).toEqual([])
    node.run({ kind: 'collected', digests: [] })
    expect(tick(node, 599_999)).toEqual([])
    expect(tick(node, 1)).toHaveLength(1)
  })

  it('lets the next one come in its time where it was short', () => {
    const node = begun()
    node.monoMs += 1_000
    node.run({ kind: 'collected', digests: [] })
    expect(tick(node, 28_999)).toEqual([])
    expect(tick(node, 1)).toHaveLength(1)
  })

  it('that removed nothing makes nothing doubtful', () => {
    const made = make({ clock: { alice: 1 } })
    const node = begun()
    node.peer(PEER)
    node.inside((step, journey) =>
      journey.ingestWhole(step, made.envelope, made.content, { via: 'submit', peer: PEER }),
    )
    node.run({ kind: 'collected', digests: [] })
    expect(ofKind(node.run({ kind: 'persisted', ticket: 1 }), 'persist')).toEqual([])
    node.inside((_step, journey) => expect(journey.isWhole(made.id)).toBe(true))
  })
})

describe('what was collected', () => {
  const made = make({ clock: { alice: 1 } })
  const whole = () => {
    const node = new BenchNode()
    node.start()
    node.peer(PEER, { submit: true })
    const [page] = ofKind(node.persist(node.run(gossip(made))), 'request')
    const asked = node.run(given(page?.id, made.page))
    node.persist(asked)
    const block = ofKind(asked, 'request').at(-1)
    node.persist(node.persist(node.run(given(block?.id, made.block))))
    return node
  }

  it('is of no release that counts: none is read again', () => {
    const node = whole()
    const digests = ['1', '2', '3'].map((digit) => digit.repeat(64) as Digest)
    expect(ofKind(node.run({ kind: 'collected', digests }), 'wake')).toEqual([])
    node.monoMs += 60_000
    expect(ofKind(node.run({ kind: 'tick' }), 'read')).toEqual([])
    node.inside((_step, journey) => expect(journey.isWhole(made.id)).toBe(true))
  })

  it('is not here, and asked for by a fetch that had counted on it', () => {
    const node = whole()
    const more = make({ clock: { alice: 2 }, also: 'b=1\n' })
    const [page] = ofKind(node.persist(node.run(gossip(more))), 'request')
    node.run(given(page?.id, more.page))
    const digest = sha256(made.block)
    const after = node.run({ kind: 'collected', digests: [digest] })
    expect(ofKind(after, 'request')).toMatchObject([{ request: { message: { digest } } }])
    node.inside((_step, journey) => expect(journey.hasBlock(digest)).toBe(false))
  })

  it('makes doubtful what is being written as whole', () => {
    const node = new BenchNode()
    node.start()
    node.peer(PEER)
    node.inside((step, journey) =>
      journey.ingestWhole(step, made.envelope, made.content, { via: 'submit', peer: PEER }),
    )
    node.run({ kind: 'collected', digests: ['1'.repeat(64) as Digest] })
    const effects = node.run({ kind: 'persisted', ticket: 1 })
    expect(ofKind(effects, 'persist')).toMatchObject([{ writes: [{ kind: 'unwhole', release: made.id }] }])
  })
})

describe('uploads that end', () => {
  it('leave the cache to be collected; while one is under way its blocks are spared', () => {
    const node = new BenchNode({ submit: true })
    node.start()
    node.uploads = [NAMED, NAMED]
    node.run({ kind: 'tick' })
    expect(collects(node, 60_000)).toEqual([])
    node.uploads = []
    node.run({ kind: 'tick' })
    node.uploads = [NAMED]
    expect(collects(node, 30_000)).toEqual([{ kind: 'collect', ...NOTHING, uploads: [NAMED] }])
    node.uploads = []
    node.run({ kind: 'tick' })
    expect(collects(node, 30_000)).toEqual([{ kind: 'collect', ...NOTHING, uploads: [] }])
  })

  it('leave it to be collected while another goes on', () => {
    const node = new BenchNode({ submit: true })
    node.start()
    const other = '6'.repeat(64) as Digest
    node.uploads = [NAMED, other]
    node.run({ kind: 'tick' })
    node.uploads = [other]
    node.run({ kind: 'tick' })
    expect(collects(node, 30_000)).toEqual([{ kind: 'collect', ...NOTHING, uploads: [other] }])
    expect(collects(node, 60_000)).toEqual([])
  })
})
