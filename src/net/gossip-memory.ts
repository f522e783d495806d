/** What gossipsub 17.1.1 keeps of each message, in members that its types leave out. */
export interface GossipMemory {
  /** Messages while they are judged, and those to be told of; and what came in each heartbeat, refused ones too. */
  readonly mcache: {
    readonly msgs: ReadonlyMap<string, unknown>
    /** By heartbeat, the one under way first. */
    history: { readonly msgIdStr: string }[][]
    /** What to tell of in this heartbeat: of as many as `mcacheGossip` says, from the first on, and judged by then. */
    getGossipIDs(topics: Set<string>): Map<string, Uint8Array[]>
    /** It may be passed on. @returns null: it is not known */
    validate(id: string): object | null
  }
  /** Ids, so that a message that comes again is known; for `seenTTL`, oldest first. */
  readonly seenCache: { readonly entries: Map<string, unknown> }
  /** By peer what it has already; an entry stays when its last message goes. */
  readonly idontwants: Map<string, ReadonlyMap<string, unknown>>
  /** An id as it is written there. */
  readonly msgIdToStrFn: (id: Uint8Array) => string
  /** What became of each, for two minutes (its constant `TimeCacheDuration`). */
  readonly score: {
    readonly deliveryRecords: {
      readonly records: Map<string, unknown>
      readonly queue: { readonly length: number; shift(): { readonly msgId: string } | undefined }
    }
  }
}

/** What is counted of each peer, and for `retainScore` of one that has gone. */
export interface Scores {
  readonly peerStats: ReadonlyMap<string, { connected: boolean; readonly knownIPs: Set<string> }>
  /** Of a second ago at most: of one that was not admitted, too. */
  readonly scoreCache: { delete(id: string): unknown }
  addPeer(id: string): void
  removeIPsForPeer(id: string, ips: ReadonlySet<string>): void
}

/** Until when each peer is not grafted, nor may graft: kept of one that has gone, too. */
export interface Backoffs {
  readonly opts: { readonly pruneBackoff: number }
  doAddBackoff(id: string, topic: string, ms: number): void
}

/**
 * From now on no peer is left alone for longer than gossipsub itself leaves one alone, which is what honest ones ask for.
 * Whoever asks for years is in no mesh to begin with, and leaves as many names behind as it comes back under.
 */
export function boundBackoffs(pubsub: Backoffs): void {
  const add = pubsub.doAddBackoff.bind(pubsub)
  pubsub.doAddBackoff = (id, topic, ms) => add(id, topic, Math.min(ms, pubsub.opts.pruneBackoff))
}

/** From now on a peer that comes back has what was counted of it before: gossipsub begins anew, whatever it retained. */
export function keepCounts(scores: Scores): void {
  const begin = scores.addPeer.bind(scores)
  scores.addPeer = (id) => {
    // as it went it was admitted no longer, and what it says first, what it listens to, is said but once
    scores.scoreCache.delete(id)
    const counted = scores.peerStats.get(id)
    if (counted === undefined) return begin(id)
    counted.connected = true
    // it says anew where it is: from one address after the other they would add up
    scores.removeIPsForPeer(id, counted.knownIPs)
    counted.knownIPs.clear()
  }
}

/**
 * Forgets the oldest messages beyond so many. gossipsub bounds its memory of them by time alone, at more than half a
 * kilobyte for each that a peer makes up.
 */
export function forgetOldest(
  { mcache: { msgs, history }, seenCache: { entries }, idontwants, score }: GossipMemory,
  most: number,
): void {
  for (const [at, came] of history.entries()) history[at] = came.filter(({ msgIdStr }) => msgs.has(msgIdStr))
  for (const id of entries.keys()) {
    if (entries.size <= most) break
    // what is still told of, or judged, must be known: it would be taken for news, and then for refused
    if (!msgs.has(id)) entries.delete(id)
  }
  // said in a message that was worked off once its peer had gone
  for (const [peer, said] of idontwants) if (said.size === 0) idontwants.delete(peer)
  const { records, queue } = score.deliveryRecords
  while (queue.length > most) records.delete(queue.shift()?.msgId ?? '')
}

/** A message that comes again is looked at: gossipsub remembers it before anybody said what it is worth. */
export function forget(
  { seenCache, msgIdToStrFn }: Pick<GossipMemory, 'seenCache' | 'msgIdToStrFn'>,
  id: Uint8Array,
): void {
  seenCache.entries.delete(msgIdToStrFn(id))
}

/**
 * From now on a message that is judged in a later heartbeat than it came in is told of then. gossipsub has left it out by
 * then, and on a crowded host verdicts take up to a quarter of a heartbeat.
 */
export function tellOnceJudged({ mcache }: Pick<GossipMemory, 'mcache'>): void {
  const validate = mcache.validate.bind(mcache)
  mcache.validate = (id) => {
    const [now = [], ...before] = mcache.history
    for (const came of before) {
      const at = came.findIndex(({ msgIdStr }) => msgIdStr === id)
      if (at >= 0) now.push(...came.splice(at, 1))
    }
    return validate(id)
  }
}

/**
 * From now on a message is told of a heartbeat later. A seed tells a quarter of up to five hundred, and while the message is
 * on its way most of them would ask the origin for a copy of their own; a heartbeat later only those whom nobody gave one.
 */
export function tellLater({ mcache }: Pick<GossipMemory, 'mcache'>): void {
  const tell = mcache.getGossipIDs.bind(mcache)
  mcache.getGossipIDs = (topics) => {
    const { history } = mcache
    mcache.history = history.slice(1)
    try {
      return tell(topics)
    } finally {
      mcache.history = history
    }
  }
}
