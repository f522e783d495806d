/** Bytes that one entry of a table takes in memory. test/unit/heap-per-entry.test.ts measures each, of a manifest test/unit/daemon/kept-manifests.test.ts, and goes red where it takes half as much again. */
const KIB = 1024

export const ENTRIES = {
  /** A stored channel whose release has 256 pages, a clock and a message as long as may be, while its content is nowhere. */
  channel: 72 * KIB,
  /** A second such release in the same place: the channel is held, and both are kept. */
  twin: 32 * KIB,
  /** What unknown fields add to either, where they fill up the header. */
  filledUp: 8 * KIB,
  /** A channel in one view of those that peers store, too. */
  inView: 16,
  /** What is kept of a set of patterns, as many and as long as may be. */
  patterns: 14 * KIB,
  /** The digests of what one matches. */
  digests: 10 * KIB,
  /** A channel that is relayed only, its name as long as may be, with twins. */
  relayed: 896,
  /** A stored channel, as what one peer was offered of it. */
  offered: 228,
  /** A release that is being fetched, as what one peer says to have all of. */
  holder: 64,
  /** And as what one that has gone gave wrong bytes of. */
  lie: 208,
  /** What a channel is compared by, in a list. */
  short: 44,
  /** A release that one peer is known to have, or is to be told of. */
  told: 176,
  /** A gossip message that would be known again. */
  gossip: 600,
  /** And one that came since gossipsub's last heartbeat. */
  newGossip: 800,
  /** A release that a peer asked for before it was here. */
  waitedFor: 128,
  /** A block that a seed gave to four peers. */
  given: 640,
  /** A block that is stored here: its name in the tables of the store and of the core. */
  block: 256,
  /** A digest in a set: of a signature, of a message. */
  digest: 136,
  /** A host or peer whose questions are counted. */
  counted: 256,
  /** A thing of another region that is waited for, announced by as many as may be. */
  wanted: 2 * KIB,
  /** A release over a limit of this node: why, by itself and as the newest of its channel. */
  overLimit: 896,
  /** A lease with its envelope. */
  lease: 22 * KIB,
  /** A peer record of 24 KiB, as bytes and decoded. */
  record: 50 * KIB,
  /** A heartbeat of 8 KiB, as bytes and decoded. */
  heartbeat: 17 * KIB,
  /** A byte of a beacon's page with the shortest entries, as bytes and decoded. */
  beaconByte: 10,
  /** A byte of a manifest's pages, decoded as HTTP reads it. */
  manifestByte: 5,
  /** A byte of fields that this build does not know, which a document may be full of: as it came, and as it is kept. */
  unknownByte: 2.5,
} as const
