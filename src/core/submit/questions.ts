/** What anyone who reaches a seed may ask, envelopes only: roots, headers, the state of a channel; and new roots. */
import { LIMITS, type Limits } from '../../limits.ts'
import type { Channel, PeerId } from '../../model/ids.ts'
import type { PublishReply, PublishRequest } from '../../model/messages.ts'
import { placeBefore } from '../../model/place.ts'
import { ADOPTION_CODES } from '../../trust/chain.ts'
import { epochOf } from '../../trust/epoch.ts'
import type { RequestId } from '../events.ts'
import { hostOf } from '../hosts.ts'
import type { Journey } from '../journey.ts'
import { type Bucket, createBucket } from '../rate.ts'
import { RootBudget } from '../roots/run.ts'
import type { Session } from '../session.ts'
import type { Step } from '../step.ts'
import { answer, type Refusal, refuse, unwritten } from './answers.ts'

/** Room for the map around the envelopes of a `state`. */
const STATE_OVERHEAD_BYTES = 1024

type Question = Extract<PublishRequest, { type: 'roots' | 'header' | 'state' | 'channels' | 'root' }>

interface Asked {
  readonly id: RequestId
  readonly peer: PeerId
  readonly session: Session
  readonly message: Question
}

/** A root that was handed in. */
interface Handed extends Pick<Asked, 'id' | 'peer'> {
  readonly version: number
  /** Known before: the answer, unless it cannot be written. */
  readonly old: Refusal | undefined
}

export class Questions {
  /** A list costs as much as hundreds of other answers. */
  readonly #lists: Bucket
  /** By address, as in admission: a root that nobody signed costs 20 ms to read. */
  readonly #rootBytes = new RootBudget()
  /** Until the root is on disk: a seed that dies must not have promised it. */
  #waiting: Handed[] = []

  constructor({ listsPerSecond, listsBurst }: Limits) {
    this.#lists = createBucket(listsPerSecond, listsBurst)
  }

  answer(step: Step, journey: Journey, { id, peer, session, message }: Asked): void {
    const { limits } = step.config
    switch (message.type) {
      case 'roots': {
        const version = message.since + 1
        // Whoever hands roots out asks which are here to stay.
        const root = journey.rootOnDisk(version) === 'yes' ? journey.rootEnvelope(version) : undefined
        answer(step, id, { type: 'root', ...(root === undefined ? {} : { root }), at: step.now.wallMs })
        break
      }
      case 'header': {
        const envelope = journey.envelope(message.release)
        answer(step, id, { type: 'header', ...(envelope === undefined ? {} : { envelope }) })
        break
      }
      case 'state':
        answer(step, id, stateOf(journey, message.channel, limits.maxPublishMessageBytes))
        break
      case 'channels':
        if (this.#lists.take(step.now.monoMs))
          answer(step, id, channelsOf(journey, message.after ?? '', limits))
        else {
          const text = 'too many lists of channels are asked for'
          refuse(step, id, peer, { code: 'LIMIT_RATE', text, retryAfterMs: 1_000 })
        }
        break
      case 'root': {
        const host = hostOf(session.address)
        if (this.#rootBytes.spend(host, message.root.length, step.now.monoMs, limits))
          return this.#takeRoot(step, journey, { id, peer }, message.root)
        const text = 'too many root bytes from this address in a minute'
        refuse(step, id, peer, { code: 'LIMIT_RATE', text, retryAfterMs: 60_000 })
      }
    }
  }

  /** Some write has ended, well or not. */
  onWritten(step: Step, journey: Journey): void {
    for (const handed of this.#waiting.splice(0)) this.#acknowledge(step, journey, handed)
  }

  #takeRoot(step: Step, journey: Journey, from: Pick<Asked, 'id' | 'peer'>, root: Uint8Array): void {
    const adoption = journey.adoptRoot(step, root, from.peer)
    const { version } = journey.root()
    if (adoption.kind === 'adopted')
      return this.#acknowledge(step, journey, { ...from, version, old: undefined })
    const refusal = { code: ADOPTION_CODES[adoption.kind], text: adoption.text }
    // It may have come a moment ago, by another way.
    if (adoption.kind === 'old') this.#acknowledge(step, journey, { ...from, version, old: refusal })
    else refuse(step, from.id, from.peer, refusal)
  }

  #acknowledge(step: Step, journey: Journey, handed: Handed): void {
    const { id, peer, version, old } = handed
    const onDisk = journey.rootOnDisk(version)
    if (onDisk === 'writing') {
      if (this.#waiting.length < step.config.limits.maxAwaits) this.#waiting.push(handed)
      else
        refuse(step, id, peer, {
          code: 'LIMIT_RATE',
          text: 'too many wait for this root',
          retryAfterMs: 1_000,
        })
    } else if (onDisk !== 'yes') refuse(step, id, peer, unwritten(onDisk))
    else if (old !== undefined) refuse(step, id, peer, old)
    else answer(step, id, { type: 'noted' })
  }
}

/** The target's envelope first, then those of the winning place and of the heads, as many as fit. */
function stateOf(journey: Journey, channel: Channel, maxBytes: number): PublishReply {
  const facts = journey.channel(channel)
  const rootVersion = journey.root().version
  if (facts === undefined) {
    const top = placeBefore(epochOf(journey.root(), channel))
    return { type: 'state', rootVersion, top, held: false, envelopes: [], whole: false }
  }
  const { floor, held, target, heads } = facts
  const envelopes: Uint8Array[] = []
  let left = maxBytes - STATE_OVERHEAD_BYTES
  const ids = new Set([
    ...(target === undefined ? [] : [target]),
    ...floor.ids,
    ...heads.map((head) => head.id),
  ])
  for (const id of ids) {
    const envelope = journey.envelope(id)
    if (envelope === undefined || envelope.length > left) continue
    left -= envelope.length
    envelopes.push(envelope)
  }
  const whole = target !== undefined && journey.isWhole(target)
  const named = target === undefined ? {} : { target }
  return { type: 'state', rootVersion, top: floor.top, held, envelopes, ...named, whole }
}

/** Channels that have a release in this epoch or show one of an earlier; names alone, for their states are asked for one by one. */
function channelsOf(journey: Journey, after: string, limits: Limits): PublishReply {
  // Whoever asks reads no more than is built in, however many this seed would name.
  const most = Math.min(limits.maxListed, LIMITS.maxListed)
  const names = [...journey.channels()]
    .filter(({ channel, floor, active }) => channel > after && (floor.ids.length > 0 || active !== undefined))
    .map(({ channel }) => channel)
    .sort()
  return { type: 'channels', channels: names.slice(0, most), more: names.length > most }
}
