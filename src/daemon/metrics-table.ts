import type { Counter, Histogram } from '../core/effects.ts'
import { CODES } from '../errors.ts'

/** Every metric, once: the registry, `docs/metrics.md` and the check of the alert rules are made from this. */
export interface MetricRow {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels?: readonly string[]
  /** Of a counter with a label: the values that stand at 0 from the start, or `increase` misses the first count of each. */
  readonly zeros?: readonly string[]
}

export const COUNTERS: Readonly<Record<Counter, MetricRow>> = {
  gossip_received: {
    name: 'confmesh_gossip_received_total',
    type: 'counter',
    help: 'Gossip messages received, by topic',
    labels: ['topic'],
    zeros: ['releases', 'control'],
  },
  gossip_verdicts: {
    name: 'confmesh_gossip_verdicts_total',
    type: 'counter',
    help: 'Verdicts given to gossip: accept, ignore, reject',
    labels: ['verdict'],
    zeros: ['accept', 'ignore', 'reject'],
  },
  duplicates: {
    name: 'confmesh_duplicates_total',
    type: 'counter',
    help: 'Releases received that were known already',
  },
  verified: {
    name: 'confmesh_verified_total',
    type: 'counter',
    help: 'Envelopes whose signatures were checked',
  },
  ordered: {
    name: 'confmesh_ordered_total',
    type: 'counter',
    help: 'Releases ordered, by verdict',
    labels: ['verdict'],
    zeros: ['NEW', 'CONCURRENT', 'TWIN'],
  },
  blocks_sent: {
    name: 'confmesh_blocks_sent_total',
    type: 'counter',
    help: 'Blocks and manifest pages given to peers',
  },
  blocks_received: {
    name: 'confmesh_blocks_received_total',
    type: 'counter',
    help: 'Blocks and manifest pages taken from peers',
  },
  blocks_in_vain: {
    name: 'confmesh_blocks_in_vain_total',
    type: 'counter',
    help: 'Blocks taken from peers that were here already: two were asked for one block',
  },
  offers: {
    name: 'confmesh_block_offers_total',
    type: 'counter',
    help: 'Messages that told a neighbour which blocks are here',
  },
  busy: {
    name: 'confmesh_blocks_busy_total',
    type: 'counter',
    help: 'Times a peer that asked for a block was told to ask elsewhere, since too many were queued',
  },
  redirects: {
    name: 'confmesh_blocks_redirected_total',
    type: 'counter',
    help: 'Times this seed sent a peer on to one that it gave the block to',
  },
  sync_rounds: {
    name: 'confmesh_sync_rounds_total',
    type: 'counter',
    help: 'Rounds of anti-entropy this node began, by result: done, refused, broken (out of turn), unanswered, gone (the peer is)',
    labels: ['result'],
    zeros: ['done', 'refused', 'broken', 'unanswered', 'gone'],
  },
  submissions: {
    name: 'confmesh_submissions_total',
    type: 'counter',
    help: 'Releases submitted here, by answer: NEW, CONCURRENT, DUPLICATE, or the code of the refusal',
    labels: ['answer'],
    zeros: ['NEW', 'CONCURRENT', 'DUPLICATE'],
  },
  activations: {
    name: 'confmesh_activations_total',
    type: 'counter',
    help: 'Activations, by outcome',
    labels: ['outcome'],
    zeros: ['healthy', 'unhealthy', 'failed'],
  },
  bridge_announced: {
    name: 'confmesh_bridge_announced_total',
    type: 'counter',
    help: 'Releases, roots and beacons announced to gateways of other regions',
  },
  bridge_pushed: {
    name: 'confmesh_bridge_pushed_total',
    type: 'counter',
    help: 'Those of the announcements that carried the content',
  },
  bridge_pulled: {
    name: 'confmesh_bridge_pulled_total',
    type: 'counter',
    help: 'Pulls of something that was announced here and not pushed',
  },
  bridge_received: {
    name: 'confmesh_bridge_received_total',
    type: 'counter',
    help: 'Contents that came over the bridge, by topic and way: releases-pushed, releases-pulled, releases-spare (it was here already), control-pushed, control-pulled, control-spare',
    labels: ['way'],
    zeros: ['releases', 'control'].flatMap((topic) =>
      ['pushed', 'pulled', 'spare'].map((how) => `${topic}-${how}`),
    ),
  },
  bridge_claims: {
    name: 'confmesh_bridge_claims_total',
    type: 'counter',
    help: 'Claims made, so that no other gateway of the region pulls the same',
  },
  refused: {
    name: 'confmesh_refused_total',
    type: 'counter',
    help: 'Everything refused, by stable code (docs/errors.md)',
    labels: ['code'],
    zeros: [...CODES, 'other'],
  },
}

const OF_THIS_LIFE =
  'of releases made no longer ago than the node has run, time asleep not counted; one that is signed by several waits for them in it, from --prepare on'

export const HISTOGRAMS: Readonly<Record<Histogram, MetricRow>> = {
  publish_to_ordered: {
    name: 'confmesh_publish_to_ordered_seconds',
    type: 'histogram',
    help: `From creation (publisher clock) to ordered here, ${OF_THIS_LIFE}`,
  },
  publish_to_whole: {
    name: 'confmesh_publish_to_whole_seconds',
    type: 'histogram',
    help: `From creation (publisher clock) to every byte here, ${OF_THIS_LIFE}`,
  },
  publish_to_active: {
    name: 'confmesh_publish_to_active_seconds',
    type: 'histogram',
    help: `From creation (publisher clock) to active here, ${OF_THIS_LIFE}`,
  },
  fetch: { name: 'confmesh_fetch_seconds', type: 'histogram', help: 'From ordered to every byte here' },
  sync_round: {
    name: 'confmesh_sync_round_seconds',
    type: 'histogram',
    help: 'Length of a round of anti-entropy',
  },
}

export const GAUGES = {
  active: {
    name: 'confmesh_channels',
    type: 'gauge',
    help: 'Channels stored here, by state',
    labels: ['state'],
  },
  gated: {
    name: 'confmesh_channels_gated',
    type: 'gauge',
    help: 'Channels whose newest release a gate keeps from being active, by gate; one that runs although its health check failed counts as health',
    labels: ['gate'],
  },
  peers: {
    name: 'confmesh_peers',
    type: 'gauge',
    help: "Admitted peers, by region; the node's own is always there",
    labels: ['region'],
  },
  rootVersion: { name: 'confmesh_root_version', type: 'gauge', help: 'Version of the trust root in force' },
  rootExpires: {
    name: 'confmesh_root_expires_seconds',
    type: 'gauge',
    help: 'Seconds until the trust root expires',
  },
  rootFork: {
    name: 'confmesh_root_fork',
    type: 'gauge',
    help: '1 while another valid root of the version in force is known; after a start it is once a peer has brought it',
  },
  poolExpires: {
    name: 'confmesh_certificate_expires_seconds',
    type: 'gauge',
    help: "Seconds until this node's certificate or pool expires",
  },
  storeBytes: { name: 'confmesh_store_bytes', type: 'gauge', help: 'Bytes in the store, roughly' },
  storeReadOnly: {
    name: 'confmesh_store_read_only',
    type: 'gauge',
    help: '1 while the store takes no writes',
  },
  storeShort: {
    name: 'confmesh_store_short',
    type: 'gauge',
    help: '1 while its disk has too little room for the content of releases',
  },
  commitAge: {
    name: 'confmesh_store_commit_age_seconds',
    type: 'gauge',
    help: 'Age of the oldest commit to the store under way',
  },
  fetchAge: { name: 'confmesh_fetch_age_seconds', type: 'gauge', help: 'Age of the oldest fetch under way' },
  fetchBlocks: {
    name: 'confmesh_fetch_blocks',
    type: 'gauge',
    help: 'Blocks and manifest pages of the fetches under way; more as their manifests come',
  },
  fetchMissing: {
    name: 'confmesh_fetch_blocks_missing',
    type: 'gauge',
    help: 'Those of them that are not here yet',
  },
  beaconAge: {
    name: 'confmesh_beacon_age_seconds',
    type: 'gauge',
    help: 'Seconds since the newest freshness beacon came, or since the start where none has',
  },
  beaconHeard: {
    name: 'confmesh_beacon_heard',
    type: 'gauge',
    help: '1 once a freshness beacon has come since the start',
  },
  keysSilent: {
    name: 'confmesh_freshness_keys_silent',
    type: 'gauge',
    help: "Freshness keys of the root, but for this node's own, of which nothing was heard for the root's max-age",
  },
  gossipTopics: {
    name: 'confmesh_gossip_topics',
    type: 'gauge',
    help: "Gossip topics known of peers; never more than the node's own",
  },
  gossipRemembered: {
    name: 'confmesh_gossip_remembered',
    type: 'gauge',
    help: 'Gossip messages of which anything is remembered; a flood fills it, each second it is cut to its bound',
  },
  meshPeers: {
    name: 'confmesh_gossip_mesh_peers',
    type: 'gauge',
    help: 'Peers in the mesh of a topic: those that get every message at once',
    labels: ['topic'],
  },
  scoreMin: {
    name: 'confmesh_gossip_score_min',
    type: 'gauge',
    help: 'Lowest gossip score among the peers; below 0 a peer has sent what was rejected',
  },
  loopLag: {
    name: 'confmesh_loop_lag_seconds',
    type: 'gauge',
    help: '99th percentile of event loop delay since the last scrape',
  },
  ready: {
    name: 'confmesh_ready',
    type: 'gauge',
    help: '1 once every configured channel has an active release',
  },
} as const satisfies Record<string, MetricRow>

/** Counted where the sockets are, so that nothing on a libp2p connection is left out. */
export const NETWORK = {
  sent: {
    name: 'confmesh_network_sent_bytes_total',
    type: 'counter',
    help: 'All bytes sent on libp2p connections',
  },
  received: {
    name: 'confmesh_network_received_bytes_total',
    type: 'counter',
    help: 'All bytes received on libp2p connections',
  },
} as const satisfies Record<string, MetricRow>
