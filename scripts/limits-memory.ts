/** What hostile peers can make a node hold at most, summed from the limits: for each kind of node, since degrees differ. */
import { MAX_PAGES } from '../src/core/handed.ts'
import { MAX_PLACES } from '../src/core/holders.ts'
import { MAX_HOSTS } from '../src/core/root-run.ts'
import { MAX_PARTS } from '../src/core/sources.ts'
import { MAX_VIEWS } from '../src/core/sync-index.ts'
import { LIMITS } from '../src/limits.ts'
import { connectionsOf } from '../src/net/host.ts'
import { MAX_STREAMS } from '../src/net/muxer.ts'
import { MAX_ALL_UNSENT_BYTES, MAX_UNSENT_BYTES } from '../src/net/watchdog.ts'
import { MAX_IMPORTED, MAX_VERIFIED } from '../src/trust/public-key.ts'

const KIB = 1024
const kib = (bytes: number): string =>
  bytes % KIB ** 2 === 0 ? `${bytes / KIB ** 2} MiB` : `${bytes / KIB} KiB`

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

/** Sizes of what stands in maps and sets here are rounded up from what V8 takes for them. */
export function memory(role: Role): readonly Held[] {
  return [
    ...ofConnections(role),
    ...ofPeers(role),
    ...ofFleet(),
    ...(role === 'node' ? [] : ofBridge()),
    ...(role === 'seed' ? ofPublishers() : []),
  ]
}

export const together = (role: Role): number => memory(role).reduce((sum, { bytes }) => sum + bytes, 0)

function ofConnections(role: Role): Held[] {
  const L = LIMITS
  const { connections } = connectionsOf(role === 'seed' ? 'seed' : 'node', L)
  const streams = Object.values(L.maxStreams).reduce((sum, each) => sum + each, 0)
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
  return [
    {
      what: 'not read yet',
      of: 'of all connections together: messages begun, gossip not worked off, streams not taken up (`maxUnreadBytes`)',
      bytes: L.maxUnreadBytes,
    },
    {
      what: 'answers that peers do not read',
      of: `N × one on each stream of sync, publish and admit, of a gateway and a seed bridge, too; for ${L.blockDeadlineMs / 1_000} s at most`,
      bytes: degree * answers,
    },
    {
      what: 'blocks that peers do not read',
      of: `${L.maxServedAtOnce} read and written at once`,
      bytes: L.maxServedAtOnce * L.maxBlockMessageBytes,
    },
    {
      what: 'gossip that peers do not read',
      of: `N × ${kib(MAX_UNSENT_BYTES)}, ${kib(MAX_ALL_UNSENT_BYTES)} in all; then the link ends`,
      bytes: Math.min(degree * MAX_UNSENT_BYTES, MAX_ALL_UNSENT_BYTES),
    },
    {
      what: 'gossip known again',
      of: `(${L.maxGossipSeen.toLocaleString('en')} messages + N × ${gossip.toLocaleString('en')} in a second) × 600 B`,
      bytes: (L.maxGossipSeen + degree * gossip) * 600,
    },
    {
      what: 'announced blocks',
      of: `N × ${L.maxAnnouncedInPart} releases, ${MAX_PARTS.toLocaleString('en')} in all, × three bitmaps of ${kib(MAX_PLACES / 8)}`,
      bytes: (parts * 3 * MAX_PLACES) / 8,
    },
    {
      what: 'what each peer was offered',
      of: `N × (${L.maxChannels.toLocaleString('en')} channels × 200 B + ${(2 * L.maxOffers).toLocaleString('en')} releases × 100 B)`,
      bytes: degree * (L.maxChannels * 200 + 2 * L.maxOffers * 100),
    },
  ]
}

function ofFleet(): Held[] {
  const L = LIMITS
  return [
    { what: 'blocks being fetched', of: '`maxWantBytes`, and as much being read', bytes: 2 * L.maxWantBytes },
    {
      what: 'channels',
      of: `${L.maxChannels.toLocaleString('en')} stored × 2 KiB, in ${MAX_VIEWS} views × 100 B, ${L.maxRelayedChannels.toLocaleString('en')} relayed × 256 B`,
      bytes: L.maxChannels * (2 * KIB + MAX_VIEWS * 100) + L.maxRelayedChannels * 256,
    },
    { what: 'beacon pages', of: 'of all keys', bytes: L.maxBeaconPageBytes },
    {
      what: 'peers known',
      of: `${L.maxKnownPeers.toLocaleString('en')} records of ${kib(L.maxPeerRecordBytes)}, as bytes and decoded`,
      bytes: 2 * L.maxKnownPeers * L.maxPeerRecordBytes,
    },
    {
      what: 'heartbeats',
      of: `${L.maxRegions} regions × ${L.maxHeartbeats} of ${kib(L.maxHeartbeatBytes)}, as bytes and decoded`,
      bytes: 2 * L.maxRegions * L.maxHeartbeats * L.maxHeartbeatBytes,
    },
    {
      what: 'keys and signatures known again',
      of: `${MAX_IMPORTED.toLocaleString('en')} × 2 KiB and ${MAX_VERIFIED.toLocaleString('en')} × 128 B`,
      bytes: MAX_IMPORTED * 2 * KIB + MAX_VERIFIED * 128,
    },
    {
      what: 'rejected messages and hosts counted',
      of: `${L.maxRejectedDigests.toLocaleString('en')} digests and ${MAX_HOSTS.toLocaleString('en')} hosts, six times, × 256 B`,
      bytes: (L.maxRejectedDigests + 6 * MAX_HOSTS) * 256,
    },
    {
      what: 'HTTP',
      of: `${L.maxHttpConnections.toLocaleString('en')} connections × (a header of ${kib(L.maxHttpHeaderBytes)} + 64 KiB on their way), \`maxHttpWaiting\` more headers, \`maxHttpAnswerBytes\`, and one listing as long as a manifest may be`,
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
      of: `\`maxBridgeBytes\`, ${MAX_PAGES} pages of ${kib(L.maxHandedBytes)}, ${L.maxBridgeItems.toLocaleString('en')} digests × 128 B, ${L.maxBridgeWanted.toLocaleString('en')} wants × 2 KiB`,
      bytes:
        L.maxBridgeBytes +
        MAX_PAGES * L.maxHandedBytes +
        L.maxBridgeItems * 128 +
        L.maxBridgeWanted * 2 * KIB,
    },
  ]
}

function ofPublishers(): Held[] {
  const L = LIMITS
  return [
    {
      what: 'leases',
      of: `${L.maxLeases.toLocaleString('en')} with an envelope of ${kib(L.maxEnvelopeBytes)}`,
      bytes: L.maxLeases * L.maxEnvelopeBytes,
    },
    {
      what: 'uploads',
      of: `${L.maxUploads} × 2 blocks being written`,
      bytes: L.maxUploads * L.maxStreams.publish * L.maxBlockMessageBytes,
    },
    {
      what: 'answers given, questions counted',
      of: `${L.maxAnswered.toLocaleString('en')} × 2 KiB, ${L.maxChannels.toLocaleString('en')} channels × 128 B`,
      bytes: L.maxAnswered * 2 * KIB + L.maxChannels * 128,
    },
  ]
}
