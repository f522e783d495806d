import { describe, expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { decodeReleaseGossip, encodeControlGossip } from '../../../src/codec/gossip.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { Event } from '../../../src/core/events.ts'
import type { Journey } from '../../../src/core/journey.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, Pattern, PeerId } from '../../../src/model/ids.ts'
import { BenchNode, fetching, ofKind } from './bench-node.ts'
import {
  CHANNEL,
  given,
  gossip,
  type Made,
  make,
  OTHER,
  PEER,
  ROOT,
  raised,
  record,
  rootBytes,
} from './fleet.ts'

const submitted = (node: BenchNode, made: Made, content = made.content): readonly Effect[] =>
  node.inside((step, journey: Journey) =>
    journey.ingestWhole(step, made.envelope, content, { via: 'submit', peer: PEER }),
  )

const want = (made: Made, digest = sha256(made.page)): Event => ({
  kind: 'request',
  id: 7,
  peer: PEER,
  request: { protocol: 'blocks', message: { type: 'want', digest } },
})

describe('a fetched release', () => {
  it('is offered to neighbours as whole however long the fetch took', () => {
    const made = make({ clock: { alice: 1 } })
    const { node, block } = fetching(made)
    node.peer(OTHER)
    node.monoMs = 60_000
    const closing = node.persist(node.run(given(block?.id, made.block)))
    node.persist(closing)
    node.monoMs += LIMITS.haveBatchMs
    expect(ofKind(node.run({ kind: 'tick' }), 'request')).toMatchObject([
      { peer: OTHER, request: { message: { type: 'holds', release: made.id, whole: true } } },
    ])
  })
})

it('what came of a fetch that a newer target ended is cache, and so is what a full disk refused: both are collected', () => {
  const { node } = fetching(make({ clock: { alice: 1 } }))
  const collects = (afterMs: number) => node.collects(afterMs).length
  expect(collects(60_000)).toBe(0)
  node.persist(node.run(gossip(make({ clock: { alice: 2 }, text: 'b=2\n' }))))
  expect([collects(29_000), collects(1_000), collects(60_000)]).toEqual([0, 1, 0])
  node.run({ kind: 'storeMode', readOnly: true })
  expect([collects(30_000), collects(60_000)]).toEqual([1, 0])
})

describe('a release replaced while its record `whole` is on its way to disk', () => {
  it('is whole nowhere: the record goes with the envelope, and its coming late changes nothing', () => {
    const made = make({ clock: { alice: 1 } })
    const { node, block } = fetching(made)
    const closing = node.persist(node.run(given(block?.id, made.block)))
    expect(ofKind(closing, 'persist')).toMatchObject([{ writes: [{ kind: 'whole', release: made.id }] }])
    const newer = node.run(gossip(make({ clock: { alice: 2 }, also: 'b=1\n' })))
    expect(ofKind(newer, 'persist')[0]?.writes.slice(-2)).toEqual([
      { kind: 'dropEnvelope', release: made.id },
      { kind: 'unwhole', release: made.id },
    ])
    node.persist(closing)
    node.inside((_step, journey) => expect(journey.isWhole(made.id)).toBe(false))
  })
})

describe('a release replaced while its last block is on its way to disk', () => {
  it('is fetched no further: no record says that it is whole behind the one that dropped it', () => {
    const made = make({ clock: { alice: 1 } })
    const { node, block } = fetching(made)
    const last = node.run(given(block?.id, made.block))
    expect(ofKind(last, 'persist')).toMatchObject([{ writes: [{ kind: 'block' }] }])
    node.run(gossip(make({ clock: { alice: 2 }, also: 'b=1\n' })))
    expect(node.persist(last)).toEqual([])
    node.inside((_step, journey) => expect(journey.isWhole(made.id)).toBe(false))
  })
})

describe('a submission', () => {
  const made = make({ clock: { alice: 1 } })

  it('is ordered in the batch that makes it whole, and announced with its content only then', () => {
    const node = new BenchNode({ submit: true })
    node.start()
    const effects = submitted(node, made)
    expect(effects).toMatchObject([{ kind: 'persist', ticket: 1, sync: true }])
    const kinds = ofKind(effects, 'persist')[0]?.writes.map((write) => write.kind)
    expect(kinds).toEqual(['envelope', 'floor', 'channel', 'block', 'block', 'whole'])
    const after = node.run({ kind: 'persisted', ticket: 1 })
    const said = ofKind(after, 'publish')
    expect(said).toMatchObject([{ topic: 'releases' }])
    expect(decodeReleaseGossip(said[0]?.bytes as Uint8Array, LIMITS).attached).toEqual([
      made.page,
      made.block,
    ])
    expect(ofKind(after, 'activate')).toMatchObject([{ release: made.id }])
  })

  it('too large for one flight is announced by its envelope, and neighbours are told who has it', () => {
    const large = make({ clock: { alice: 1 }, text: 'x'.repeat(20_000) })
    const node = new BenchNode()
    node.start()
    node.peer(PEER)
    node.peer(OTHER, { patterns: ['elsewhere/**'] })
    submitted(node, large)
    const after = node.run({ kind: 'persisted', ticket: 1 })
    expect(ofKind(after, 'request')).toEqual([])
    node.monoMs = LIMITS.haveBatchMs
    const offers = node.run({ kind: 'tick' })
    const bytes = ofKind(after, 'publish')[0]?.bytes as Uint8Array
    expect(decodeReleaseGossip(bytes, LIMITS).attached).toEqual([])
    expect(ofKind(offers, 'request')).toMatchObject([
      { peer: PEER, request: { message: { type: 'holds', release: large.id, whole: true } } },
    ])
  })

  it('at a seed is offered to nobody: the fetchers of the region come for it', () => {
    const large = make({ clock: { alice: 1 }, text: 'x'.repeat(20_000) })
    const node = new BenchNode({ submit: true })
    node.start()
    node.peer(PEER)
    submitted(node, large)
    node.run({ kind: 'persisted', ticket: 1 })
    node.monoMs = 1_000
    expect(ofKind(node.run({ kind: 'tick' }), 'request')).toEqual([])
  })

  it('whose write fails was never ordered: nobody hears of it', () => {
    const node = new BenchNode({ submit: true })
    node.start()
    submitted(node, made)
    const failed = node.run({ kind: 'persistFailed', ticket: 1, code: 'STORE_FULL' })
    expect(ofKind(failed, 'publish')).toEqual([])
    expect(node.view().channels[0]).toMatchObject({ target: undefined, state: 'empty' })
    node.monoMs = 5_000
    for (const { writes } of ofKind(node.run({ kind: 'tick' }), 'persist'))
      expect(writes).not.toContainEqual(expect.objectContaining({ kind: 'whole' }))
    expect(submitted(node, made)).toMatchObject([{ kind: 'persist' }])
  })
})

describe('serving', () => {
  const made = make({ clock: { alice: 1 } })

  it('gives a block that is durable here to an admitted peer, and nothing to others', () => {
    const node = new BenchNode()
    node.start()
    const [persist] = submitted(node, made)
    expect(node.run(want(made))).toMatchObject([
      { reply: { message: { type: 'refused', code: 'ADMIT_REFUSED' } } },
    ])
    node.peer(PEER)
    expect(node.run(want(made))).toEqual([
      { kind: 'reply', id: 7, reply: { protocol: 'blocks', message: { type: 'gone' } } },
    ])
    node.persist(persist === undefined ? [] : [persist])
    expect(node.run(want(made))).toEqual([
      { kind: 'serveBlock', id: 7, digest: sha256(made.page) },
      { kind: 'wake', atMonoMs: LIMITS.repairMs },
    ])
  })

  it('a block that turns out to be lost is fetched again', () => {
    const node = new BenchNode()
    node.start()
    node.peer(PEER, { submit: true })
    node.persist(submitted(node, made))
    node.run({ kind: 'blockLost', digest: sha256(made.block) })
    node.monoMs = 1
    expect(ofKind(node.run({ kind: 'tick' }), 'read')).toEqual([{ kind: 'read', digest: sha256(made.page) }])
    const next = node.run({ kind: 'blockRead', digest: sha256(made.page), bytes: made.page })
    expect(ofKind(next, 'request')).toMatchObject([{ request: { message: { digest: sha256(made.block) } } }])
  })

  it('one that a running fetch counted as here is asked for by it, too', () => {
    const node = new BenchNode()
    node.start()
    node.peer(PEER, { submit: true })
    node.persist(submitted(node, made))
    const more = make({ clock: { alice: 2 }, also: 'b=1\n' })
    const [page] = ofKind(node.persist(node.run(gossip(more))), 'request')
    expect(page).toMatchObject({ request: { message: { digest: sha256(more.page) } } })
    const taken = node.run(given(page?.id, more.page))
    expect(ofKind(taken, 'request')).toMatchObject([
      { request: { message: { digest: sha256(Buffer.from('b=1\n')) } } },
    ])
    const after = node.run({ kind: 'blockLost', digest: sha256(made.block) })
    expect(ofKind(after, 'request')).toMatchObject([{ request: { message: { digest: sha256(made.block) } } }])
  })

  it('lost while `whole` is being written, it is missed: the record is taken back and the manifest read again', () => {
    const node = new BenchNode()
    const digest = sha256(Buffer.from('of some other release'))
    node.start({ blocks: new Set([digest]) })
    node.peer(PEER)
    submitted(node, made)
    node.run({ kind: 'blockLost', digest })
    const effects = node.run({ kind: 'persisted', ticket: 1 })
    expect(ofKind(effects, 'persist')).toMatchObject([
      { writes: [{ kind: 'unwhole', release: made.id }], sync: false },
    ])
    expect(ofKind(effects, 'activate')).toEqual([])
    expect(ofKind(effects, 'read')).toEqual([{ kind: 'read', digest: sha256(made.page) }])
    expect(node.heard.filter((line) => line.startsWith('whole'))).toEqual([])
    // Nothing of its own was lost: whole after all.
    const [again] = ofKind(
      node.run({ kind: 'blockRead', digest: sha256(made.page), bytes: made.page }),
      'persist',
    )
    expect(again?.writes).toEqual([{ kind: 'whole', release: made.id }])
    const after = node.run({ kind: 'persisted', ticket: again?.ticket ?? 0 })
    expect(ofKind(after, 'activate')).toMatchObject([{ release: made.id }])
    expect(node.heard.filter((line) => line.startsWith('whole'))).toEqual([`whole ${CHANNEL}`])
  })

  it('damage found by activation is looked for in every block', () => {
    const node = new BenchNode()
    node.start()
    node.peer(PEER, { submit: true })
    node.persist(submitted(node, made))
    const outcome = { kind: 'failed', code: 'STORE_CORRUPT', text: 'a block is damaged' } as const
    const effects = node.run({ kind: 'activated', channel: CHANNEL, release: made.id, outcome })
    // What is damaged may be the envelope: it is kept in memory, and asked of nobody.
    const envelope = { kind: 'envelope', release: made.id, channel: CHANNEL, bytes: made.envelope }
    const writes = [{ kind: 'unwhole', release: made.id }, envelope]
    expect(ofKind(effects, 'persist')).toMatchObject([{ writes }])
    expect(ofKind(effects, 'read')).toHaveLength(1)
    const checks = node.run({ kind: 'blockRead', digest: sha256(made.page), bytes: made.page })
    expect(ofKind(checks, 'read')).toEqual([{ kind: 'read', digest: sha256(made.block) }])
    const gone = node.run({ kind: 'blockRead', digest: sha256(made.block), bytes: undefined })
    expect(ofKind(gone, 'request')).toMatchObject([{ request: { message: { digest: sha256(made.block) } } }])
  })
})

describe('a disk that is full', () => {
  it('keeps what was ordered in memory only, offers nothing of it, and writes it when there is room', () => {
    const made = make({ clock: { alice: 1 } })
    const node = new BenchNode()
    node.start()
    node.inside((step, journey) => journey.ingest(step, made.envelope, { via: 'sync', peer: PEER }))
    node.run({ kind: 'persistFailed', ticket: 1, code: 'STORE_FULL' })
    node.run({ kind: 'storeMode', readOnly: true })
    let durable: boolean | undefined
    node.inside((_step, journey) => {
      durable = journey.channel(CHANNEL)?.durable
    })
    expect(durable).toBe(false)
    const mended = node.run({ kind: 'storeMode', readOnly: false })
    expect(ofKind(mended, 'persist')[0]?.writes.map((write) => write.kind)).toEqual([
      'envelope',
      'floor',
      'channel',
    ])
    node.persist(mended)
    expect(node.heard).toContain(`durable ${CHANNEL}`)
  })
})

describe('roots', () => {
  const next = raised(ROOT)
  const control = (root: Uint8Array): Event => ({
    kind: 'gossip',
    topic: 'control',
    from: PEER,
    id: 'c1',
    bytes: encodeControlGossip({ kind: 'root', envelope: root }),
  })

  it('off the control topic: written first, then the epochs it raises, and relayed', () => {
    const node = new BenchNode()
    node.start()
    node.persist(submitted(node, make({ clock: { alice: 5 } })))
    const effects = node.run(control(rootBytes(next)))
    expect(ofKind(effects, 'persist')).toMatchObject([{ sync: true, writes: [{ kind: 'root', version: 2 }] }])
    expect(ofKind(node.run({ kind: 'storeMode', readOnly: false }), 'persist')).toEqual([])
    const writes = [
      { kind: 'floor', floor: { top: { epoch: 2, counter: 0, publisher: '' }, ids: [] } },
      { kind: 'channel', record: { heads: [] } },
    ]
    expect(ofKind(node.persist(effects), 'persist')).toMatchObject([{ sync: true, writes }])
    expect(ofKind(effects, 'verdict')).toMatchObject([{ verdict: 'accept', urgent: true }])
    expect(ofKind(effects, 'publish')).toEqual([])
    expect(ofKind(node.run(control(rootBytes(next))), 'verdict')).toMatchObject([{ verdict: 'ignore' }])
  })

  it('by another way are handed on by the control topic', () => {
    const node = new BenchNode()
    node.start()
    const effects = node.inside((step, journey) => journey.adoptRoot(step, rootBytes(next), PEER))
    expect(ofKind(effects, 'publish')).toMatchObject([{ topic: 'control' }])
  })

  it('a gap asks the sender, and bytes that are no root are rejected', () => {
    const node = new BenchNode()
    node.start()
    expect(ofKind(node.run(control(rootBytes(raised(next)))), 'verdict')).toMatchObject([
      { verdict: 'ignore' },
    ])
    expect(node.heard).toEqual([`ahead ${PEER}`])
    const junk = { ...control(rootBytes(next)), bytes: new Uint8Array([1, 2, 3]) } as Event
    expect(ofKind(node.run(junk), 'verdict')).toMatchObject([{ verdict: 'reject' }])
  })
})

describe('bounds', () => {
  it('channels beyond the limit are relayed, not stored, and the operator hears of it', () => {
    const node = new BenchNode({ limits: { ...LIMITS, maxChannels: 1 } })
    node.start()
    const channels = ['app/a', 'app/b'] as Channel[]
    for (const channel of channels) {
      const made = make({ clock: { alice: 1 }, header: { channel } })
      node.inside((step, journey) => journey.ingest(step, made.envelope, { via: 'sync', peer: PEER }))
    }
    expect(node.view().channels.map((view) => view.channel)).toEqual(['app/a'])
    expect(node.view().relayedChannels).toBe(1)
    expect(channels.map((channel) => node.channelView(channel)?.channel)).toEqual(['app/a', undefined])
  })

  it('a channel whose floor outlived the subscription is not shown', () => {
    const node = new BenchNode({ patterns: ['other/*'] as Pattern[] })
    const made = make({ clock: { alice: 1 } })
    node.start({ channels: [record([made.id])] as never })
    expect(node.view().channels).toEqual([])
    expect(node.channelView(made.release.header.channel)).toBeUndefined()
    expect(node.readiness()).toEqual({ ready: true, waitingFor: [] })
  })

  it('gossip beyond a peer’s bucket is ignored before anything is decoded', () => {
    const node = new BenchNode({ limits: { ...LIMITS, gossipBurst: 2, gossipPerSecond: 0 } })
    node.start()
    const junk: Event = { kind: 'gossip', topic: 'releases', from: PEER, id: 'x', bytes: new Uint8Array([1]) }
    const verdicts = [1, 2, 3].map(
      (n) => ofKind(node.run({ ...junk, bytes: new Uint8Array([n]) }), 'verdict')[0]?.verdict,
    )
    expect(verdicts).toEqual(['reject', 'reject', 'ignore'])
  })

  it('a peer’s bucket is forgotten with its connection, and those of peers that are gone are bounded', () => {
    const node = new BenchNode({
      limits: { ...LIMITS, gossipBurst: 1, gossipPerSecond: 0, maxKnownPeers: 2 },
    })
    node.start()
    const said = (from: PeerId, n: number) => {
      const bytes = new Uint8Array([n])
      return ofKind(node.run({ kind: 'gossip', topic: 'releases', from, id: 'x', bytes }), 'verdict')[0]
        ?.verdict
    }
    expect([said(PEER, 1), said(PEER, 2)]).toEqual(['reject', 'ignore'])
    node.run({ kind: 'disconnected', peer: PEER })
    expect([said(PEER, 3), said(PEER, 4)]).toEqual(['reject', 'ignore'])
    for (const other of ['12D3KooWa', '12D3KooWb']) said(other as PeerId, 5)
    expect(said(PEER, 6)).toBe('reject')
  })

  it('a release nobody has is asked for on and on, and said once', () => {
    const node = new BenchNode()
    node.start()
    node.peer(PEER)
    const made = make({ clock: { alice: 1 } })
    node.persist(
      node.inside((step, journey) => journey.ingest(step, made.envelope, { via: 'sync', peer: PEER })),
    )
    node.run({ kind: 'reply', id: 1, reply: { protocol: 'blocks', message: { type: 'gone' } } })
    const asked: number[] = []
    const notes: string[] = []
    for (let i = 1; i < 200; i++) {
      node.monoMs = i * 250
      const effects = node.handle({ kind: 'tick' })
      for (const { code } of ofKind(effects, 'note')) notes.push(code)
      for (const { id } of ofKind(effects, 'request')) {
        asked.push(node.monoMs)
        node.run({ kind: 'reply', id, reply: { protocol: 'blocks', message: { type: 'gone' } } })
      }
    }
    expect(notes.filter((code) => code === 'FETCH_UNAVAILABLE')).toHaveLength(1)
    expect(asked.length).toBeGreaterThan(5)
    // Each time later, but never so late that a peer which comes back is not found.
    expect(asked.length).toBeLessThan(40)
    expect(node.view().channels[0]).toMatchObject({
      gate: 'content',
      lastError: { code: 'FETCH_UNAVAILABLE' },
    })
  })
})
