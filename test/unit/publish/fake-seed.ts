/** A seed in memory: what it holds, what it was sent, and how it answers. */
import { sha256 } from '../../../src/codec/digest.ts'
import { decodeEnvelope } from '../../../src/codec/envelope.ts'
import { decodeHeader, decodeHeaderCore } from '../../../src/codec/header.ts'
import { MeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, Digest, PeerId } from '../../../src/model/ids.ts'
import type { PublishReply, PublishRequest } from '../../../src/model/messages.ts'
import { placeBefore } from '../../../src/model/place.ts'
import { noMemory } from '../../../src/publish/counter.ts'
import type { PublishOptions } from '../../../src/publish/publish.ts'
import type { Seed } from '../../../src/publish/seeds.ts'
import { keySigner } from '../../../src/publish/signer.ts'
import { CHANNEL, type Made, PUBLISHER_KEYS, ROOT, WALL_MS } from '../core/fleet.ts'

export const ALICE = PUBLISHER_KEYS.alice as NonNullable<(typeof PUBLISHER_KEYS)[string]>

/** To publish what was made, at this seed. */
export const publishing = (
  made: Made,
  seed: FakeSeed,
  change: Partial<PublishOptions> = {},
): PublishOptions => ({
  channel: CHANNEL,
  content: {
    pages: made.release.header.pages,
    files: 1,
    bytes: made.block.length,
    read: async (digest) => made.content.get(digest),
  },
  root: ROOT,
  seeds: [seed],
  signers: [keySigner(ALICE)],
  memory: noMemory,
  publisher: undefined,
  message: '',
  expires: undefined,
  expect: undefined,
  checkName: true,
  again: false,
  until: 'submitted',
  limits: LIMITS,
  wallMs: () => WALL_MS,
  confirm: async () => true,
  ...change,
})

export class FakeSeed implements Seed {
  readonly peer: PeerId
  readonly asked: PublishRequest['type'][] = []
  /** Everything it was sent or holds. */
  readonly blocks = new Set<Digest>()
  /** Envelopes it tells of, the target first. */
  envelopes: Uint8Array[] = []
  whole = true
  channels: Channel[] = []
  roots = new Map<number, Uint8Array>()
  rootVersion = 1
  /** Answers taken first, by kind of request. */
  readonly next = new Map<PublishRequest['type'], (PublishReply | Error)[]>()
  submitted: Uint8Array | undefined
  /** Its connection has ended: nothing gets through any more. */
  isGone = false
  need: { pages: readonly Digest[]; blocks: readonly Digest[] } = { pages: [], blocks: [] }

  constructor(name: string) {
    this.peer = `12D3KooW${name}` as PeerId
  }

  async close(): Promise<void> {}

  async ask(request: PublishRequest): Promise<PublishReply> {
    if (this.isGone) throw new MeshError('NET_UNREACHABLE', `${this.peer}: the connection is gone`)
    this.asked.push(request.type)
    const scripted = this.next.get(request.type)?.shift()
    if (scripted instanceof Error) throw scripted
    return scripted ?? this.#answer(request)
  }

  readonly askInOrder: Seed['askInOrder'] = async (requests, _timeoutMs, onReply) => {
    for await (const request of requests) onReply(await this.ask(request), request)
  }

  #answer(request: PublishRequest): PublishReply {
    switch (request.type) {
      case 'state': {
        const [first] = this.envelopes
        const target = first === undefined ? undefined : idOf(first)
        const named = target === undefined ? {} : { target }
        const { envelopes, whole, rootVersion } = this
        return { type: 'state', rootVersion, top: placeBefore(1), held: false, envelopes, ...named, whole }
      }
      case 'submit':
        this.submitted = request.envelope
        return this.#lacking()
      case 'page':
      case 'block':
        this.blocks.add(sha256(request.bytes))
        return this.#lacking()
      case 'await':
        return { type: 'done', verdict: 'NEW', acknowledgedBy: [this.peer] }
      case 'channels':
        return { type: 'channels', channels: this.channels, more: false }
      case 'roots': {
        const root = this.roots.get(request.since + 1)
        return { type: 'root', ...(root === undefined ? {} : { root }) }
      }
      case 'root':
        this.roots.set(this.roots.size + 1, request.root)
        return { type: 'noted' }
      default:
        return { type: 'noted' }
    }
  }

  /** Pages first, then blocks, one digest at a time: every `need` is followed up. */
  #lacking(): PublishReply {
    const page = this.need.pages.find((digest) => !this.blocks.has(digest))
    if (page !== undefined) return { type: 'need', pages: [page], blocks: [] }
    const block = this.need.blocks.find((digest) => !this.blocks.has(digest))
    return { type: 'need', pages: [], blocks: block === undefined ? [] : [block] }
  }
}

/** Of a seed that nothing is uploaded to. */
export const noUpload: Seed['askInOrder'] = async () => {}

export const idOf = (envelope: Uint8Array) =>
  decodeHeaderCore(decodeEnvelope(envelope, LIMITS.maxEnvelopeBytes, LIMITS).payload, LIMITS).id

export const headerOf = (envelope: Uint8Array | undefined) => {
  if (envelope === undefined) throw new Error('nothing was submitted')
  return decodeHeader(decodeEnvelope(envelope, LIMITS.maxEnvelopeBytes, LIMITS).payload, LIMITS).header
}
