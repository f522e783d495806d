/**
 * Which limits go together. Each may be set by itself, and what breaks one of these is no choice that anybody makes: it
 * works against itself for as long as the node runs, and nothing says so later.
 */
import { keptMs } from '../core/submit/acknowledge.ts'
import { LIMITS, type Limits } from '../limits.ts'

type LimitName = { [K in keyof Limits]: Limits[K] extends number ? K : never }[keyof Limits]

interface Relation {
  readonly limit: LimitName
  /** Those that say how much it must be at least. */
  readonly of: readonly LimitName[]
  readonly least: (limits: Limits) => number
  /** What comes of less. */
  readonly harm: string
}

interface Role {
  /** It is a seed. */
  readonly submit: boolean
}

/** A connection or two for each of those that look whether the node is well: a kubelet, Prometheus, `confmesh status`. */
const SPARE_CONNECTIONS = 16

/** In a message, for what surrounds its content. */
const AROUND_BYTES = 1_024
/** LevelDB's write buffer: beside a batch it is what becomes a table at once. */
const WRITE_BUFFER_BYTES = 4 * 1_024 * 1_024

/** One beat is lost and the one after it comes a tenth late, as it may. */
const oneMissed = (everyMs: number): number => Math.ceil((11 * everyMs) / 5)
/** An envelope has fifteen sixteenths of a message of sync. */
const messageOf = (envelopeBytes: number): number => Math.ceil((16 * envelopeBytes) / 15)

const REFUSED = 'where all are like this they turn each other away, and dial for ever'
const DEAD = 'one heartbeat that is lost would make a gateway dead that lives'
const UNTOLD = 'a root or release that is taken could not be handed on'

/** @param places how many of them a node has for others, by the limit that says so */
const linksOf = (places: 'hardDegree' | 'seedDegree'): readonly Relation[] => [
  {
    limit: places,
    of: ['minDegree', 'outsideDegree'],
    least: ({ minDegree, outsideDegree }) => minDegree + outsideDegree,
    harm: REFUSED,
  },
  {
    limit: places,
    of: ['minOutbound'],
    // A link that one end chose is one that the other did not.
    least: ({ minOutbound }) => 2 * minOutbound,
    harm: REFUSED,
  },
]

const OF_ANY: readonly Relation[] = [
  {
    limit: 'maxDegree',
    of: ['minDegree'],
    least: ({ minDegree }) => minDegree,
    harm: 'each link that is made for want of one would be ended as one too many, without end',
  },
  {
    limit: 'maxDegree',
    of: ['minCoverage'],
    least: ({ minCoverage }) => minCoverage,
    harm: 'each link that is made for a channel would be ended as one too many, without end',
  },
  {
    limit: 'heartbeatLiveMs',
    of: ['heartbeatMs'],
    least: ({ heartbeatMs }) => oneMissed(heartbeatMs),
    harm: DEAD,
  },
  {
    limit: 'farHeartbeatLiveMs',
    of: ['farHeartbeatMs'],
    least: ({ farHeartbeatMs }) => oneMissed(farHeartbeatMs),
    harm: DEAD,
  },
  {
    // Over a border it is said no more often than at home.
    limit: 'farHeartbeatLiveMs',
    of: ['heartbeatMs'],
    least: ({ heartbeatMs }) => oneMissed(heartbeatMs),
    harm: DEAD,
  },
  {
    limit: 'calmHeartbeatLiveMs',
    of: ['calmHeartbeatMs'],
    least: ({ calmHeartbeatMs }) => oneMissed(calmHeartbeatMs),
    harm: DEAD,
  },
  {
    limit: 'publishDeadlineMs',
    of: ['awaitMs'],
    least: (limits) => keptMs(limits) + 1,
    harm: 'a seed would give up a second one, which is fetching, before that says "not yet"',
  },
  {
    limit: 'answerDeadlineMs',
    of: ['awaitMs'],
    least: (limits) => keptMs(limits) + 1,
    harm: 'a question whether a release is whole would be cut off before its answer',
  },
  {
    limit: 'leaseMs',
    of: ['leaseRenewMs'],
    // Where nothing has come since the last time it is not renewed, and at the next it is.
    least: ({ leaseRenewMs }) => 2 * leaseRenewMs + 1,
    harm: 'an upload would lose its place to another while it goes on',
  },
  {
    limit: 'stopDeadlineMs',
    of: ['stopTimeoutMs'],
    least: ({ stopTimeoutMs }) => stopTimeoutMs + 1,
    harm: 'a stop would be cut off while connections may still take their time, with the store open',
  },
  {
    limit: 'maxBlockBytes',
    of: ['maxPageBytes'],
    least: ({ maxPageBytes }) => maxPageBytes,
    harm: 'a page is fetched as a block is: no node could get the list of files of a large release',
  },
  {
    limit: 'maxBlockMessageBytes',
    of: ['maxBlockBytes'],
    // What is built in is read whatever is set (`blockMessageBytes`).
    least: ({ maxBlockBytes }) => {
      const bytes = maxBlockBytes + AROUND_BYTES
      return bytes <= LIMITS.maxBlockMessageBytes ? 0 : bytes
    },
    harm: 'no message could carry a whole block',
  },
  {
    limit: 'maxBeaconPageBytes',
    of: ['maxBlockBytes'],
    least: ({ maxBlockBytes }) => maxBlockBytes,
    harm: 'no page of a beacon would be asked for, since none might find room',
  },
  ...(['maxAdmitMessageBytes', 'maxControlGossipBytes', 'maxPublishMessageBytes'] as const).map(
    (limit): Relation => ({
      limit,
      of: ['maxRootBytes'],
      least: ({ maxRootBytes }) => maxRootBytes + AROUND_BYTES,
      harm: UNTOLD,
    }),
  ),
  {
    limit: 'maxReleasesGossipBytes',
    of: ['maxEnvelopeBytes'],
    least: ({ maxEnvelopeBytes }) => maxEnvelopeBytes + AROUND_BYTES,
    harm: UNTOLD,
  },
  {
    limit: 'maxReleasesGossipBytes',
    of: ['maxInlineBytes'],
    least: ({ maxInlineBytes }) => maxInlineBytes,
    harm: 'this node would refuse to send what it made to be sent',
  },
  ...(['maxRootBytes', 'maxEnvelopeBytes'] as const).map(
    (of): Relation => ({
      limit: 'maxSyncMessageBytes',
      of: [of],
      least: (limits) => messageOf(limits[of]),
      harm: UNTOLD,
    }),
  ),
  {
    limit: 'maxBridgeMessageBytes',
    of: ['maxControlGossipBytes'],
    least: ({ maxControlGossipBytes }) => maxControlGossipBytes + AROUND_BYTES,
    harm: 'what gossip carries could not go over a border',
  },
  {
    limit: 'maxBridgeMessageBytes',
    of: ['maxReleasesGossipBytes', 'maxHandedBytes'],
    least: ({ maxReleasesGossipBytes, maxHandedBytes }) =>
      maxReleasesGossipBytes + maxHandedBytes + AROUND_BYTES,
    harm: 'a release could not go over a border with its pages',
  },
  {
    limit: 'bridgeBurst',
    of: ['maxBridgeHave'],
    // Each thing that is named counts as a message.
    least: ({ maxBridgeHave }) => maxBridgeHave,
    harm: 'a gateway that names so many things would be refused, however long it waits',
  },
  {
    limit: 'maxHttpConnections',
    of: ['maxWatchers'],
    least: ({ maxWatchers }) => maxWatchers + SPARE_CONNECTIONS,
    harm: 'watchers could take every connection, and /healthz and /readyz would go unanswered',
  },
  {
    limit: 'storeProbeBytes',
    of: ['maxStoreBatchBytes'],
    least: ({ maxStoreBatchBytes }) => maxStoreBatchBytes + WRITE_BUFFER_BYTES,
    harm: 'a disk would count as having room, and the next order would not fit on it',
  },
]

const OF_NODES = [...linksOf('hardDegree'), ...OF_ANY]
const OF_SEEDS = [...linksOf('seedDegree'), ...OF_ANY]

export const relationsOf = ({ submit }: Role): readonly Relation[] => (submit ? OF_SEEDS : OF_NODES)

export const broken = (limits: Limits, role: Role): readonly Relation[] =>
  relationsOf(role).filter(({ limit, least }) => limits[limit] < least(limits))

/** What is wrong and what to do, without where it was set. */
export function told({ limit, of, least, harm }: Relation, limits: Limits): string {
  const since = of.map((name) => `${name} is ${limits[name]}`).join(' and ')
  const must = `${limit} is ${limits[limit]} and must be at least ${least(limits)}, since ${since}`
  return `${must}: ${harm}; raise ${limit}, or lower ${of.join(' or ')}`
}
