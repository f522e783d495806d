/** What hostile peers can make a node hold at most, summed from the limits: for each kind of node, since degrees differ. */
import { MAX_LIES, MAX_PARTS } from '../src/core/fetch/announcements.ts'
import { MAX_WAITED_FOR } from '../src/core/fetch/askers.ts'
import { MAX_PAGES } from '../src/core/fetch/handed.ts'
import { MAX_PLACES, MAX_WHOLE } from '../src/core/holders.ts'
import { MAX_HOSTS } from '../src/core/hosts.ts'
import { MAX_BLOCKS, MAX_HOLDERS } from '../src/core/serve/copies.ts'
import { SLOW_MS } from '../src/core/serve/slow-takers.ts'
import { MAX_VIEWS } from '../src/core/sync/channel-index.ts'
import { LIMITS } from '../src/limits.ts'
import { connectionsOf } from '../src/net/host.ts'
import { MAX_STREAMS } from '../src/net/muxer.ts'
import { MAX_ALL_UNSENT_BYTES, MAX_UNSENT_BYTES } from '../src/net/watchdog.ts'
import { MAX_IMPORTED, MAX_KEY_OBJECTS, MAX_VERIFIED } from '../src/trust/public-key.ts'
import { ENTRIES } from './limits-entries.ts'

const KIB = 1024
const kib = (bytes: number): string => {
  if (bytes % KIB !== 0) return `${bytes} B`
  return bytes % KIB ** 2 === 0 ? `${bytes / KIB ** 2} MiB` : `${bytes / KIB} KiB`
}
const many = (count: number): string => count.toLocaleString('en')
/** So many entries of a table, as words. */
const times = (count: number, entry: keyof typeof ENTRIES): string =>
  `${many(count)} × ${kib(ENTRIES[entry])}`

export type Role = 'node' | 'gateway' | 'seed'
export const ROLES = ['node', 'gateway', 'seed'] as const satisfies readonly Role[]
export const DEGREES: Readonly<Record<Role, number>> = {
  node: LIMITS.hardDegree,
  gateway: LIMITS.gatewayDegree,
  seed: LIMITS.seedDegree,
}

export interface Held {
  readonly what: string
  /** How the bytes come about; N is the number of neighbours. */
  readonly of: string
  readonly bytes: number
}

/** What hostile peers bring about. Of what is kept in tables each entry is measured: limits-entries.ts. */
export function memory(role: Role): readonly Held[] {
  return [
    ...ofConnections(role),
    ...ofPeers(role),
    ...ofSync(role),
    ...ofFleet(role),
    ...(role === 'node' ? [] : ofBridge()),
    ...(role === 'seed' ? ofSeed() : []),
  ]
}

const sum = (held: readonly Held[]): number => held.reduce((all, { bytes }) => all + bytes, 0)
export const together = (role: Role): number => sum(memory(role))

/**
 * What whoever has keys that the root names adds on any kind of node. Of one publisher, without any content: two releases in
 * each channel that it may write to, of the largest headers that the tool makes.
 */
export function signed(): readonly Held[] {
  const L = LIMITS
  return [
    {
      what: 'releases of a publisher, at their largest',
      of: `${times(L.maxChannels, 'channel')}: ${L.maxPages} pages, ${L.maxClockEntries} clock entries and a message of ${kib(L.maxMessageBytes)}, fetched while their content is nowhere`,
      bytes: L.maxChannels * ENTRIES.channel,
    },
    {
      what: 'their twins',
      of: `${times(L.maxChannels, 'twin')}: a second one in the same place`,
      bytes: L.maxChannels * ENTRIES.twin,
    },
    {
      what: 'releases over a limit of this node',
      of: `${times(L.maxAnswered, 'overLimit')}: why the newest of a channel is not taken`,
      bytes: L.maxAnswered * ENTRIES.overLimit,
    },
    {
      what: 'who has them, while they are fetched',
      of: `${many(L.maxChannels)} × ${times(MAX_WHOLE, 'holder')}`,
      bytes: L.maxChannels * MAX_WHOLE * ENTRIES.holder,
    },
    {
      what: 'who gave wrong bytes of them',
      of: times(MAX_LIES, 'lie'),
      bytes: MAX_LIES * ENTRIES.lie,
    },
    {
      what: 'channels as peers see them, and those relayed',
      of: `${many(L.maxChannels)} in all and in ${MAX_VIEWS} views × ${ENTRIES.inView} B, digests of views: ${times(L.seedDegree, 'digests')}, ${times(L.maxRelayedChannels, 'relayed')}`,
      bytes:
        L.maxChannels * (1 + MAX_VIEWS) * ENTRIES.inView +
        L.seedDegree * ENTRIES.digests +
        L.maxRelayedChannels * ENTRIES.relayed,
    },
    {
      what: 'beacon pages',
      of: `of all beacon keys: ${kib(L.maxBeaconPageBytes)} × ${ENTRIES.beaconByte}, as bytes and decoded`,
      bytes: L.maxBeaconPageBytes * ENTRIES.beaconByte,
    },
  ]
}

export const signedTogether = (): number => sum(signed())

function ofConnections(role: Role): Held[] {
  const L = LIMITS
  const { connections } = connectionsOf(role === 'seed' ? 'seed' : 'node', L)
  const streams = Object.values(L.maxStreams).reduce((all, each) => all + each, 0)
  return [
    {
      what: 'connections, strangers’ included',
      of: `${connectionsOf('node', L).connections}, of a seed ${connectionsOf('seed', L).connections}, × (a read of 64 KiB + ${MAX_STREAMS} streams × 4 KiB)`,
      bytes: connections * (64 + MAX_STREAMS * 4) * KIB,
    },
    {
      what: 'streams that neighbours ask on, or are asked on',
      of: `N × ${streams} each way (\`maxStreams\`) × 16 KiB, for ${L.admittedStreamIdleMs / 60_000} min without any request`,
      bytes: DEGREES[role] * 2 * streams * 16 * KIB,
    },
    {
      what: 'handshakes',
      of: `${L.maxHandshakes} × (a read of 64 KiB + a message begun of 64 KiB)`,
      bytes: L.maxHandshakes * 128 * KIB,
    },
  ]
}

function ofPeers(role: Role): Held[] {
  const L = LIMITS
  const degree = DEGREES[role]
  const carries = role !== 'node'
  const answers =
    L.maxStreams.sync * L.maxSyncRunBytes +
    L.maxStreams.publish * L.maxPublishMessageBytes +
    L.maxStreams.admit * L.maxAdmitMessageBytes +
    (carries ? L.maxStreams.bridge * L.maxBridgeMessageBytes : 0)
  const gossip = 2 * (L.gossipPerSecond + L.gossipBurst)
  const parts = Math.min(degree * L.maxAnnouncedInPart, MAX_PARTS)
  const held = Math.ceil(L.blockDeadlineMs / SLOW_MS)
  return [
    {
      what: 'not read yet',
      of: 'of all connections together: frames and messages begun, gossip not worked off, streams not taken up (`maxUnreadBytes`)',
      bytes: L.maxUnreadBytes,
    },
    {
      what: 'answers that peers do not read',
      of: `N × one on each stream of sync, publish and admit, of a gateway and a seed bridge, too; for as long as its messages may take`,
      bytes: degree * answers,
    },
    {
      what: 'blocks that peers do not read',
      of: `${L.maxServedAtOnce} read and written at once and one let by, ${held} times until the first is given up`,
      bytes: (L.maxServedAtOnce + 1) * held * L.maxBlockMessageBytes,
    },
    {
      what: 'gossip that peers do not read',
      of: `N × ${kib(MAX_UNSENT_BYTES)}, ${kib(MAX_ALL_UNSENT_BYTES)} in all; then the link ends`,
      bytes: Math.min(degree * MAX_UNSENT_BYTES, MAX_ALL_UNSENT_BYTES),
    },
    {
      what: 'gossip known again',
      of: `${times(L.maxGossipSeen, 'gossip')}, N × ${times(gossip, 'newGossip')} in a second`,
      bytes: L.maxGossipSeen * ENTRIES.gossip + degree * gossip * ENTRIES.newGossip,
    },
    {
      what: 'announced blocks',
      of: `N × ${L.maxAnnouncedInPart} releases, ${many(MAX_PARTS)} in all, × three bitmaps of ${kib(MAX_PLACES / 8)}`,
      bytes: (parts * 3 * MAX_PLACES) / 8,
    },
    {
      what: 'what each peer asked for and is not here',
      of: `N × ${times(MAX_WAITED_FOR, 'waitedFor')}`,
      bytes: degree * MAX_WAITED_FOR * ENTRIES.waitedFor,
    },
  ]
}

function ofSync(role: Role): Held[] {
  const L = LIMITS
  const degree = DEGREES[role]
  return [
    {
      what: 'what each peer was offered',
      of: `N × (channels: ${times(L.maxChannels, 'offered')}; releases: ${times(2 * L.maxOffers, 'told')}; channels not on disk: ${times(L.maxOffers, 'short')})`,
      // A place in a set, of a name that is kept anyway, takes no more than a short digest.
      bytes:
        degree *
        (L.maxChannels * ENTRIES.offered + 2 * L.maxOffers * ENTRIES.told + L.maxOffers * ENTRIES.short),
    },
    {
      what: 'sets of patterns of peers',
      of: `${times(L.gatewayDegree, 'patterns')}, of a seed ${times(L.seedDegree, 'patterns')}: ${L.maxPatterns} of ${L.maxChannelBytes} B`,
      bytes: (role === 'seed' ? L.seedDegree : L.gatewayDegree) * ENTRIES.patterns,
    },
  ]
}

function ofFleet(role: Role): Held[] {
  const L = LIMITS
  return [
    {
      what: 'blocks being fetched',
      of: '`maxWantBytes`, as much late of silent peers, and as much as both being read',
      bytes: 4 * L.maxWantBytes,
    },
    {
      what: 'peers known',
      of: `${times(L.maxKnownPeers, 'record')}, of a seed ${times(L.maxKnownPeers + L.seedDegree, 'record')}: records of ${kib(L.maxPeerRecordBytes)}, as bytes and decoded`,
      bytes: (L.maxKnownPeers + (role === 'seed' ? L.seedDegree : 0)) * ENTRIES.record,
    },
    {
      what: 'heartbeats',
      of: `${L.maxRegions} regions × ${times(L.maxHeartbeats, 'heartbeat')}: of ${kib(L.maxHeartbeatBytes)}, as bytes and decoded`,
      bytes: L.maxRegions * L.maxHeartbeats * ENTRIES.heartbeat,
    },
    {
      what: 'keys and signatures known again',
      of: `${many(MAX_IMPORTED)} × 1 KiB, ${many(MAX_KEY_OBJECTS)} × 2 KiB and ${times(MAX_VERIFIED, 'digest')}`,
      bytes: (MAX_IMPORTED + 2 * MAX_KEY_OBJECTS) * KIB + MAX_VERIFIED * ENTRIES.digest,
    },
    {
      what: 'rejected messages and hosts counted',
      of: `${times(L.maxRejectedDigests, 'digest')} and, six times, ${times(MAX_HOSTS, 'counted')}`,
      bytes: L.maxRejectedDigests * ENTRIES.digest + 6 * MAX_HOSTS * ENTRIES.counted,
    },
    {
      what: 'HTTP',
      of: `${many(L.maxHttpConnections)} connections × (a header of ${kib(L.maxHttpHeaderBytes)} + 64 KiB on their way), \`maxHttpWaiting\` more headers, \`maxHttpAnswerBytes\`, and the text of one listing as long as a manifest may be`,
      bytes:
        L.maxHttpConnections * (L.maxHttpHeaderBytes + 64 * KIB) +
        L.maxHttpWaiting * L.maxHttpHeaderBytes +
        L.maxHttpAnswerBytes +
        L.maxPages * L.maxPageBytes +
        L.maxFiles * 100,
    },
  ]
}

function ofBridge(): Held[] {
  const L = LIMITS
  return [
    {
      what: 'kept for other regions',
      of: `\`maxBridgeBytes\`, ${MAX_PAGES} pages of ${kib(L.maxHandedBytes)}, digests: ${times(L.maxBridgeItems, 'digest')}, wants: ${times(L.maxBridgeWanted, 'wanted')}`,
      bytes:
        L.maxBridgeBytes +
        MAX_PAGES * L.maxHandedBytes +
        L.maxBridgeItems * ENTRIES.digest +
        L.maxBridgeWanted * ENTRIES.wanted,
    },
  ]
}

function ofSeed(): Held[] {
  const L = LIMITS
  return [
    {
      what: 'leases',
      of: `${times(L.maxLeases, 'lease')} lent, ${L.maxUploads} of uploads, with an envelope of ${kib(L.maxEnvelopeBytes)}`,
      bytes: (L.maxLeases + L.maxUploads) * ENTRIES.lease,
    },
    {
      what: 'uploads',
      of: `${L.maxUploads} × ${L.maxStreams.publish} blocks being written`,
      bytes: L.maxUploads * L.maxStreams.publish * L.maxBlockMessageBytes,
    },
    {
      what: 'answers given, questions counted',
      of: `${many(L.maxAnswered)} × 2 KiB, channels: ${times(L.maxChannels, 'counted')}`,
      bytes: L.maxAnswered * 2 * KIB + L.maxChannels * ENTRIES.counted,
    },
    {
      what: 'whom blocks were given to',
      of: `${times(MAX_BLOCKS, 'given')}, with ${MAX_HOLDERS} peers each`,
      bytes: MAX_BLOCKS * ENTRIES.given,
    },
  ]
}
