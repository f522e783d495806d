import { randomBytes } from 'node:crypto'
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { decode } from '@ipld/dag-cbor'
import { describe, expect, test } from 'vitest'
import { ENTRIES } from '../../scripts/limits-entries.ts'
import { decodeBeacon, encodeBeacon, encodeBeaconPage } from '../../src/codec/beacon.ts'
import { encode } from '../../src/codec/cbor.ts'
import { decodeCertificate, encodeCertificate } from '../../src/codec/certificate.ts'
import { channelHash, sha256 } from '../../src/codec/digest.ts'
import { asCbor } from '../../src/codec/extra.ts'
import { decodeHeader, encodeHeader } from '../../src/codec/header.ts'
import { decodeHeartbeat, encodeHeartbeat } from '../../src/codec/heartbeat.ts'
import { encodeCanonicalJson } from '../../src/codec/json.ts'
import { decodePeerRecord, encodePeerRecord } from '../../src/codec/peer-record.ts'
import { BridgeItems } from '../../src/core/bridge/items.ts'
import { ChannelHashes } from '../../src/core/channel-hashes.ts'
import { Askers } from '../../src/core/fetch/askers.ts'
import { Sources } from '../../src/core/fetch/sources.ts'
import { BeaconCache } from '../../src/core/freshness/beacon-cache.ts'
import { MAX_WHOLE } from '../../src/core/holders.ts'
import type { Journey } from '../../src/core/journey.ts'
import { LatestSet } from '../../src/core/latest.ts'
import { OverLimits, overOwnLimit } from '../../src/core/over-limit.ts'
import { createBuckets } from '../../src/core/rate.ts'
import { createRelayed } from '../../src/core/relayed.ts'
import { Copies, MAX_HOLDERS } from '../../src/core/serve/copies.ts'
import type { Step } from '../../src/core/step.ts'
import { LeaseTable } from '../../src/core/submit/leases.ts'
import { GroupedRows, type PatternSet, SyncIndex, SyncView } from '../../src/core/sync/channel-index.ts'
import { BUCKETS, bucketOf, keyed, type Row, rowOf } from '../../src/core/sync/digests.ts'
import { createSyncPeer, mayOffer } from '../../src/core/sync/peer.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Address, Channel, KeyId, Name, Pattern, PeerId, ReleaseId } from '../../src/model/ids.ts'
import type { ShortDigest } from '../../src/model/messages.ts'
import type { PeerRecord } from '../../src/model/peer-record.ts'
import { placeBefore } from '../../src/model/place.ts'
import { Gate } from '../../src/net/gate.ts'
import { gossipOptions } from '../../src/net/gossip.ts'
import { Pace } from '../../src/net/pace.ts'
import { StoreIndex } from '../../src/store/index-in-memory.ts'
import { BenchNode } from './core/bench-node.ts'
import { coreConfig, gossip, make, PEER, ROOT, WALL_MS, withLimits } from './core/fleet.ts'
import { FakeJourney } from './core-peers/fakes.ts'
import { bytesOfOne, each, expectAtMost } from './heap.ts'

/** A string of its own: no literal, and no part of another. */
const own = <T extends string>(text: string): T => Buffer.from(text).toString('latin1') as T
const digestOf = (what: string | number) => sha256(Buffer.from(`${what}`))
const idOf = (what: string | number) => digestOf(what) as string as ReleaseId
const peerOf = (what: string | number) => own<PeerId>(`12D3KooW${digestOf(what).slice(0, 44)}`)
const nameOf = (length: number, what: string | number) => own<string>(`${what}-`.padEnd(length, 'x'))
const short = <T extends string>() => randomBytes(8).toString('hex') as T

describe('what publishers have signed', () => {
  const unlimited = { verifiesPerSecond: 1e9, verifiesBurst: 1e9, gossipPerSecond: 1e9, gossipBurst: 1e9 }

  const others = Array.from({ length: LIMITS.maxClockEntries - 1 }, (_, other) => nameOf(63, other))
  const clock = { ...Object.fromEntries(others.map((name) => [name, 1])), alice: 2 }

  /** A node hears of so many releases for each channel, of the largest headers that the tool makes, or filled up. */
  function releases(twins: number, filled = false) {
    const node = new BenchNode({ limits: withLimits(unlimited) })
    node.start()
    node.peer(PEER, { submit: true })
    return each(node, (_, at) => {
      for (let twin = 0; twin < twins; twin += 1) {
        const pages = Array.from({ length: LIMITS.maxPages }, (_, page) => digestOf(`${at} ${twin} ${page}`))
        const channel = `app/c-${at}` as Channel
        const known = { channel, pages, files: 256, message: 'm'.repeat(LIMITS.maxMessageBytes) }
        const { length } = encodeHeader(make({ clock, header: known }).release.header)
        const extra = asCbor.pack({ x: 'x'.repeat(LIMITS.maxHeaderBytes - length - 5) })
        const header = filled ? { ...known, extra } : known
        node.monoMs += 5
        node.persist(node.run(gossip(make({ clock, header }))))
      }
    })
  }

  test('a channel with a release of the most pages', () => {
    expectAtMost('channel', 50, releases(1))
  })

  test('and with twins', () => {
    const bytes = bytesOfOne(50, releases(2))
    expect(bytes, `${Math.round(bytes)} bytes each`).toBeLessThan(1.5 * (ENTRIES.channel + ENTRIES.twin))
  })

  test('and with headers that unknown fields fill up', () => {
    const bytes = bytesOfOne(50, releases(2, true))
    const most = ENTRIES.channel + ENTRIES.twin + 2 * ENTRIES.filledUp
    expect(bytes, `${Math.round(bytes)} bytes each`).toBeLessThan(1.5 * most)
  })

  test('a channel that is relayed only, with twins', () => {
    const fleet = ROOT.fleetId
    const { header: made } = make({ clock: { alice: 1 } }).release
    const context = { fleet, rootVersion: 1, epoch: 1, authorised: () => true }
    expectAtMost(
      'relayed',
      5_000,
      each(createRelayed(LIMITS.maxRelayedChannels), (relayed, at) => {
        const channel = nameOf(LIMITS.maxChannelBytes, at) as Channel
        const publisher = nameOf(63, at) as Name
        for (const twin of ['one', 'two']) {
          const header = { ...made, channel, publisher, clock: new Map([[publisher, 2 ** 40]]) }
          relayed.order({ id: idOf(`${at} ${twin}`), header, counter: 2 ** 40 }, context, at * 1_000, false)
        }
      }),
    )
  })

  test('a block here, a digest, a lease', () => {
    const [index, core, bytes] = [new StoreIndex(), new Set<string>(), new Uint8Array(1)]
    const blocks = each(index, (_, at) => {
      const digest = digestOf(at)
      index.apply({ kind: 'block', digest, bytes })
      core.add(digest)
    })
    expectAtMost('block', 20_000, blocks)
    const digests = each(new LatestSet(8_200), (set, at) => set.add(digestOf(`m ${at}`)))
    expectAtMost('digest', 8_192, digests)
    expectAtMost(
      'lease',
      200,
      each(new LeaseTable(LIMITS.maxLeases), (table, at) => {
        const place = { epoch: 1, counter: at + 1, publisher: nameOf(63, at) as Name }
        const channel = nameOf(LIMITS.maxChannelBytes, at) as Channel
        const envelope = new Uint8Array(LIMITS.maxEnvelopeBytes)
        table.put({ channel, place, release: idOf(at), holder: peerOf(at), envelope }, 0.5)
      }),
    )
  })
})

const app = (): PatternSet => ({ patterns: ['app/*' as Pattern], groups: new Map() })
const rowsOf = (count: number): Row[] =>
  Array.from({ length: count }, (_, at) =>
    rowOf(`app/c-${at}` as Channel, channelHash(`app/c-${at}` as Channel), 'text'),
  )
const groupedOf = (rows: readonly Row[]): GroupedRows => {
  const grouped = new GroupedRows()
  for (const row of rows) grouped.replace(bucketOf(row.hash), undefined, row)
  return grouped
}

describe('what peers ask and say', () => {
  const step = { config: coreConfig(), now: { monoMs: 0.5, wallMs: WALL_MS } } as unknown as Step

  test('a channel that a peer was offered, and a release that it has', () => {
    const peer = createSyncPeer(step, PEER, [])
    const rows = rowsOf(10_010)
    expectAtMost(
      'short',
      10_000,
      each<ShortDigest[]>([], (kept, at) => kept.push(keyed(peer.salt, digestOf(at)))),
    )
    expectAtMost(
      'offered',
      10_000,
      each(rows, (_, at) => {
        const { key, digest } = rows[at] as (typeof rows)[number]
        const mine = keyed(peer.salt, digest)
        mayOffer(step, peer, key, { mine, theirs: short<ShortDigest>(), root: 1 })
      }),
    )
    // Of one peer they are too few: what else the process keeps meanwhile may be as much.
    const peers = Array.from({ length: 11 }, () => createSyncPeer(step, PEER, []))
    const knows = each(peers, (all, at) => all[Math.floor(at / 1_000)]?.knows.add(idOf(at)))
    expectAtMost('told', 10_000, knows)
    const inOneAndAll = bytesOfOne(10_000, (from, to) => {
      const [set, grouped] = [app(), groupedOf(rows.slice(from, to))]
      for (let at = 0; at < BUCKETS; at += 1) grouped.of(set, at)
      return grouped
    })
    expect(inOneAndAll, `${Math.round(inOneAndAll)} bytes each`).toBeLessThan(1.5 * 2 * ENTRIES.inView)
  })

  test('a set of patterns as long as may be, and the digests of one', () => {
    const patterns = (at: number) =>
      Array.from(
        { length: LIMITS.maxPatterns },
        (_, of) => nameOf(LIMITS.maxChannelBytes, `${at} ${of}`) as Pattern,
      )
    const index = new SyncIndex(new ChannelHashes(), coreConfig({ submit: true }))
    const kept = each(index, (_, at) => index.view(new FakeJourney(), patterns(at), 0))
    expectAtMost('patterns', 400, kept)
    const grouped = groupedOf(rowsOf(1_000))
    const digested = each<PatternSet[]>([], (sets) => {
      const set = app()
      new SyncView(set, grouped).digests(new Uint8Array(16))
      sets.push(set)
    })
    expectAtMost('digests', 400, digested)
  })

  test('a release that is waited for, a block given away, a host counted', () => {
    expectAtMost(
      'waitedFor',
      6_400,
      each(new Askers(), (askers, at) => askers.add(idOf(at), `p${Math.floor(at / 64)}` as PeerId)),
    )
    const journey = { session: () => undefined, region: 'here' } as unknown as Journey
    expectAtMost(
      'given',
      5_000,
      each(new Copies(coreConfig({ submit: true })), (copies, at) => {
        for (let peer = 0; peer < MAX_HOLDERS; peer += 1)
          copies.judge(
            journey,
            { digest: digestOf(at), asker: peerOf(peer), failed: true, hasRoom: true },
            at * 10_000 + peer * 1_000,
          )
      }),
    )
    expectAtMost(
      'counted',
      4_000,
      each(createBuckets<string>(1, 1, 4_096), (hosts, at) =>
        hosts.take(own(`/ip4/192.0.2.${at}`), at + 0.5),
      ),
    )
  })

  test('a peer that has all of what is being fetched, and one that gave wrong bytes of it', () => {
    expectAtMost(
      'holder',
      10_000,
      each(new Sources(LIMITS), (of, at) => {
        const release = `r${Math.floor(at / MAX_WHOLE)}` as ReleaseId
        if (at % MAX_WHOLE === 0) of.began(release)
        of.announced(release, `p${at % MAX_WHOLE}` as PeerId, { whole: true })
      }),
    )
    const lies = each(new Sources(LIMITS), (of, at) => of.lied(`r${at % 16}` as ReleaseId, peerOf(at)))
    expectAtMost('lie', 10_000, lies)
  })

  test('a release over a limit of this node', () => {
    expectAtMost(
      'overLimit',
      2_000,
      each(new OverLimits({ maxAnswered: 10_000 }), (over, at) => {
        const text = overOwnLimit(`header.message: longer than ${at} bytes`)
        const error = { code: 'LIMIT_CONTENT', text, at: at + WALL_MS, release: idOf(at) } as const
        const place = { epoch: 1, counter: at + 1, publisher: 'alice' as Name }
        over.add(error.release, { code: error.code, text })
        over.isFirst(nameOf(LIMITS.maxChannelBytes, at) as Channel, placeBefore(1), { place, error })
      }),
    )
  })

  test('a thing of another region', () => {
    expectAtMost(
      'wanted',
      1_000,
      each(new BridgeItems(LIMITS), (items, at) => {
        const home = nameOf(63, at) as Name
        const wanted = items.want({ id: digestOf(at), topic: 'releases', home }, at + 0.5)
        for (let source = 0; source < LIMITS.maxBridgeSources; source += 1)
          wanted?.sources.push(peerOf(`${at} ${source}`))
        for (let rank = 0; rank < LIMITS.bridgeRanks; rank += 1)
          wanted?.claimedBy.add(peerOf(`${at} c ${rank}`))
      }),
    )
  })

  test('a gossip message, and one since the last heartbeat', () => {
    const [seed, fleetId] = [false, ROOT.fleetId]
    const [gate, pace] = [new Gate(), new Pace(LIMITS)]
    const options = gossipOptions({ fleetId, region: 'default', seed, gate, pace, limits: LIMITS })
    const logger = { forComponent: () => () => {} }
    const create = gossipsub(options) as (components: object) => unknown
    const { seenCache, score, mcache } = create({ logger }) as {
      readonly seenCache: { put(id: string): void }
      readonly score: {
        readonly deliveryRecords: { ensureRecord(id: string): { readonly peers: Set<string> } }
      }
      readonly mcache: { readonly history: object[][] }
    }
    const remember = (id: string) => {
      seenCache.put(id)
      score.deliveryRecords.ensureRecord(id)
    }
    expectAtMost(
      'gossip',
      5_000,
      each(seenCache, () => remember(randomBytes(32).toString('base64'))),
    )
    expectAtMost(
      'newGossip',
      5_000,
      each(mcache, ({ history }) => {
        const msgId = Buffer.from(new Uint8Array(randomBytes(32)).buffer)
        const msgIdStr = msgId.toString('base64')
        remember(msgIdStr)
        history[0]?.push({ msgId, msgIdStr, topic: 'releases' })
      }),
    )
  })
})

describe('documents', () => {
  const peer = '12D3KooWGzh8SwUL1c6rAqFPHkTLnMgPsFSdEEsGYPnAvbZCkVeE' as PeerId
  const long = (at: number) =>
    `/dns4/${'a'.repeat(60)}${at}.${'b'.repeat(63)}.example/tcp/1/p2p/${peer}` as Address
  const addresses = (count: number) => Array.from({ length: count }, (_, at) => long(at))
  const record: PeerRecord = {
    v: 1,
    critical: [],
    peer,
    at: WALL_MS,
    addresses: addresses(16),
    patterns: Array.from(
      { length: LIMITS.maxPatterns },
      (_, at) => `${nameOf(60, at)}/${nameOf(60, at)}/${nameOf(48, at)}` as Pattern,
    ),
    region: 'here',
    zone: 'a',
    submit: false,
    chain: [new Uint8Array(4_600), new Uint8Array(4_600)],
  }
  const decoded = <T>(bytes: Uint8Array, decode: (bytes: Uint8Array, limits: typeof LIMITS) => T) =>
    each<unknown[]>([], (kept) => kept.push(bytes.slice(), decode(bytes, LIMITS)))

  test('a peer record and a heartbeat', () => {
    const bytes = encodePeerRecord(record)
    expect(bytes.length).toBeGreaterThan(0.9 * LIMITS.maxPeerRecordBytes)
    expectAtMost('record', 100, decoded(bytes, decodePeerRecord))
    const { critical, at } = record
    const chain = [new Uint8Array(3_000), new Uint8Array(3_000)]
    const says = { v: 1, critical, peer, region: 'here' as Name, addresses: addresses(8), chain, at } as const
    const heartbeat = encodeHeartbeat(says)
    expect(heartbeat.length).toBeGreaterThan(0.9 * LIMITS.maxHeartbeatBytes)
    expectAtMost('heartbeat', 200, decoded(heartbeat, decodeHeartbeat))
  })

  test('a page of a beacon', () => {
    const top = { epoch: 1, counter: 1, publisher: 'a' as Name }
    const page = (at: number) => {
      const channels = Array.from({ length: 1_000 }, (_, channel) =>
        channelHash(`app/${at}-${channel}` as Channel),
      )
      return encodeBeaconPage(channels.sort().map((channel) => ({ channel, top, target: 'held' })))
    }
    const fill = each(new BeaconCache(), (cache, at) => cache.take(sha256(page(at)), page(at), LIMITS))
    const times = bytesOfOne(10, fill) / page(0).length
    expect(times, `${times} bytes for each`).toBeLessThan(1.5 * ENTRIES.beaconByte)
  })

  test('fields that this build does not know', () => {
    const nested = (): unknown => Array.from({ length: 12 }).reduce((inner) => [inner], [])
    const x = Array.from({ length: 400 }, nested)
    const full = (bytes: Uint8Array) => encode({ ...(decode(bytes) as object), x })
    const { header: of } = make({ clock: { alice: 1 } }).release
    const header = encodeHeader(of)
    const more = { critical: [], peer, at: WALL_MS, addresses: addresses(1), region: 'here' as Name }
    const beacon = { fleet: of.fleet, root: 1, key: digestOf('k') as string as KeyId, pages: [digestOf('p')] }
    const certificate = { critical: [], subject: { peer }, labels: new Map(), notBefore: 0, notAfter: 1_000 }
    const json = JSON.parse(Buffer.from(encodeCertificate({ v: 1, ...certificate })).toString())
    for (const [what, document, read] of [
      ['header', full(header), decodeHeader],
      ['rollout', encode({ ...(decode(header) as object), rollout: x }), decodeHeader],
      ['requires', encode({ ...(decode(header) as object), requires: x }), decodeHeader],
      [
        'record',
        full(encodePeerRecord({ ...record, addresses: [], patterns: [], chain: [] })),
        decodePeerRecord,
      ],
      ['heartbeat', full(encodeHeartbeat({ v: 1, ...more })), decodeHeartbeat],
      ['beacon', full(encodeBeacon({ v: 1, critical: [], at: WALL_MS, ...beacon })), decodeBeacon],
      ['certificate', encodeCanonicalJson({ ...json, x: x.slice(0, 250) }), decodeCertificate],
    ] as const) {
      const times = bytesOfOne(16, decoded<unknown>(document, read)) / document.length
      expect(times, `${what}: ${times} bytes for each`).toBeLessThan(1.5 * ENTRIES.unknownByte)
    }
  })
})
