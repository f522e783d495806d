import { describe, expect, it } from 'vitest'
import { durableAtStart } from '../../../src/core/durable.ts'
import type { EventOf } from '../../../src/core/events.ts'
import { inDoubt } from '../../../src/core/restore.ts'
import { EMPTY_SNAPSHOT } from '../../../src/core/snapshot.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Pattern, PeerId, ReleaseId } from '../../../src/model/ids.ts'
import { placeBefore } from '../../../src/model/place.ts'
import { renew } from '../../../src/trust/edit.ts'
import { successor } from '../../../src/trust/successor.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import { CHANNEL, floorOf, gossip, type Made, make, PEER, ROOT, raised, record, rootBytes } from './fleet.ts'
import { NO_BEACONS } from './no-beacons.ts'

describe('what a node restarts with', () => {
  const old = make({ clock: { alice: 1 } })
  const made = make({ clock: { alice: 2 }, text: 'b=1\n' })
  const third = make({ clock: { alice: 3 }, text: 'c=1\n' })
  const active = { release: old.id, epoch: 1, activatedAt: 5, soaked: true }
  const stored = (whole: readonly Made[], change: object = {}) => ({
    floors: [floorOf(made), floorOf(made)],
    channels: [record([made.id], { active, ...change })] as never,
    envelopes: [old, made].map((each) => ({ release: each.id, channel: CHANNEL, bytes: each.envelope })),
    whole: whole.map((each) => each.id),
  })

  it('is ready before any peer is reached, and checks the files of what is active', () => {
    const node = new BenchNode({ seeds: ['/ip4/10.0.0.9/tcp/1/p2p/12D3KooWseed' as never] })
    const effects = node.start(stored([old]))
    expect(ofKind(effects, 'activate')).toEqual([
      {
        kind: 'activate',
        channel: CHANNEL,
        release: old.id,
        pages: old.release.header.pages,
        previous: old.id,
        ahead: undefined,
        after: durableAtStart({} as EventOf<'started'>),
        fallback: false,
      },
    ])
    expect(node.view()).toMatchObject({
      ready: true,
      channels: [{ state: 'fetching', active: { id: old.id } }],
    })
  })

  it('shows no more activations than it may now, the newest', () => {
    const node = new BenchNode({ limits: { ...LIMITS, maxHistory: 2 } })
    const history = [5, 4, 3].map((activatedAt) => ({ release: third.id, activatedAt }))
    node.start(stored([old, made], { active: { ...active, release: made.id }, history }))
    expect(node.view().channels[0]?.history.map(({ activatedAt }) => activatedAt)).toEqual([5, 4])
  })

  it('knows nothing of a pattern that is new until it has compared with a peer, ten seconds at most', () => {
    const seeds = ['/ip4/10.0.0.9/tcp/1/p2p/12D3KooWseed' as never]
    const other = 'other/*' as Pattern
    const start = () => {
      const node = new BenchNode({ seeds, patterns: [CHANNEL as string as Pattern, other] })
      node.start(stored([old]))
      expect(node.readiness()).toEqual({ ready: false, waitingFor: [other] })
      return node
    }
    const linked = start()
    linked.compared = 1
    expect(linked.readiness()).toEqual({ ready: true, waitingFor: [] })
    const alone = start()
    alone.monoMs = 9_999
    expect(alone.readiness().ready).toBe(false)
    alone.monoMs = 10_000
    expect(alone.readiness().ready).toBe(true)
  })

  it('waits for a peer, however long, where nothing was stored that it is to have', () => {
    const seeds = ['/ip4/10.0.0.9/tcp/1/p2p/12D3KooWseed' as never]
    for (const [patterns, snapshot] of [
      [['**'], {}],
      [['other/**'], stored([old])],
    ] as const) {
      const node = new BenchNode({ seeds, patterns: patterns as readonly string[] as readonly Pattern[] })
      node.start(snapshot)
      node.monoMs = 10_000_000
      expect(node.readiness()).toEqual({ ready: false, waitingFor: patterns })
      node.compared = 1
      expect(node.readiness()).toEqual({ ready: true, waitingFor: [] })
    }
    const first = new BenchNode({ patterns: ['**' as Pattern] })
    first.start()
    expect(first.readiness()).toEqual({ ready: true, waitingFor: [] })
  })

  it('without any peer, too, has what was submitted at it', () => {
    const node = new BenchNode({ seeds: ['/ip4/10.0.0.9/tcp/1/p2p/12D3KooWseed' as never] })
    node.start()
    node.monoMs = 10_000
    node.handle({ kind: 'tick' })
    node.persist(node.run(gossip(made, [made.page, made.block])))
    expect(node.readiness()).toEqual({ ready: false, waitingFor: [CHANNEL] })
    node.run({
      kind: 'activated',
      channel: CHANNEL,
      release: made.id,
      outcome: { kind: 'healthy', changed: 1 },
    })
    expect(node.readiness()).toEqual({ ready: true, waitingFor: [] })
  })

  it.each([
    ['runs with nothing to go back to', made, true],
    ['was gone back from', old, false],
  ])('says that the newest release failed its health check here, where it %s', (_, runs, unhealthy) => {
    const node = new BenchNode()
    node.start(stored([old, made], { active: { ...active, release: runs.id }, failed: [made.id] }))
    const lastError = { code: 'ACTIVATE_UNHEALTHY', release: made.id }
    expect(node.view().channels[0]).toMatchObject({ active: { id: runs.id }, unhealthy, lastError })
    const outcome = { kind: 'healthy', changed: 0 } as const
    node.run({ kind: 'activated', channel: CHANNEL, release: runs.id, outcome })
    // The check that runs after the start tells of what it checked alone.
    const after = runs === made ? undefined : lastError
    expect(node.view().channels[0]).toMatchObject({ active: { id: runs.id }, unhealthy: false })
    expect(node.view().channels[0]?.lastError).toEqual(after && expect.objectContaining(after))
  })

  it.each([
    ['silent', 'SYNC_SILENT'],
    ['behind', 'SYNC_BEHIND'],
    ['clock-or-delay', 'SYNC_CLOCK_OR_DELAY'],
  ] as const)('says why what runs may not be the newest: %s', (state, code) => {
    const node = new BenchNode({}, { freshness: { ...NO_BEACONS, state: () => state } })
    node.start(stored([made], { active: { ...active, release: made.id } }))
    node.run({
      kind: 'activated',
      channel: CHANNEL,
      release: made.id,
      outcome: { kind: 'healthy', changed: 0 },
    })
    expect(node.view().channels[0]).toMatchObject({ state: 'stale', lastError: { code } })
  })

  it('serves nothing older than what files show, where the record of it is lost', () => {
    const shown = new Map([[CHANNEL, made.id]])
    const snapshot = {
      ...stored([old]),
      envelopes: [{ release: old.id, channel: CHANNEL, bytes: old.envelope }],
    }
    expect(inDoubt({ ...EMPTY_SNAPSHOT, ...snapshot })).toEqual([CHANNEL])
    const node = new BenchNode()
    const healthy = (release: ReleaseId) =>
      node.handle({ kind: 'activated', channel: CHANNEL, release, outcome: { kind: 'healthy', changed: 0 } })
    expect(ofKind(node.start(snapshot, shown), 'activate')).toMatchObject([
      { release: old.id, ahead: made.id },
    ])
    healthy(old.id) // files are ahead of it and stay
    expect(node.view()).toMatchObject({ ready: false, channels: [{ state: 'fetching', target: made.id }] })
    expect(node.view().channels[0]?.active).toBeUndefined()
    const durable = node.persist(node.run(gossip(made, [made.page, made.block])))
    expect(ofKind(durable, 'activate')).toMatchObject([{ release: made.id }])
    healthy(made.id)
    expect(node.view()).toMatchObject({ ready: true, channels: [{ active: { id: made.id } }] })
  })

  it('serves what files show at once where it is whole: a crash came before its record', () => {
    const node = new BenchNode()
    const effects = node.start(stored([old, made]), new Map([[CHANNEL, made.id]]))
    expect(ofKind(effects, 'activate')).toMatchObject([{ release: made.id }])
    expect(node.view()).toMatchObject({ ready: true, channels: [{ active: { id: made.id } }] })
  })

  it('keeps what files show where something newer is on its way, and serves it until that is here', () => {
    const newest = make({ clock: { alice: 3 }, text: 'c=1\n' })
    const snapshot = {
      ...stored([old, made]),
      floors: [floorOf(newest), floorOf(newest)],
      channels: [record([newest.id], { active })] as never,
    }
    const node = new BenchNode()
    const healthy = (release: ReleaseId) =>
      node.handle({ kind: 'activated', channel: CHANNEL, release, outcome: { kind: 'healthy', changed: 0 } })
    expect(ofKind(node.start(snapshot, new Map([[CHANNEL, made.id]])), 'persist')).toEqual([])
    healthy(old.id)
    node.persist(node.run(gossip(newest, [newest.page, newest.block])))
    const channels = [{ target: newest.id, active: { id: made.id } }]
    expect(node.view()).toMatchObject({ ready: true, channels })
    healthy(newest.id)
    expect(node.view()).toMatchObject({ ready: true, channels: [{ active: { id: newest.id } }] })
  })

  it('goes on with what its record says where files show what it knows', () => {
    const history = [{ release: third.id, activatedAt: 1 }]
    for (const release of [old.id, third.id]) {
      const node = new BenchNode()
      node.start(stored([old], { history }), new Map([[CHANNEL, release]]))
      expect(node.view()).toMatchObject({ ready: true, channels: [{ active: { id: old.id } }] })
    }
    const floors = [floorOf(old), floorOf(old)]
    expect(inDoubt({ ...EMPTY_SNAPSHOT, ...stored([old]), floors })).toEqual([])
  })

  it('asks the files, too, where every copy of the floor is gone', () => {
    const snapshot = { ...EMPTY_SNAPSHOT, ...stored([old]), floors: [] }
    expect(inDoubt(snapshot)).toEqual([CHANNEL])
    expect(inDoubt({ ...snapshot, channels: [] })).toEqual([CHANNEL])
  })

  describe('where the folder of the files was put back, with its copy of the floor, to before all that history tells', () => {
    const putBack = (change: object, floors = [floorOf(made), floorOf(old)]) => {
      const node = new BenchNode()
      const effects = node.start({ ...stored([old, made], change), floors }, new Map([[CHANNEL, third.id]]))
      return { node, begun: ofKind(effects, 'activate') }
    }
    const current = { ...active, release: made.id }

    it('shows what is active again, and serves it at once', () => {
      expect(inDoubt({ ...EMPTY_SNAPSHOT, ...stored([made], { active: current }) })).toEqual([])
      const copies = { ...EMPTY_SNAPSHOT, ...stored([made], { active: current }) }
      expect(inDoubt({ ...copies, floors: [floorOf(made), floorOf(old)] })).toEqual([])
      const { node, begun } = putBack({ active: current })
      expect(begun).toMatchObject([{ release: made.id, ahead: undefined }])
      expect(node.view()).toMatchObject({ ready: true, channels: [{ active: { id: made.id } }] })
    })

    it('so, too, where the newest had failed its check here', () => {
      const { node, begun } = putBack({ failed: [made.id] })
      expect(begun).toMatchObject([{ release: old.id, ahead: undefined }])
      expect(node.view()).toMatchObject({ ready: true, channels: [{ active: { id: old.id } }] })
    })

    it.each([
      ['no floor', []],
      ['one copy of the floor alone, which may be as old as the record,', [floorOf(made)]],
    ])('not so where %s tells that nothing came after it', (_, floors) => {
      const snapshot = { ...EMPTY_SNAPSHOT, ...stored([made], { active: current }), floors }
      expect(inDoubt(snapshot)).toEqual([CHANNEL])
      const { node, begun } = putBack({ active: current }, floors)
      expect(begun).toMatchObject([{ release: made.id, ahead: third.id }])
      expect(node.view().channels[0]?.active).toBeUndefined()
    })
  })

  it('goes back from what failed its check here, although files still show it', () => {
    const node = new BenchNode()
    const effects = node.start(stored([old, made], { failed: [made.id] }), new Map([[CHANNEL, made.id]]))
    expect(ofKind(effects, 'activate')).toMatchObject([{ release: old.id, ahead: undefined }])
    expect(node.view()).toMatchObject({ channels: [{ gate: 'health', active: { id: old.id } }] })
  })

  it('goes straight to a target that is whole', () => {
    const effects = new BenchNode().start(stored([old, made]))
    expect(ofKind(effects, 'activate')).toMatchObject([{ release: made.id, previous: old.id }])
  })

  it('does not fall below the greater of two copies of the floor, and mends the other', () => {
    const node = new BenchNode()
    const effects = node.start({ ...stored([old, made]), floors: [floorOf(old), floorOf(made)] })
    const rewritten = [{ kind: 'floor', floor: floorOf(made) }, { kind: 'channel' }]
    expect(ofKind(effects, 'persist')).toMatchObject([{ writes: rewritten }])
    expect(ofKind(node.run(gossip(old)), 'verdict')).toMatchObject([{ verdict: 'ignore' }])
  })

  it('does not lift the floor of a new epoch by what is kept of an ended one', () => {
    const roots = [ROOT, raised(ROOT)].map((root) => ({ version: root.version, envelope: rootBytes(root) }))
    const floor = { ...floorOf(old), top: placeBefore(2), ids: [] }
    const node = new BenchNode()
    node.start({ ...stored([old]), roots, floors: [floor, floor] })
    expect(node.view().channels[0]).toMatchObject({
      top: placeBefore(2),
      target: undefined,
      active: { id: old.id },
    })
    const anew = make({ clock: { alice: 1 }, header: { root: 2 } })
    node.run(gossip(anew, [anew.page, anew.block]))
    expect(node.heard).toContain(`ordered NEW ${anew.id.slice(0, 8)}`)
    expect(node.view().channels[0]).toMatchObject({ target: anew.id })
  })

  it('holds to a floor whose envelope is lost, whichever copy names it', () => {
    const lost = make({ clock: { alice: 3 }, text: 'c=1\n' })
    for (const floors of [
      [floorOf(lost), floorOf(made)],
      [floorOf(made), floorOf(lost)],
    ]) {
      const node = new BenchNode()
      node.start({ ...stored([old, made]), floors })
      expect(node.view().channels[0]).toMatchObject({
        target: lost.id,
        gate: 'content',
        active: { id: old.id },
      })
      expect(ofKind(node.run(gossip(made)), 'verdict')).toMatchObject([{ verdict: 'ignore' }])
      const again = node.run(gossip(lost, [lost.page, lost.block]))
      expect(ofKind(again, 'persist')[0]?.writes).toContainEqual({
        kind: 'whole',
        release: lost.id,
        alone: true,
      })
    }
  })

  it('asks others first where the floor is gone, or nothing was ever here, ten seconds at most', () => {
    const seeds = ['/ip4/10.0.0.9/tcp/1/p2p/12D3KooWseed' as never]
    for (const [node, snapshot, codes, reached] of [
      [new BenchNode(), { floorLost: true }, ['STORE_FLOOR_LOST'], false],
      [new BenchNode({ seeds }), {}, [], false],
      // One of thousands of channels takes longer, and is not silent.
      [new BenchNode({ seeds }), {}, [], true],
    ] as const) {
      node.reached = reached
      expect(ofKind(node.start(snapshot), 'note').map(({ code }) => code)).toEqual(codes)
      const later = node.persist(node.run(gossip(made, [made.page, made.block])))
      expect(ofKind(later, 'activate')).toEqual([])
      node.monoMs = 10_000
      const waited = node.handle({ kind: 'tick' })
      expect(ofKind(waited, 'note').map(({ code }) => code)).toEqual(reached ? [] : ['SYNC_SILENT'])
      expect(ofKind(waited, 'activate')).toMatchObject([{ release: made.id }])
    }
  })

  it.each([
    [4, 3],
    [1, 1],
    [0, 1],
  ])(
    'with its floor gone and %i peers it runs nothing new before it has compared with %i',
    (peers, enough) => {
      const node = new BenchNode()
      const start = node.start({ ...stored([old, made]), floors: [], floorLost: true })
      node.persist(start)
      expect(ofKind(start, 'activate')).not.toMatchObject([{ release: made.id }])
      for (let at = 0; at < peers; at += 1) node.peer(`12D3KooW${at}` as PeerId)
      node.handle({
        kind: 'activated',
        channel: CHANNEL,
        release: old.id,
        outcome: { kind: 'healthy', changed: 0 },
      })
      for (let compared = 0; compared <= enough; compared += 1) {
        node.compared = compared
        node.monoMs += 10
        const begun = ofKind(node.handle({ kind: 'tick' }), 'activate').map(({ release }) => release)
        expect(begun).toEqual(compared < enough ? [] : [made.id])
      }
    },
  )

  it.each([
    [4, 3],
    [2, 2],
    [0, 1],
  ])(
    'new, with %i peers that it dialled, it runs nothing before it has compared with %i',
    (peers, enough) => {
      const seeds = ['/ip4/10.0.0.9/tcp/1/p2p/12D3KooWseed' as never]
      const node = new BenchNode({ seeds, patterns: [CHANNEL as string as Pattern] })
      node.start()
      for (let at = 0; at < peers; at += 1) node.peer(`12D3KooW${at}` as PeerId)
      // these compare in their own time
      for (let at = 4; at < 8; at += 1) node.peer(`12D3KooW${at}` as PeerId, { direction: 'inbound' })
      // and these store nothing of it
      for (let at = 8; at < 12; at += 1) node.peer(`12D3KooW${at}` as PeerId, { patterns: ['other/**'] })
      const begun = [node.persist(node.run(gossip(made, [made.page, made.block])))]
      for (node.compared = 0; node.compared < enough; node.compared += 1) {
        node.monoMs += 10
        begun.push(node.handle({ kind: 'tick' }))
      }
      expect(ofKind(begun.flat(), 'activate')).toEqual([])
      node.monoMs += 10
      expect(ofKind(node.handle({ kind: 'tick' }), 'activate')).toMatchObject([{ release: made.id }])
    },
  )

  it('takes back a record `whole` whose release is not here: its envelope was damaged', () => {
    const effects = new BenchNode().start({ ...stored([old, made]), whole: [old.id, made.id, third.id] })
    expect(ofKind(effects, 'persist')).toEqual([
      { kind: 'persist', ticket: 1, writes: [{ kind: 'unwhole', release: third.id }], sync: true },
    ])
  })

  it('with a root record damaged stays at its newest root, and keeps what peers give of the hole', () => {
    const two = renew(ROOT, ROOT.expires + 2)
    const three = successor(two, { publishers: new Map() })
    const [second, third] = [two, three].map((root) => ({ version: root.version, envelope: rootBytes(root) }))
    const node = new BenchNode()
    node.start({ roots: [{ version: 1, envelope: rootBytes(ROOT) }, third] as never })
    expect(node.view().root.version).toBe(3)
    // Of a publisher that root 3 removed.
    const later = node.run(gossip(made, [made.page, made.block]))
    expect(ofKind(later, 'verdict')).toMatchObject([{ verdict: 'ignore' }])
    expect(ofKind(later, 'persist')).toEqual([])
    const adopt = () =>
      node.inside((step, journey) => void journey.adoptRoot(step, second?.envelope as Uint8Array, PEER))
    expect(ofKind(adopt(), 'persist')).toMatchObject([{ writes: [{ kind: 'root', ...second }], sync: true }])
    expect(adopt()).toEqual([])
    node.inside((_, journey) => {
      expect(journey.rootEnvelope(2)).toEqual(second?.envelope)
      expect(journey.root().version).toBe(3)
    })
  })
})
