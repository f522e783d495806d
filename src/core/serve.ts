/** What peers get from us: a block that is durable here, and belief in what they say they have. */
import type { Digest, PeerId, ReleaseId } from '../model/ids.ts'
import type { BlocksReply } from '../model/messages.ts'
import type { EventOf } from './events.ts'
import type { Journey } from './journey.ts'
import type { Step } from './step.ts'

export interface ServeFrom {
  /** A peer says that it holds the whole release. */
  promised(release: ReleaseId, peer: PeerId): void
  /** Pages of beacons are asked for as blocks, and live in memory. */
  beaconPage(digest: Digest): Uint8Array | undefined
}

export function serve(step: Step, journey: Journey, event: EventOf<'request'>, from: ServeFrom): boolean {
  if (event.request.protocol !== 'blocks') return false
  const { message } = event.request
  const answer = (reply: BlocksReply) =>
    step.emit({ kind: 'reply', id: event.id, reply: { protocol: 'blocks', message: reply } })
  if (journey.session(event.peer)?.hello === undefined) {
    answer({ type: 'refused', code: 'ADMIT_REFUSED', text: 'blocks are for admitted peers' })
    return true
  }
  if (message.type === 'want') {
    const page = from.beaconPage(message.digest)
    if (page !== undefined) answer({ type: 'block', bytes: page })
    else if (journey.hasBlock(message.digest))
      step.emit({ kind: 'serveBlock', id: event.id, digest: message.digest })
    else answer({ type: 'gone' })
    return true
  }
  if (message.whole) from.promised(message.release, event.peer)
  answer({ type: 'noted' })
  return true
}
