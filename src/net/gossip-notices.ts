/** IDONTWANT: what gossipsub says to all its neighbours in the mesh of each long message that is news, so that they do not send it. */

/** In a heartbeat, to each neighbour: as many as it notes of one peer (`idontwantMaxMessages`). More are read, and nothing else. */
export const MAX_NOTICES = 512

/** What we use of gossipsub 17.1.1, in a member that its types leave out. */
export interface GossipNotices {
  /** Before anybody has looked into the message. */
  sendIDontWants(id: Uint8Array, topic: string, source: string): void
}

/**
 * From now on no more are said than neighbours note. Three peers that send what is worth nothing, each as fast as it is read, had
 * an honest node say more than its neighbours read of it, and what it had to tell waited behind. Of one peer's messages no more
 * are said than are left for others: who sends least is served best.
 * @returns to be called at each heartbeat
 */
export function sayNoMoreThanNoted(pubsub: GossipNotices): () => void {
  const say = pubsub.sendIDontWants.bind(pubsub)
  const saidOf = new Map<string, number>()
  let left = MAX_NOTICES
  pubsub.sendIDontWants = (id, topic, source) => {
    const said = saidOf.get(source) ?? 0
    if (said >= left) return
    saidOf.set(source, said + 1)
    left -= 1
    say(id, topic, source)
  }
  return () => {
    saidOf.clear()
    left = MAX_NOTICES
  }
}
