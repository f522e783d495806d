import { describe, expect, it } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { sha256 } from '../../../src/codec/digest.ts'
import { durableBy } from '../../../src/core/durable.ts'
import type { Event, EventOf } from '../../../src/core/events.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import {
  CHANNEL,
  floorOf,
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

const persisted = (ticket: number) => durableBy({ kind: 'persisted', ticket } as EventOf<'persisted'>)

describe('a small release by gossip', () => {
  const made = make({ clock: { alice: 1 } })

  it('is relayed at once, and written with its content in one batch that ends with `whole`', () => {
    const node = new BenchNode()
    node.start()
    expect(node.run(gossip(made, [made.page, made.block]))).toEqual([
      {
        kind: 'persist',
        ticket: 1,
        sync: true,
        writes: [
          { kind: 'envelope', release: made.id, channel: CHANNEL, bytes: made.envelope },
          { kind: 'floor', floor: floorOf(made) },
          { kind: 'channel', record: record([made.id]) },
          { kind: 'block', digest: sha256(made.page), bytes: made.page },
          { kind: 'block', digest: sha256(made.block), bytes: made.block },
          { kind: 'whole', release: made.id, alone: true },
        ],
      },
      { kind: 'verdict', id: 'm1', from: PEER, topic: 'releases', verdict: 'accept' },
    ])
  })

  it('becomes active once the batch is on disk, not before', () => {
    const node = new BenchNode()
    node.start()
    node.run(gossip(made, [made.page, made.block]))
    expect(node.view().channels[0]).toMatchObject({ state: 'fetching', gate: 'content', target: made.id })
    expect(node.run({ kind: 'persisted', ticket: 1 })).toEqual([
      {
        kind: 'activate',
        channel: CHANNEL,
        release: made.id,
        pages: made.release.header.pages,
        previous: undefined,
        after: persisted(1),
        fallback: false,
      },
      { kind: 'wake', atMonoMs: 30_000 },
    ])
    node.wallMs += 7
    const effects = node.run({
      kind: 'activated',
      channel: CHANNEL,
      release: made.id,
      outcome: { kind: 'healthy', changed: 1 },
    })
    const active = { release: made.id, epoch: 1, activatedAt: node.wallMs, soaked: false }
    expect(effects).toEqual([
      {
        kind: 'persist',
        ticket: 2,
        sync: true,
        writes: [{ kind: 'channel', record: record([made.id], { active }) }],
      },
    ])
    expect(node.view()).toMatchObject({ ready: true, channels: [{ state: 'active', gate: null }] })
    expect(node.channelView(CHANNEL)).toEqual(node.view().channels[0])
    expect(node.readiness()).toEqual({ ready: true, waitingFor: [] })
  })

  it('with a changed byte in what is attached is rejected, and stays so by its bytes', () => {
    const node = new BenchNode()
    node.start()
    const bad = gossip(made, [made.page, new TextEncoder().encode('a=2\n')])
    expect(node.run(bad)).toEqual([
      { kind: 'verdict', id: 'm1', from: PEER, topic: 'releases', verdict: 'reject' },
    ])
    expect(node.run(bad)).toEqual([
      { kind: 'verdict', id: 'm1', from: PEER, topic: 'releases', verdict: 'reject' },
    ])
    expect(ofKind(node.run(gossip(made)), 'verdict')).toMatchObject([{ verdict: 'accept' }])
  })

  it('by an unknown key is rejected; a root we lack is asked for once a minute and peer', () => {
    const node = new BenchNode()
    node.start()
    const forged = make({ clock: { alice: 9 }, signedBy: generatePrivateKey('ed25519').key })
    expect(node.run(gossip(forged))).toEqual([
      { kind: 'verdict', id: 'm1', from: PEER, topic: 'releases', verdict: 'reject' },
    ])
    const ahead = make({ clock: { alice: 1 }, header: { root: 50 } })
    for (let i = 0; i < 10; i++) expect(ofKind(node.run(gossip(ahead)), 'verdict')[0]?.verdict).toBe('ignore')
    expect(node.heard.filter((line) => line.startsWith('ahead'))).toEqual([`ahead ${PEER}`])
    expect(node.view().channels).toEqual([])
    expect(node.channelView(made.release.header.channel)).toBeUndefined()
  })
})

describe('a release whose content is fetched', () => {
  const made = make({ clock: { alice: 1 } })
  const want = (digest: string) => ({ protocol: 'blocks', message: { type: 'want', digest } })
  const answer = (id: number, bytes: Uint8Array): Event => ({
    kind: 'reply',
    id,
    reply: { protocol: 'blocks', message: { type: 'block', bytes } },
  })

  function fetching() {
    const node = new BenchNode()
    node.start()
    node.peer(PEER, { submit: true })
    node.run(gossip(made))
    return { node, first: node.run({ kind: 'persisted', ticket: 1 }) }
  }

  it('asks for the page, then the block it names, writes each, and ends with `whole`', () => {
    const { node, first } = fetching()
    expect(first).toEqual([
      { kind: 'request', id: 1, peer: PEER, request: want(sha256(made.page)), timeoutMs: 10_000 },
      { kind: 'wake', atMonoMs: 100 },
    ])
    expect(node.run(answer(1, made.page))).toEqual([
      {
        kind: 'persist',
        ticket: 2,
        writes: [{ kind: 'block', digest: sha256(made.page), bytes: made.page }],
        sync: false,
      },
      { kind: 'request', id: 2, peer: PEER, request: want(sha256(made.block)), timeoutMs: 10_000 },
    ])
    // Neighbours hear of a page and its only block once both are here.
    expect(node.run({ kind: 'persisted', ticket: 2 })).toEqual([])
    expect(ofKind(node.run(answer(2, made.block)), 'persist')).toMatchObject([
      { ticket: 3, writes: [{ kind: 'block', digest: sha256(made.block) }] },
    ])
    expect(node.run({ kind: 'persisted', ticket: 3 })).toEqual([
      { kind: 'persist', ticket: 4, writes: [{ kind: 'whole', release: made.id }], sync: true },
      // To offer it to others.
      { kind: 'wake', atMonoMs: 1 },
    ])
    const end = node.run({ kind: 'persisted', ticket: 4 })
    expect(end).toMatchObject([{ kind: 'activate', release: made.id, after: persisted(4) }])
    expect(node.heard.at(-1)).toBe(`whole ${CHANNEL}`)
  })

  it('says how much of what it knows of is here: what is on disk, not what came', () => {
    const { node } = fetching()
    const progress = () => node.view().channels[0]?.fetch
    expect(progress()).toMatchObject({ have: 0, blocks: 1 })
    node.run(answer(1, made.page))
    expect(progress()).toMatchObject({ have: 0, blocks: 2 })
    node.run({ kind: 'persisted', ticket: 2 })
    expect(progress()).toMatchObject({ have: 1, blocks: 2 })
    node.persist(node.run(answer(2, made.block)))
    expect(progress()).toMatchObject({ have: 2, blocks: 2 })
    node.run({ kind: 'persisted', ticket: 4 })
    expect(progress()).toBeUndefined()
  })

  it('is passed on with its content where that comes by gossip after all, once', () => {
    const { node } = fetching()
    const filled = node.run(gossip(made, [made.page, made.block]))
    expect(ofKind(filled, 'verdict')).toMatchObject([{ verdict: 'accept' }])
    expect(ofKind(filled, 'persist').map(({ writes }) => writes)).toEqual([
      [{ kind: 'block', digest: sha256(made.page), bytes: made.page }],
      [{ kind: 'block', digest: sha256(made.block), bytes: made.block }],
    ])
    const again = node.run(gossip(made, [made.page, made.block]))
    expect(ofKind(again, 'verdict')).toMatchObject([{ verdict: 'ignore' }])
  })

  it('begins with what gossip brought before its order was on disk, which is passed on, once', () => {
    const node = new BenchNode()
    node.start()
    node.peer(PEER, { submit: true })
    node.run(gossip(made))
    for (const verdict of ['accept', 'ignore']) {
      const filled = node.run(gossip(made, [made.page, made.block]))
      expect(ofKind(filled, 'verdict')).toMatchObject([{ verdict }])
      expect(ofKind(filled, 'persist')).toEqual([])
    }
    const begun = node.run({ kind: 'persisted', ticket: 1 })
    expect(ofKind(begun, 'persist').map(({ writes }) => writes)).toEqual([
      [{ kind: 'block', digest: sha256(made.page), bytes: made.page }],
      [{ kind: 'block', digest: sha256(made.block), bytes: made.block }],
    ])
    expect(ofKind(begun, 'request')).toEqual([])
  })

  it('is not passed on by a message that brings no content', () => {
    const { node } = fetching()
    expect(ofKind(node.run(gossip(made)), 'verdict')).toMatchObject([{ verdict: 'ignore' }])
  })

  it('drops a peer that gives wrong bytes, and asks another', () => {
    const { node } = fetching()
    node.peer(OTHER, { submit: true })
    const effects = node.handle(answer(1, made.block))
    expect(ofKind(effects, 'note')).toMatchObject([{ code: 'BLOCK_DIGEST', peer: PEER }])
    expect(ofKind(effects, 'request')).toMatchObject([{ peer: OTHER, request: want(sha256(made.page)) }])
    expect(ofKind(effects, 'persist')).toEqual([])
  })

  it('asks a second peer when the first is silent, and takes what comes first', () => {
    const { node } = fetching()
    node.peer(OTHER, { submit: true })
    node.monoMs = 250
    expect(ofKind(node.run({ kind: 'tick' }), 'request')).toEqual([])
    node.monoMs = 500
    expect(ofKind(node.run({ kind: 'tick' }), 'request')).toMatchObject([{ id: 2, peer: OTHER }])
    expect(ofKind(node.run(answer(2, made.page)), 'persist')).toHaveLength(1)
    expect(ofKind(node.run(answer(1, made.page)), 'persist')).toEqual([])
  })

  it('goes on after a restart without asking for what is here', () => {
    const node = new BenchNode()
    node.peer(PEER, { submit: true })
    const effects = node.start({
      floors: [floorOf(made), floorOf(made)],
      channels: [record([made.id])] as never,
      envelopes: [{ release: made.id, channel: CHANNEL, bytes: made.envelope }],
      blocks: new Set([sha256(made.page)]),
    })
    expect(ofKind(effects, 'read')).toEqual([{ kind: 'read', digest: sha256(made.page) }])
    const next = node.run({ kind: 'blockRead', digest: sha256(made.page), bytes: made.page })
    expect(ofKind(next, 'request')).toMatchObject([{ request: want(sha256(made.block)) }])
  })

  it('is ended by a newer target, and a page that lies closes the gate for good', () => {
    const { node } = fetching()
    const next = make({ clock: { alice: 2 }, text: 'b=2\n', header: { files: 2 } })
    node.persist(node.run(gossip(next)))
    expect(ofKind(node.run(answer(1, made.page)), 'persist')).toEqual([])
    node.run({ kind: 'tick' })
    const asked = node.inside(() => {})
    expect(asked).toEqual([])
    expect(node.view().channels[0]).toMatchObject({ target: next.id, gate: 'content' })
  })
})

describe('activation', () => {
  const first = make({ clock: { alice: 1 } })
  const second = make({ clock: { alice: 2 }, text: 'b=1\n' })
  const done = (made: Made, kind: 'healthy' | 'unhealthy' | 'failed'): Event => ({
    kind: 'activated',
    channel: CHANNEL,
    release: made.id,
    outcome:
      kind === 'healthy'
        ? { kind, changed: 1 }
        : { kind, code: 'ACTIVATE_UNHEALTHY', text: 'the check said no' },
  })

  function running(soak: boolean) {
    const node = new BenchNode()
    node.start()
    node.persist(node.run(gossip(first, [first.page, first.block])))
    node.persist(node.run(done(first, 'healthy')))
    if (soak) {
      node.monoMs = 30_000
      node.persist(node.run({ kind: 'tick' }))
    }
    node.persist(node.run(gossip(second, [second.page, second.block])))
    return node
  }

  it('that fails its health check goes back to what had soaked, and is not tried again', () => {
    const node = running(true)
    const effects = node.run(done(second, 'unhealthy'))
    expect(ofKind(effects, 'activate')).toMatchObject([
      { release: first.id, previous: second.id, fallback: true },
    ])
    node.persist(effects)
    node.persist(node.run(done(first, 'healthy')))
    expect(node.view().channels[0]).toMatchObject({
      gate: 'health',
      target: second.id,
      active: { id: first.id, soaked: true },
      unhealthy: false,
      lastError: { code: 'ACTIVATE_UNHEALTHY', release: second.id },
    })
    expect(ofKind(node.run({ kind: 'tick' }), 'activate')).toEqual([])
  })

  it('that fails with nothing to go back to stays, reported', () => {
    const node = running(false)
    expect(ofKind(node.run(done(second, 'unhealthy')), 'activate')).toEqual([])
    expect(node.view().channels[0]).toMatchObject({
      active: { id: second.id },
      unhealthy: true,
      lastError: { code: 'ACTIVATE_UNHEALTHY', text: 'the check said no' },
    })
  })

  it('that could touch nothing is tried again later', () => {
    const node = running(true)
    expect(ofKind(node.run(done(second, 'failed')), 'activate')).toEqual([])
    node.monoMs += 2_000
    expect(ofKind(node.run({ kind: 'tick' }), 'activate')).toMatchObject([{ release: second.id }])
  })

  it('of another release does not wait for the one that could touch nothing', () => {
    const node = running(true)
    node.run(done(second, 'failed'))
    const third = make({ clock: { alice: 3 }, text: 'c=1\n' })
    const effects = node.persist(node.run(gossip(third, [third.page, third.block])))
    expect(ofKind(effects, 'activate')).toMatchObject([{ release: third.id }])
  })

  it('back to what had soaked is tried again, too, where it could touch nothing', () => {
    const node = running(true)
    node.persist(node.run(done(second, 'unhealthy')))
    expect(ofKind(node.run(done(first, 'failed')), 'activate')).toEqual([])
    expect(ofKind(node.run({ kind: 'tick' }), 'activate')).toEqual([])
    node.monoMs += 2_000
    expect(ofKind(node.run({ kind: 'tick' }), 'activate')).toMatchObject([
      { release: first.id, previous: second.id, fallback: true },
    ])
    node.persist(node.run(done(first, 'healthy')))
    node.monoMs += 60_000
    expect(ofKind(node.run({ kind: 'tick' }), 'activate')).toEqual([])
  })

  it('back to what had soaked is written down before it is done, for a crash in between', () => {
    const node = running(true)
    node.persist(node.run(done(second, 'healthy')))
    const third = make({ clock: { alice: 3 }, text: 'c=1\n' })
    node.persist(node.run(gossip(third, [third.page, third.block])))
    const effects = node.run(done(third, 'unhealthy'))
    expect(ofKind(effects, 'activate')).toMatchObject([{ release: first.id, fallback: true }])
    expect(ofKind(effects, 'persist').flatMap(({ writes }) => writes)).toMatchObject([
      { kind: 'channel', record: { active: { release: first.id, soaked: true }, failed: [third.id] } },
    ])
  })

  it('is stopped by equivocation: the channel is held, everything stays, the next release ends it', () => {
    const node = running(true)
    node.persist(node.run(done(second, 'healthy')))
    const twin = make({ clock: { alice: 2 }, text: 'c=1\n' })
    const held = node.persist(node.run(gossip(twin)))
    expect(ofKind(held, 'activate')).toEqual([])
    expect(node.view().channels[0]).toMatchObject({ state: 'held', held: true, active: { id: second.id } })
    const third = make({ clock: { alice: 3 }, text: 'd=1\n' })
    const effects = node.persist(node.run(gossip(third, [third.page, third.block])))
    expect(ofKind(effects, 'activate')).toMatchObject([{ release: third.id }])
  })

  it('never goes back into an ended epoch', () => {
    const node = running(true)
    node.persist(node.run(done(second, 'healthy')))
    const adopted = node.inside((step, journey) => journey.adoptRoot(step, rootBytes(raised(ROOT)), PEER))
    node.persist(node.persist(adopted))
    expect(node.view()).toMatchObject({
      root: { version: 2 },
      channels: [{ state: 'stale', active: { id: second.id } }],
    })
    expect(ofKind(node.run(gossip(make({ clock: { alice: 9 } }))), 'verdict')).toMatchObject([
      { verdict: 'ignore' },
    ])
    const third = make({ clock: { alice: 1 }, text: 'e=1\n', header: { root: 2 } })
    node.persist(node.run(gossip(third, [third.page, third.block])))
    expect(ofKind(node.run(done(third, 'unhealthy')), 'activate')).toEqual([])
    expect(node.view().channels[0]).toMatchObject({ active: { id: third.id } })
  })

  it('waits behind a critical name this build does not know, an expired release, an expired root', () => {
    const gates = [
      [{ critical: ['rollout'] }, 'unsupported'],
      [{ expires: 1 }, 'expired'],
    ] as const
    for (const [header, gate] of gates) {
      const node = new BenchNode()
      node.start()
      const made = make({ clock: { alice: 1 }, header })
      const effects = node.persist(node.run(gossip(made, [made.page, made.block])))
      expect(ofKind(effects, 'activate')).toEqual([])
      expect(node.view().channels[0]?.gate).toBe(gate)
      expect(node.view().channels[0]?.lastError?.code).toBe(`ACTIVATE_${gate.toUpperCase()}`)
    }
    const node = new BenchNode()
    node.start()
    node.wallMs = ROOT.expires
    node.persist(node.run(gossip(first, [first.page, first.block])))
    expect(node.view().channels[0]?.gate).toBe('root-expired')
  })
})
