/** Gossip of releases: bounded and cheap before anything is verified, one verdict for each message. */
import { sha256 } from '../codec/digest.ts'
import { decodeReleaseGossip, encodeReleaseGossip, type ReleaseGossip } from '../codec/gossip.ts'
import { type Code, isMeshError } from '../errors.ts'
import type { Digest, PeerId } from '../model/ids.ts'
import type { Checks } from './checks.ts'
import type { CoreConfig } from './config.ts'
import type { GossipVerdict } from './effects.ts'
import type { EventOf } from './events.ts'
import { type Attached, checkAttached } from './inline.ts'
import { ACCEPTED, type Heard, type Ingested, type Verdict } from './journey.ts'
import { LatestSet } from './latest.ts'
import { createBuckets } from './rate.ts'
import { readRelease } from './release-bytes.ts'
import type { Step } from './step.ts'

/** Off a topic, or over the bridge, where nobody waits for a verdict. */
export type Gossip = Omit<EventOf<'gossip'>, 'kind' | 'id'> & { readonly id?: string }

/** A message that may be ordered: what it holds is decoded and its content checked. */
export interface Announced {
  readonly envelope: Uint8Array
  readonly content: ReadonlyMap<Digest, Uint8Array> | undefined
  /** Signatures that its peer has paid for. */
  readonly paid: number
  /** More is attached than this node can judge: it must not vouch for it to others, and says the release alone. */
  readonly isUnjudged: boolean
}

export interface Announce {
  /** What was heard: refused, and the verdict is emitted. Else `conclude` must follow. */
  open(step: Step, event: Gossip): Announced | Heard
  /** With the verdict that order leads to. */
  conclude(step: Step, event: Gossip, announced: Announced, ingested: Ingested): Heard
  /** Bucket and memory of any topic's message; a verdict: refused, and it is emitted. */
  refuses(step: Step, event: Gossip): GossipVerdict | undefined
  verdict(step: Step, event: Gossip, verdict: GossipVerdict, urgent?: boolean): void
  /** With a new root what was rejected may be right. */
  forgetRejected(): void
  forgetPeer(peer: PeerId): void
}

export function createAnnounce(config: CoreConfig, checks: Checks): Announce {
  const { limits } = config
  // Bounded: what a peer said before it went is worked off after it.
  const messages = createBuckets<PeerId>(limits.gossipPerSecond, limits.gossipBurst, limits.maxKnownPeers)
  // By the exact bytes, and only what was rejected: a bad copy sent first must not mask the good one.
  const rejected = new LatestSet<Digest>(limits.maxRejectedDigests)

  function verdict(step: Step, event: Gossip, verdict: GossipVerdict, urgent = false): void {
    if (verdict === 'reject') rejected.add(sha256(event.bytes))
    const { id, from, topic } = event
    if (id === undefined) return
    step.emit({ kind: 'verdict', id, from, topic, verdict, ...(urgent && { urgent }) })
    step.emit({ kind: 'count', metric: 'gossip_verdicts', by: 1, label: verdict })
  }

  function refuse(step: Step, event: Gossip, as: GossipVerdict, code: Code, text: string): GossipVerdict {
    step.emit({ kind: 'note', level: as === 'reject' ? 'warn' : 'debug', code, text, peer: event.from })
    verdict(step, event, as)
    return as
  }

  function refuses(step: Step, event: Gossip): GossipVerdict | undefined {
    if (event.id !== undefined)
      step.emit({ kind: 'count', metric: 'gossip_received', by: 1, label: event.topic })
    if (!messages.take(event.from, step.now.monoMs))
      return refuse(
        step,
        event,
        'ignore',
        'LIMIT_RATE',
        'more gossip than a peer may send; the rest is ignored',
      )
    if (!rejected.has(sha256(event.bytes))) return undefined
    verdict(step, event, 'reject')
    return 'reject'
  }

  return {
    refuses,
    verdict,
    open(step, event) {
      const refused = refuses(step, event)
      if (refused !== undefined) return unread(refused)
      const message = decode(step, event)
      if (typeof message === 'string') return unread(message)
      const { envelope } = message
      const paid = checks.take(envelope, event.from, step.now.monoMs)
      if (typeof paid === 'string') {
        const text = 'more signatures to check than this node takes in a second'
        const blameless = paid !== 'of-peer'
        return { ...unread(refuse(step, event, 'ignore', 'LIMIT_RATE', text)), blameless }
      }
      step.emit({ kind: 'count', metric: 'verified', by: 1 })
      const content = contentOf(message, event.bytes.length)
      if (content.kind === 'wrong') return unread(refuse(step, event, 'reject', content.code, content.text))
      const isUnjudged = content.kind === 'unusable' && !content.isChecked
      if (content.kind === 'unusable') {
        const { code, text } = content
        step.emit({ kind: 'note', level: 'debug', code, text, peer: event.from })
      }
      return { envelope, content: content.kind === 'whole' ? content.content : undefined, paid, isUnjudged }
    },
    conclude(step, event, { envelope, paid, isUnjudged }, ingested) {
      if (ACCEPTED.has(ingested.verdict)) checks.accepted(event.from, paid, ingested, step.now.monoMs)
      const ownWord = isUnjudged && verdictOf(ingested) === 'accept'
      const led = ownWord ? 'ignore' : verdictOf(ingested)
      verdict(step, event, led)
      if (!ownWord) return heardOf(ingested, led)
      // Else whoever attaches too much to it would end a release here: what comes after it is a duplicate.
      const said = encodeReleaseGossip({ envelope, attached: [] })
      step.emit({ kind: 'publish', topic: 'releases', bytes: said })
      return { ...heardOf(ingested, led), said }
    },
    forgetRejected: () => rejected.clear(),
    forgetPeer: (peer) => messages.forget(peer),
  }

  function decode(step: Step, event: Gossip): ReleaseGossip | GossipVerdict {
    try {
      return decodeReleaseGossip(event.bytes, limits)
    } catch (error) {
      if (!isMeshError(error)) throw error
      const as = error.code === 'CODEC_MALFORMED' ? 'reject' : 'ignore'
      return refuse(step, event, as, error.code, error.message)
    }
  }

  function contentOf({ envelope, attached, isCut }: ReleaseGossip, bytes: number): Attached {
    if (isCut) {
      const text = `${bytes} bytes with content attached, at most ${limits.maxInlineBytes} are taken here (limits.maxInlineBytes)`
      return { kind: 'unusable', code: 'LIMIT_BYTES', text, isChecked: false }
    }
    if (attached.length === 0) return { kind: 'none' }
    const read = readRelease(envelope, limits)
    return read.kind === 'read' ? checkAttached(read.release, attached, limits) : { kind: 'none' }
  }
}

/** After these a further copy brings nothing; of those that are accepted, where they may not be relayed. */
const KNOWN: ReadonlySet<Verdict> = new Set([...ACCEPTED, 'DUPLICATE', 'TWIN_KNOWN', 'STALE', 'STALE_EPOCH'])
/** Not for this node as it is now. */
const NOT_NOW: ReadonlySet<Verdict> = new Set(['AHEAD', 'RATE', 'UNSUPPORTED'])

const unread = (verdict: GossipVerdict): Heard => ({ verdict, id: undefined, known: false })

/** What names no release proves nothing of one, and of a root that is not here anybody may speak: that is the sender's word. */
function heardOf({ verdict: ordered, release }: Ingested, verdict: GossipVerdict): Heard {
  const id = release?.id as string | undefined as Digest | undefined
  const notNow = id !== undefined && NOT_NOW.has(ordered)
  return { verdict, id, known: KNOWN.has(ordered), notNow, blameless: notNow && ordered !== 'AHEAD' }
}

/** *Reject* only what the message alone, or the root it names, proves wrong: else honest relays would be punished. */
export function verdictOf(ingested: Ingested): GossipVerdict {
  switch (ingested.verdict) {
    case 'NEW':
    case 'TWIN':
    case 'CONCURRENT':
      return ingested.relayable ? 'accept' : 'ignore'
    // Sync was faster than gossip, and brings no content: not passed on here, the message would end here for all beyond.
    case 'DUPLICATE':
      return ingested.fills && ingested.relayable ? 'accept' : 'ignore'
    case 'MALFORMED':
    case 'MISPLACED':
      return 'reject'
    case 'UNAUTHORISED':
      return ingested.provable ? 'reject' : 'ignore'
    default:
      return 'ignore'
  }
}
