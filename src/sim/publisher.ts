import type { Code } from '../errors.ts'
import type { PeerId } from '../model/ids.ts'
import type { PublishReply, PublishRequest } from '../model/messages.ts'
import type { TransportEvent } from '../runtime/ports.ts'
import type { Made } from './fleet.ts'
import { addressOf, type SimNetwork } from './network.ts'
import type { VirtualTime } from './time.ts'
import type { SimTransport } from './transport.ts'

/** A seed that is busy is asked again this often, as by the tool. */
const BUSY_TRIES = 6

export type Outcome =
  | { readonly kind: 'acknowledged' }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'lost'; readonly code: Code }

/**
 * A publisher on the simulated network: hands new roots to one seed, then submits a release there, over the publish
 * protocol as the tool does, then leaves. It has no core and is never admitted.
 */
export class SimPublisher {
  readonly #network: SimNetwork
  readonly #time: VirtualTime
  readonly #peer: PeerId
  readonly #seed: PeerId
  readonly #made: Made | undefined
  readonly #done: (outcome: Outcome) => void
  #transport: SimTransport | undefined
  #request = 0
  #asked: PublishRequest | undefined
  #busy = 0
  readonly #toSend: PublishRequest[]

  /** @param what roots in the order of their versions, those the seed knows included, and a release if any */
  constructor(
    { network, time }: { readonly network: SimNetwork; readonly time: VirtualTime },
    ends: { readonly self: PeerId; readonly seed: PeerId },
    what: { readonly roots: readonly Uint8Array[]; readonly made?: Made },
    done: (outcome: Outcome) => void,
  ) {
    this.#network = network
    this.#time = time
    this.#peer = ends.self
    this.#seed = ends.seed
    this.#made = what.made
    this.#done = done
    this.#toSend = what.roots.map((root) => ({ type: 'root', root }))
    if (what.made !== undefined) this.#toSend.push({ type: 'submit', envelope: what.made.envelope })
  }

  start(): void {
    this.#transport = this.#network.attach(this.#peer)
    void this.#transport.start((event) => this.#handle(event))
    this.#transport.perform({ kind: 'dial', address: addressOf(this.#seed) })
  }

  #handle(event: TransportEvent): void {
    switch (event.kind) {
      case 'connected':
        return this.#next()
      case 'dialFailed':
        return this.#end({ kind: 'lost', code: event.code })
      case 'disconnected':
        return this.#end({ kind: 'lost', code: 'NET_UNREACHABLE' })
      case 'requestFailed':
        return this.#end({ kind: 'lost', code: event.code })
      case 'reply':
        return event.reply.protocol === 'publish' ? this.#take(event.reply.message) : undefined
      default:
        return
    }
  }

  #take(reply: PublishReply): void {
    switch (reply.type) {
      case 'refused':
        if (reply.code === 'TRUST_ROOT_OLD') break
        if (this.#comesBack(reply)) return
        return this.#end({ kind: 'refused', code: reply.code })
      case 'done':
        return this.#end({ kind: 'acknowledged' })
      case 'need':
        for (const digest of reply.pages) this.#queue('page', digest)
        for (const digest of reply.blocks) this.#queue('block', digest)
        break
      default:
        break
    }
    this.#next()
  }

  #comesBack({ code, retryAfterMs }: Extract<PublishReply, { type: 'refused' }>): boolean {
    const asked = this.#asked
    if (code !== 'LIMIT_RATE' || retryAfterMs === undefined || asked?.type !== 'submit') return false
    this.#busy += 1
    if (this.#busy === BUSY_TRIES) return false
    this.#time.after(retryAfterMs, () => this.#ask(asked))
    return true
  }

  #queue(type: 'page' | 'block', digest: string): void {
    const bytes = this.#made?.content.get(digest as never)
    if (bytes !== undefined && this.#made !== undefined)
      this.#toSend.push({ type, release: this.#made.id, bytes })
  }

  #next(): void {
    const message = this.#toSend.shift()
    if (message !== undefined) this.#ask(message)
    else if (this.#made === undefined) this.#end({ kind: 'acknowledged' })
    else this.#ask({ type: 'await', release: this.#made.id })
  }

  #ask(message: PublishRequest): void {
    this.#asked = message
    const request = { protocol: 'publish', message } as const
    this.#transport?.perform({
      kind: 'request',
      id: ++this.#request,
      peer: this.#seed,
      request,
      timeoutMs: 30_000,
    })
  }

  #end(outcome: Outcome): void {
    if (this.#transport === undefined) return
    this.#transport = undefined
    this.#network.detach(this.#peer)
    this.#done(outcome)
  }
}
