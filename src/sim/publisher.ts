import type { Code } from '../errors.ts'
import type { PeerId } from '../model/ids.ts'
import type { PublishReply, PublishRequest } from '../model/messages.ts'
import type { TransportEvent } from '../runtime/ports.ts'
import type { Made } from './fleet.ts'
import { addressOf, type SimNetwork, type SimTransport } from './network.ts'

export type Outcome =
  | { readonly kind: 'acknowledged' }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'lost'; readonly code: Code }

/**
 * A publisher on the simulated network: submits one release to one seed over the publish protocol, as the tool
 * does, then leaves. It has no core and is never admitted.
 */
export class SimPublisher {
  readonly #network: SimNetwork
  readonly #peer: PeerId
  readonly #seed: PeerId
  readonly #made: Made
  readonly #done: (outcome: Outcome) => void
  #transport: SimTransport | undefined
  #request = 0
  readonly #toSend: PublishRequest[] = []

  constructor(network: SimNetwork, peer: PeerId, seed: PeerId, made: Made, done: (outcome: Outcome) => void) {
    this.#network = network
    this.#peer = peer
    this.#seed = seed
    this.#made = made
    this.#done = done
  }

  start(): void {
    this.#transport = this.#network.attach(this.#peer)
    void this.#transport.start((event) => this.#handle(event))
    this.#transport.perform({ kind: 'dial', address: addressOf(this.#seed) })
  }

  #handle(event: TransportEvent): void {
    switch (event.kind) {
      case 'connected':
        return this.#ask({ type: 'submit', envelope: this.#made.envelope })
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
    this.#ask(this.#toSend.shift() ?? { type: 'await', release: this.#made.id })
  }

  #queue(type: 'page' | 'block', digest: string): void {
    const bytes = this.#made.content.get(digest as never)
    if (bytes !== undefined) this.#toSend.push({ type, release: this.#made.id, bytes })
  }

  #ask(message: PublishRequest): void {
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
