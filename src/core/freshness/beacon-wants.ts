/** Fetching beacon pages: from neighbours first and a seed last, only those of own channels, only when changed. */
import type { Channel, Digest, PeerId } from '../../model/ids.ts'
import type { AnyReply } from '../../model/messages.ts'
import type { RequestId } from '../events.ts'
import type { Journey } from '../journey.ts'
import { storesChannel } from '../session.ts'
import type { Step } from '../step.ts'

/** Spread over so long that a few nodes get the page from a seed and the others from them. */
const SPREAD_MS = 2_000
const NEIGHBOURS_FIRST = 2
/** Of a round without any seed to ask. */
const NEIGHBOURS_ALONE = 8
const MAX_AT_ONCE = 4
/** Nobody had it: the beacon may be ahead of its page by a moment, or the seed is out of reach. */
const RETRY_MS = 5_000

export interface MissingPage {
  readonly digest: Digest
  /** An own one that stands there, as far as is known. */
  readonly channel: Channel | undefined
}

interface Want {
  /** Own channels of that page: who stores one of them wants it, too. */
  readonly channels: readonly Channel[]
  readonly tried: Set<PeerId>
  /** How often nobody answered in time. */
  late: number
  atMonoMs: number
  /** It was looked whether the page can be made here. */
  looked: boolean
  asked: { readonly id: RequestId; readonly peer: PeerId } | undefined
}

export class BeaconWants {
  readonly #wants = new Map<Digest, Want>()

  /** Wants these pages, and no others any more. */
  want(step: Step, missing: readonly MissingPage[]): void {
    const byDigest = Map.groupBy(missing, ({ digest }) => digest)
    for (const [digest, { asked }] of this.#wants)
      if (!byDigest.has(digest) && asked === undefined) this.#wants.delete(digest)
    for (const [digest, named] of byDigest) {
      if (this.#wants.has(digest)) continue
      const atMonoMs = step.now.monoMs + step.config.random() * SPREAD_MS
      const channels = named.flatMap(({ channel }) => channel ?? [])
      const want = { channels, tried: new Set<PeerId>(), late: 0, atMonoMs, looked: false, asked: undefined }
      this.#wants.set(digest, want)
    }
  }

  /** What is due for the first time, once each. */
  newlyDue(monoMs: number): Digest[] {
    const due: Digest[] = []
    for (const [digest, want] of this.#wants) {
      if (want.looked || monoMs < want.atMonoMs) continue
      want.looked = true
      due.push(digest)
    }
    return due
  }

  /** Asks for what is due. */
  pump(step: Step, journey: Journey): void {
    let out = 0
    for (const { asked } of this.#wants.values()) if (asked !== undefined) out += 1
    for (const [digest, want] of this.#wants) {
      if (want.asked !== undefined) continue
      if (step.now.monoMs >= want.atMonoMs && out < MAX_AT_ONCE) {
        if (this.#ask(step, journey, digest, want)) out += 1
      }
      if (want.asked === undefined && want.atMonoMs > step.now.monoMs) step.wakeAt(want.atMonoMs)
    }
  }

  /** The answer to a request of ours; `bytes` is what came, unchecked. Undefined: not ours. */
  take(
    id: RequestId,
    reply: AnyReply | undefined,
  ): { digest: Digest; peer: PeerId; bytes?: Uint8Array } | undefined {
    for (const [digest, want] of this.#wants) {
      if (want.asked?.id !== id) continue
      const { peer } = want.asked
      want.asked = undefined
      if (reply === undefined) want.late += 1
      const message = reply?.protocol === 'blocks' ? reply.message : undefined
      return message?.type === 'block' ? { digest, peer, bytes: message.bytes } : { digest, peer }
    }
    return undefined
  }

  done(digest: Digest): void {
    this.#wants.delete(digest)
  }

  #ask(step: Step, journey: Journey, digest: Digest, want: Want): boolean {
    const peer = choose(journey, want, step.config.random)
    if (peer === undefined) {
      want.tried.clear()
      want.atMonoMs = step.now.monoMs + RETRY_MS
      return false
    }
    want.tried.add(peer)
    const id = step.nextRequest()
    want.asked = { id, peer }
    const request = { protocol: 'blocks', message: { type: 'want', digest } } as const
    const { blockSilenceMs, blockDeadlineMs } = step.config.limits
    // On a slow link, or one that a large release fills, each answer is late: the next may take twice as long.
    const timeoutMs = Math.min(blockSilenceMs * 2 ** want.late, blockDeadlineMs)
    step.emit({ kind: 'request', id, peer, request, timeoutMs })
    return true
  }
}

/**
 * A random neighbour not asked yet, twice; then a random seed. Most nodes of a large fleet are linked to none, and where channels
 * are many a neighbour has few of the pages: of these each asks more neighbours, and first who stores what it does of this page.
 */
function choose(journey: Journey, { tried, channels }: Want, random: () => number): PeerId | undefined {
  const admitted = [...journey.admitted()].sort((a, b) => (a.peer < b.peer ? -1 : 1))
  const most = admitted.some(({ hello }) => hello.submit) ? NEIGHBOURS_FIRST : NEIGHBOURS_ALONE
  const left = admitted.filter(({ peer }) => !tried.has(peer))
  const neighbours = tried.size < most ? left.filter(({ hello }) => !hello.submit) : []
  const likely = neighbours.filter(({ hello }) =>
    channels.some((channel) => storesChannel(hello.patterns, channel)),
  )
  const seeds = left.filter(({ hello }) => hello.submit)
  const from = [likely, neighbours].find(({ length }) => length > 0) ?? seeds
  return from[Math.floor(random() * from.length)]?.peer
}
