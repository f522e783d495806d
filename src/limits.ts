/**
 * Every maximum, with its reason. A limit is passed to the code it binds as a required argument, so that a test
 * can set it low and no caller can forget it. Units are last in the names.
 */
const KIB = 1024
const MIB = 1024 * KIB

export const LIMITS = {
  /** Depth of nested dag-cbor and JSON: no document of ours passes 6; 5 KB of arrays would overflow the decoder's stack. */
  maxDepth: 16,
  /** Items (values and keys) in one decoded message: a full manifest page has about 40,000 small ones. */
  maxItems: 65_536,

  /** A root's envelope: 32 publishers with 8 keys each fit twice. */
  maxRootBytes: 60 * KIB,
  maxHeaderBytes: 16 * KIB,
  /** Header, its signatures and the envelope around them. */
  maxEnvelopeBytes: 20 * KIB,
  maxPageBytes: 256 * KIB,
  maxBlockBytes: 256 * KIB,
  maxBeaconBytes: 14_000,
  maxCertificateBytes: 8 * KIB,
  /** A gateway's heartbeat: eight addresses with long names in them, one signature, and a chain of usual length. */
  maxHeartbeatBytes: 8 * KIB,
  maxPeerRecordBytes: 24 * KIB,
  maxPages: 256,
  maxMessageBytes: 1 * KIB,
  /** Signatures tried on one envelope: more than any threshold we allow, few enough for a flood to be cheap to refuse. */
  maxSignatures: 16,
  maxClockEntries: 32,
  maxPublishers: 64,
  maxKeysPerRole: 16,
  maxPatternsPerPublisher: 64,
  maxEpochs: 256,
  maxRemoved: 256,
  maxCritical: 16,

  /** One file of 4 GiB and 100,000 files must pass. */
  maxReleaseBytes: 64 * 1024 * MIB,
  maxFiles: 200_000,
  maxPathBytes: 1024,
  maxPathSegmentBytes: 255,
  maxChannelBytes: 200,
  maxChannelSegments: 8,
  maxPatterns: 64,
  /** Channels stored on this node: first come stays. */
  maxChannels: 20_000,
  /** Channels that were stored here before `channels` was changed: their floors stay, for none may ever be lowered. */
  maxFormerChannels: 60_000,
  /** Channels relayed but not stored: their place only, the one raised longest ago goes. */
  maxRelayedChannels: 10_000,

  /** Whole gossip message with content attached: one TCP flight (10 × 1460 B) on an idle connection. Set higher it lets more in, and attaches no more. */
  maxInlineBytes: 14_000,
  maxReleasesGossipBytes: 32 * KIB,
  maxControlGossipBytes: 64 * KIB,
  /** Protocol messages; see docs/protocol.md. */
  maxAdmitMessageBytes: 64 * KIB,
  maxSyncMessageBytes: 64 * KIB,
  maxBlockMessageBytes: 257 * KIB,
  maxPublishMessageBytes: 64 * KIB,
  /** A gossip message and what names it, or the heartbeats of sixteen regions. */
  maxBridgeMessageBytes: 128 * KIB,
  /** Bytes of one run of sync replies before the next request. */
  maxSyncRunBytes: 1 * MIB,
  admitDeadlineMs: 5_000,
  /** What a node that we refuse has to answer that it heard so. */
  refuseDeadlineMs: 1_000,
  /** Error of a clock by which a certificate may have ended, or not begun: a host restored from a snapshot gets in. */
  admitSkewMs: 48 * 3_600_000,
  /** An end of a root or certificate is said so long ahead. */
  expiryWarnMs: 30 * 24 * 3_600_000,
  syncDeadlineMs: 3_000,
  blockDeadlineMs: 10_000,
  publishDeadlineMs: 30_000,
  bridgeDeadlineMs: 3_000,
  /** Roots taken in one run before admission goes on. */
  maxRootRun: 32,
  /** Root bytes from one address, or by gossip from one peer, in a minute. */
  maxRootBytesPerMinute: 4 * MIB,
  /** Streams a peer may hold open to us, per protocol. */
  maxStreams: { admit: 1, sync: 2, blocks: 9, publish: 3, bridge: 7 },
  /** Requests of ours that wait for one of those streams, per peer and protocol; beyond, the peer is too slow for us. */
  maxQueuedRequests: 64,
  maxUnreadBytes: 128 * MIB,
  /** Replies in one run: 1 MiB of 64 KiB messages is 17. */
  maxRunMessages: 64,
  /** Streams that a peer opens, taken up on one connection: an honest one has 26, and opens one anew when it broke. Beyond, they wait, and more than 64 that wait or live are reset. */
  streamsPerSecond: 20,
  streamsBurst: 64,
  /** An inbound stream without a request for this long is closed, where a stranger may open it (admit, publish); the asker gives it up at half of that. */
  streamIdleMs: 60_000,
  /** The same for sync, blocks and bridge: three comparisons with each of `maxDegree` neighbours come in half of it, since opening one costs as much as four requests, and 14 KB on each side while it stands. */
  admittedStreamIdleMs: 600_000,
  /** The longest a request may wait for our own answer (`await` of a publisher). */
  answerDeadlineMs: 600_000,
  /** A dial in all, name lookup and handshake included. */
  dialDeadlineMs: 10_000,
  /** Handshakes of others under way, half of them of one address at most, and what each may take: as long as the dialler waits. */
  maxHandshakes: 188,
  handshakeDeadlineMs: 10_000,
  /** Peers admitted that dialled us: milliseconds of work each, so a restarting fleet takes a part of a core; beyond, it hears when to come back. */
  admissionsPerSecond: 50,
  admissionsBurst: 100,
  /** What a refused peer has to read the refusal before its connection is reset. */
  hangUpMs: 50,
  /** Every five gossip heartbeats; two misses in a row and the link is made anew. */
  watchdogMs: 5_000,
  /** Unadmitted connections, from one address and in all: admission takes 5 s at most. */
  maxUnadmittedPerAddress: 32,
  maxUnadmitted: 128,

  /** Mesh degree in the own region, and the top above which a node gives up links that it dialled itself; it refuses others at `hardDegree`. */
  minDegree: 16,
  maxDegree: 20,
  outsideDegree: 3,
  /** Links we chose ourselves: whoever dials us must not choose all our neighbours. */
  minOutbound: 4,
  /** Connections to peers that store each of our channels. */
  minCoverage: 2,
  hardDegree: 32,
  seedDegree: 500,
  /** After so long at a full seed a node goes for one that is new: by then both exchanges of peer records are over. */
  seedRoomMs: 10_000,
  /** Gateways of a region: with three the slowest of a large release needs half as long again, sixteen gain 2 % over eight. */
  maxGateways: 8,
  /** Of a small region fewer stand, so many at least: one may die with the next. */
  minGateways: 3,
  /** A gateway says so often that it lives, and counts as long since it was heard: three misses. */
  heartbeatMs: 5_000,
  heartbeatLiveMs: 15_000,
  /** Over a border, where each tells each: a third as often. One that dies without a sign costs the next rank's wait meanwhile. */
  farHeartbeatMs: 15_000,
  farHeartbeatLiveMs: 45_000,
  /** The same where no other region is known: only large releases wait for a gateway, and ask another after a silence. Eight heartbeats each 5 s would cost a node 20 KB/s. The first come sooner: a starting fleet has no mesh to carry them. */
  calmHeartbeatMs: 120_000,
  calmHeartbeatLiveMs: 360_000,
  /** A heartbeat's clock may be this far from ours: an old one said again must not raise the dead. */
  heartbeatSkewMs: 600_000,
  /** A node up for this long to twice as long, and dialled by another host within the hour, is proven: it ranks before all others. */
  provenUpMs: 600_000,
  dialledWithinMs: 3_600_000,
  /** So long at most a starting node listens before it stands, or takes a place come free; as long again for each that stands then. */
  standDelayMs: 2_000,
  /** Heartbeats remembered of one region (four times those that count), and regions: an invented one must cost nothing. */
  maxHeartbeats: 32,
  maxRegions: 64,
  /** Heartbeats of keys not seen before, all peers together, an eighth for each: an imported key costs a millisecond. */
  heartbeatChecksPerSecond: 50,
  heartbeatChecksBurst: 400,
  /** Questions for all heartbeats that one peer may ask: once a second while a region is unknown to it. */
  heartbeatAsksPerSecond: 1,
  heartbeatAsksBurst: 8,
  /** Links of a gateway: its region's, and one to each gateway of five other regions. */
  gatewayDegree: 72,
  /** Gateways of a region that count for one release: the first is pushed to, the others step in for it. */
  bridgeRanks: 3,
  /** What each rank waits for the one before it: half the round trip of a long border, ten hops inside a region. */
  bridgeWaitMs: 50,
  bridgeHomeWaitMs: 10,
  /** A claim that brought nothing for so long is void, later for each rank so that one pulls and not all. */
  claimVoidMs: 1_000,
  claimVoidStepMs: 500,
  /** So long after it was said here, every border link hears that it is here. */
  bridgeHaveMs: 1_000,
  maxBridgeHave: 256,
  /** Pulls of one thing before it is left to sync, and under way to one peer: it has to give before it is asked for more. */
  maxBridgePulls: 4,
  maxBridgePullsOfOne: 16,
  /** Who announced one thing: enough to pull from when the first is gone. */
  maxBridgeSources: 8,
  /** Things remembered as known here or foreign, wanted at once, and bytes kept to be pulled. */
  maxBridgeItems: 8_192,
  maxBridgeWanted: 1_024,
  maxBridgeBytes: 8 * MIB,
  /** Pages that go over a border with the release that names them: 1,200 blocks, and all fits into a message of 64 KiB. */
  maxHandedBytes: 48 * KIB,
  /** Bridge messages a peer may send, each thing it says it has as one: what gossip allows one peer. */
  bridgePerSecond: 200,
  bridgeBurst: 512,
  /** Announcements that led to nothing, per peer; beyond, what it announces without content is not asked for. */
  bridgeDudsPerSecond: 0.2,
  bridgeDudsBurst: 32,
  maxKnownPeers: 1_000,
  redialMinMs: 1_000,
  redialMaxMs: 10_000,
  redialIdleMaxMs: 60_000,
  linkSwapMs: 3_600_000,
  /** A link this old has lasted: until then it is not spare, and one that ends is made anew later each time. */
  settledLinkMs: 60_000,
  /** Dials begun in one look, beside seeds; a look is a second apart while links are missing. */
  maxDialsAtOnce: 4,
  /** Dials under way, at most and beside those of seeds: a link costs both sides tens of milliseconds (`dial-window.ts`). */
  maxDialsUnderWay: 16,
  /** Peer records are exchanged so often while there is something to learn, and so seldom once there is not. */
  exchangeMinMs: 5_000,
  exchangeMaxMs: 300_000,
  /** Records in one message. */
  maxExchanged: 32,
  /** Exchanges a peer may ask for: a record of a key not seen before costs milliseconds to check. */
  exchangesPerSecond: 0.5,
  exchangesBurst: 4,
  syncIntervalMs: 4_500,
  /** Comparisons a peer may ask for: one digests 20,000 channels in about 20 ms. */
  syncPerSecond: 4,
  syncBurst: 16,
  /** Releases waiting to be offered to one peer; what is beyond, the next comparison finds. */
  maxOffers: 1_024,
  beaconIntervalMs: 20_000,
  beaconGraceMs: 30_000,
  /** A beacon key further ahead of the others than this is left out. */
  beaconAheadMs: 600_000,
  maxBeaconEntries: 200,
  maxBeaconPageBits: 8,
  /** Pages of all keys together: 20,000 channels take 2 MiB a key; a stolen key must not fill the memory. */
  maxBeaconPageBytes: 32 * MIB,
  floorLostWaitMs: 10_000,

  /** Blocks wanted at once: one from each neighbour, and what a fetcher asks the seed or over a border beside. */
  maxWants: 64,
  /** And their bytes, those being written included: what a node holds in memory of a release; as much again may come late of the silent. */
  maxWantBytes: 8 * MIB,
  /** From one neighbour of the region: what is under way is spread over all of them. */
  maxWantsPerPeer: 1,
  /** From a seed or over a border: a round trip's worth, as many as there are streams but one, for `holds`. */
  maxWantsPerSeed: 8,
  /** Blocks queued for others before they hear "busy": 4 of 256 KiB are 8 ms at 1 Gbit/s; with 8 the slowest node needs 6 % longer. */
  maxServed: 4,
  /** At a seed, which is asked for 8 blocks by each of 8 fetchers; elsewhere for who asks over a border or hands on what was brought in. */
  maxServedBySeed: 64,
  /** Read and written to the network at once; the others wait in line, so that the first is through early. */
  maxServedAtOnce: 4,
  /** How long a want stands for a block that is on its way here (at a seed, of its own region, for half of `blockSilenceMs`). */
  standMs: 1_000,
  /** And how many of them: what waits for a block here holds a stream of the asker's and a few hundred bytes. */
  maxStanding: 256,
  /** Two blocks at 1 Gbit/s are through by then. */
  busyRetryMs: 10,
  /** Before somebody else is asked for a block: in the region, and longer over a border (round trips up to 330 ms). */
  blockSilenceMs: 400,
  /** Before a second neighbour is asked for the same block: ten times what it takes at 1 Gbit/s from a busy one. */
  hedgeMs: 100,
  /** Without any block for so long, others step in for those who should have brought it into the region: four, 16 after three times as long, 64 after seven. */
  stuckMs: 100,
  /** In addition over a border: 700 ms in all are twice the longest round trip between regions, or three signs of life that are lost. */
  borderSilenceMs: 300,
  /** How long a silent peer is left alone at first, twice as long each time; one that says `gone`, a quarter of it at first. */
  avoidPeerMs: 1_000,
  /** How often it is looked for what nobody brings. */
  repairMs: 250,
  /** What nobody announces for so long is asked of whoever may have it, the seed first. */
  rescueMs: 500,
  /** A fetcher that has asked a seed for nothing for so long, or not announced what it was given, may have died; and so long the third copy of a block waits behind the second. */
  doubtMs: 100,
  /** Neighbours hear of new blocks after so long, or after so many: 50 ms made the slowest node 13 % slower. Not less where a release is soon through: a node knows neither its line nor how long. */
  haveBatchMs: 10,
  /** New blocks that are worth a message so soon, unless fewer were announced before; at 1 Gbit/s one comes in 2 ms. */
  haveAtOnce: 4,
  /** Fewer wait so long: a slow host would announce each by itself, which makes it slower. */
  havePauseMs: 100,
  /** 16 MiB that nobody knew of would stand idle. */
  maxHaveBlocks: 64,
  /** A release of so few is offered to a few neighbours, from whom most get it: at 64 KiB a third of what all would hear. Of 16 the slowest node needs half as long again. */
  fewBlocks: 10,
  /** And one of so few enters by one gateway: of more the fleet is not to wait for a single uplink of 10 Mbit/s. */
  singleEntryBlocks: 3,
  /** A larger release yields to all else: it is asked for as fast as a quarter of the store's time lets it be written, an eighth where timers are late. */
  pacedBytes: 16 * MIB,
  /** As many as are served without hearing `busy`. */
  offersAtOnce: 4,
  /** One more neighbour hears of few blocks after so long, and each further one after twice as long. */
  fewPauseMs: 40,
  /** So many hear of the whole: of 100 neighbours who choose four each at random two are left out, with two more each one in four hundred. */
  lateOffers: 2,
  /** Announcements of one peer that are looked at: twice the most that a batch of 10 ms leads to. */
  announcementsPerSecond: 200,
  /** What a node says at once to a neighbour that is new to it; 65 at least, which one costs that names all it may. */
  announcementsBurst: 1_000,
  /** Releases of which one peer may announce single blocks: what it said of others before is forgotten. */
  maxAnnouncedInPart: 16,
  /** Regions that one region feeds with a block; 1, a chain, where borders are as thin as the links of a node. */
  exportRegions: 2,
  /** Third and further copies of a block, from one seed: a tenth of 1 Gbit/s. Of less a whole block is saved up all the same. */
  seedExtraBytesPerSecond: 12_500_000,

  /** Messages before verification, per peer and second, with bursts; beyond, they are ignored, beyond twice that not read. */
  gossipPerSecond: 200,
  gossipBurst: 1_000,
  /** RPCs of one peer, whatever is in them: a message, and what it leads to (IHAVE, IDONTWANT). Beyond, it is not read. */
  gossipRpcsPerSecond: 800,
  gossipRpcsBurst: 4_000,
  /** Gossip is known again for this long, and no more messages than that: with what gossipsub notes of them 600 B each. */
  gossipSeenMs: 120_000,
  maxGossipSeen: 5_000,
  /** Requests on one connection: 128 MB/s of blocks. Beyond, it is not read. */
  requestsPerSecond: 500,
  requestsBurst: 1_000,
  /** Work that peers cause in one turn of the event loop, before I/O and timers come again. */
  sliceMs: 10,
  /** Log lines of one code: a flood must not fill a disk, nor block on a slow reader. What is left out is counted. */
  logLinesPerSecond: 5,
  logLinesBurst: 100,
  /** Signature checks a second, all peers together: 0.16 ms each, so a tenth of a core; an eighth for what one peer says in vain, or submits; half for strangers. */
  verifiesPerSecond: 600,
  verifiesBurst: 2_000,
  /** Releases of one channel a seed takes. */
  submitsPerMinute: 120,
  submitsBurst: 60,
  /** Exact bytes of rejected messages remembered by digest. */
  maxRejectedDigests: 4_096,

  leaseMs: 600_000,
  leaseRenewMs: 60_000,
  leaseAskMs: 1_000,
  leaseSeeds: 8,
  maxLeases: 4_096,
  maxUploads: 64,
  maxUploadsPerAddress: 16,
  /** Content staged by unfinished uploads, from one address: a release of `maxReleaseBytes`, with its pages, may be all new. */
  maxStagedBytesPerAddress: 65 * 1024 * MIB,
  maxStagedBytes: 130 * 1024 * MIB,
  maxNeed: 1_024,
  /** A question whether a release is whole is answered "not yet" after this, well within its deadline, and after what is built in where more is set. */
  awaitMs: 20_000,
  maxAwaits: 16,
  /** How long a second seed may take to pull a release before the first acknowledges alone: base, and per MiB. */
  acknowledgeMs: 15_000,
  acknowledgeMsPerMib: 250,
  /** Submissions answered for good that are remembered, so that asking again gets the same answer; and releases over a limit of this node. */
  maxAnswered: 1_024,
  /** Cheap questions (state, header, roots) and submissions, per address and second, with bursts. */
  publishAsksPerSecond: 50,
  publishAsksBurst: 400,
  /** Refused submissions written to the audit log: a megabyte a day at most, for anybody can send old releases again. */
  auditsPerSecond: 0.05,
  auditsBurst: 1_000,
  /** A file of the audit log: some 30,000 submissions, small enough to be opened by people. */
  maxAuditBytes: 8 * MIB,
  /** Older files of it that stay: 150,000 submissions in all, in 40 MiB. */
  keepAuditFiles: 4,
  maxListed: 256,
  /** Such answers a second, all askers together: each sorts the names of up to 20,000 channels. */
  listsPerSecond: 5,
  listsBurst: 100,
  counterTries: 5,
  /** Of the signing tool: a KMS answers in a second; a person who confirms on a token needs longer. */
  signTimeoutMs: 120_000,
  keyLockMs: 120_000,
  /** Of `publish`: once one seed is reached, the others have this long to be heard on what is newest. */
  otherSeedsMs: 2_000,
  /** Of `publish`: so long after a second seed should hold the release the next is asked, if the first has not said so. */
  publishIdleMs: 600_000,
  hookTimeoutMs: 60_000,
  hookTurnMs: 10_000,
  maxHookOutputBytes: 64 * KIB,
  healthTimeoutMs: 30_000,
  soakMs: 30_000,
  keepReleases: 3,
  keepReleasesSeed: 20,
  keepTrees: 2,
  maxParallelFiles: 16,
  maxActivations: 8,
  maxCacheBytes: 2 * 1024 * MIB,
  maxHistory: 100,
  /** One record of the store beside blocks: a lease with its envelope, a channel with its history. */
  maxStoreRecordBytes: 1 * MIB,
  /** Commits that wait while the disk syncs go out together, up to this many bytes: one sync for all of them. */
  maxStoreBatchBytes: 8 * MIB,
  /** A store up to this size is read through at start (about 0.3 s); a larger one by `verify`, and where its last two lives did not close it. */
  maxCheckedStoreBytes: 64 * MIB,
  /** Damaged records kept for people to look at, and damaged stores set aside as a whole; fewer where the disk is full. */
  maxQuarantined: 64,
  keepCorruptStores: 2,
  /** To open a damaged store LevelDB reads its log and merges tables: seconds. */
  salvageAnswerMs: 60_000,
  storeProbeMs: 2_000,
  /** How often it is looked whether the folders are still there; before anything is acknowledged it is looked anyway. A look that takes longer is not waited for. */
  storeWatchMs: 2_000,
  /** And with how many bytes: opening, LevelDB turns its log (a write buffer of 4 MiB and one batch) into a table. */
  storeProbeBytes: 16 * MIB,

  maxHttpHeaderBytes: 16 * KIB,
  maxHttpUrlBytes: 4 * KIB,
  httpRequestTimeoutMs: 30_000,
  minHttpBytesPerSecond: 64 * KIB,
  maxHttpAnswerBytes: 64 * MIB,
  maxKeptManifestBytes: 40 * MIB,
  maxHttpWaiting: 200,
  maxHttpListingSlices: 1_600,
  maxWatchers: 1_000,
  maxHttpConnections: 1_200,
  watchHeartbeatMs: 15_000,
  stopTimeoutMs: 2_000,
  stopDeadlineMs: 8_000,
  maxConfigBytes: 1 * MIB,
} as const

type Widen<T> = { readonly [K in keyof T]: T[K] extends number ? number : Widen<T[K]> }
/** Same shape with any numbers, so that tests can set bounds low. */
export type Limits = Widen<typeof LIMITS>
