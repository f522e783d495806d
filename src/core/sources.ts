/** Whom to ask for blocks: who stores the channel, who said it has the release, whom to leave alone for a while. */
import type { Limits } from '../limits.ts'
import type { Channel, PeerId, ReleaseId } from '../model/ids.ts'
import { matchesAny } from '../model/pattern.ts'
import { createMemory } from './rate.ts'
import type { AdmittedSession } from './session.ts'

/** Releases of which announcements are remembered: one may come before the envelope does. */
const MAX_PROMISED = 1_024
/** The longest a peer without the content is left alone; it announces when it has it. */
const MAX_AVOID_MS = 10_000

export interface Sources {
  promised(release: ReleaseId, peer: PeerId): void
  /** It said that it lacks something of the release: not again soon, and each time later. */
  lacks(release: ReleaseId, peer: PeerId, monoMs: number): void
  /** It gave wrong bytes: never again for this release. */
  lied(release: ReleaseId, peer: PeerId): void
  avoid(peer: PeerId, untilMonoMs: number): void
  asked(peer: PeerId, by: 1 | -1): void
  choose(
    want: Want,
    sessions: Iterable<AdmittedSession>,
    monoMs: number,
    random: () => number,
  ): PeerId | undefined
  forgetPeer(peer: PeerId): void
  forgetRelease(release: ReleaseId): void
}

export interface Want {
  readonly release: ReleaseId
  readonly channel: Channel
  /** Peers already asked for this very block. */
  readonly except: ReadonlySet<PeerId>
}

interface Known {
  readonly promised: Set<PeerId>
  readonly liars: Set<PeerId>
  readonly lacking: Map<PeerId, { untilMonoMs: number; delayMs: number }>
}

export function createSources(limits: Limits): Sources {
  const releases = new Map<ReleaseId, Known>()
  const order = createMemory<ReleaseId>(MAX_PROMISED)
  const avoided = new Map<PeerId, number>()
  const load = new Map<PeerId, number>()

  function of(release: ReleaseId): Known {
    let known = releases.get(release)
    if (known === undefined) {
      known = { promised: new Set(), liars: new Set(), lacking: new Map() }
      releases.set(release, known)
      order.add(release)
      if (releases.size > MAX_PROMISED)
        for (const id of releases.keys()) if (!order.has(id)) releases.delete(id)
    }
    return known
  }

  /** Lower is better: who announced it, seeds after others so that their load stays flat, then the rest. */
  function rank(known: Known | undefined, session: AdmittedSession): number {
    const promised = known?.promised.has(session.peer) === true
    return (promised ? 0 : 2) + (session.hello.submit === promised ? 1 : 0)
  }

  function usable(want: Want, known: Known | undefined, session: AdmittedSession, monoMs: number): boolean {
    const { peer, hello } = session
    if (want.except.has(peer) || !matchesAny(hello.patterns, want.channel)) return false
    if ((avoided.get(peer) ?? 0) > monoMs || known?.liars.has(peer)) return false
    return (known?.lacking.get(peer)?.untilMonoMs ?? 0) <= monoMs
  }

  return {
    promised(release, peer) {
      const known = of(release)
      known.promised.add(peer)
      known.lacking.delete(peer)
    },
    lacks(release, peer, monoMs) {
      const known = of(release)
      known.promised.delete(peer)
      const delayMs = Math.min(MAX_AVOID_MS, (known.lacking.get(peer)?.delayMs ?? limits.avoidPeerMs / 8) * 2)
      known.lacking.set(peer, { untilMonoMs: monoMs + delayMs, delayMs })
    },
    lied(release, peer) {
      const known = of(release)
      known.promised.delete(peer)
      known.liars.add(peer)
    },
    avoid: (peer, untilMonoMs) => void avoided.set(peer, untilMonoMs),
    asked: (peer, by) => void load.set(peer, Math.max(0, (load.get(peer) ?? 0) + by)),
    choose(want, sessions, monoMs, random) {
      const known = releases.get(want.release)
      let best: { rank: number; peers: PeerId[] } = { rank: Number.POSITIVE_INFINITY, peers: [] }
      for (const session of sessions) {
        if (!usable(want, known, session, monoMs)) continue
        const at = rank(known, session)
        if (at > best.rank) continue
        if (at < best.rank) best = { rank: at, peers: [] }
        // A busy better one is waited for: a worse one, such as a seed, would only take load it need not.
        const most = session.hello.submit ? limits.maxWantsPerSeed : limits.maxWantsPerPeer
        if ((load.get(session.peer) ?? 0) < most) best.peers.push(session.peer)
      }
      return best.peers.sort()[Math.floor(random() * best.peers.length)]
    },
    forgetPeer(peer) {
      avoided.delete(peer)
      load.delete(peer)
      for (const known of releases.values()) {
        known.promised.delete(peer)
        known.lacking.delete(peer)
      }
    },
    forgetRelease: (release) => void releases.delete(release),
  }
}
