/** Admitted peers that announce everything and give nothing, many of them: they keep no block from whoever wants it. */
import { expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Event } from '../../../src/core/events.ts'
import { Entrants } from '../../../src/core/fetch/entry.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest, PeerId } from '../../../src/model/ids.ts'
import type { BlocksReply } from '../../../src/model/messages.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import { CHANNEL, gossip, type Made, make, SELF } from './fleet.ts'

const SEED = '12D3KooWseed' as PeerId
const HONEST = '12D3KooWhonest' as PeerId
const SILENT = Array.from({ length: 8 }, (_, n) => `12D3KooWsilent${n}` as PeerId)

/** A node that asks for what it lacks; it looks every 50 ms, and who is asked and never answers costs it the deadline. */
class Wanting {
  readonly node = new BenchNode()
  readonly open = new Map<
    number,
    { readonly peer: PeerId; readonly untilMs: number; readonly digest?: Digest }
  >()
  readonly asked: { readonly atMs: number; readonly peer: PeerId; readonly failed: boolean }[] = []
  readonly answers = new Map<PeerId, (type: string, digest: Digest | undefined) => BlocksReply | undefined>()
  #made: Made

  constructor(made: Made, ...peers: PeerId[]) {
    this.#made = made
    this.node.start()
    for (const peer of peers) this.node.peer(peer, { submit: peer === SEED })
  }

  /** The release by gossip, then that these have it. */
  hears(...holders: PeerId[]): void {
    this.run(gossip(this.#made))
    for (const peer of holders) this.says(peer)
  }

  says(peer: PeerId): void {
    const message = { type: 'holds', release: this.#made.id, channel: CHANNEL, whole: true } as const
    this.run({ kind: 'request', id: 1, peer, request: { protocol: 'blocks', message } })
  }

  run(event: Event): void {
    const effects = this.node.run(event)
    for (const { ticket } of ofKind(effects, 'persist')) this.run({ kind: 'persisted', ticket })
    for (const { id, peer, request, timeoutMs } of ofKind(effects, 'request')) {
      if (request.protocol !== 'blocks' || request.message.type === 'holds') continue
      const { message } = request
      const digest = message.type === 'want' ? message.digest : undefined
      const atMs = this.node.monoMs
      if (message.type === 'want') this.asked.push({ atMs, peer, failed: message.failed === true })
      this.open.set(id, { peer, untilMs: atMs + timeoutMs, ...(digest && { digest }) })
      const reply = this.answers.get(peer)?.(message.type, digest)
      if (reply === undefined) continue
      this.open.delete(id)
      this.run({ kind: 'reply', id, reply: { protocol: 'blocks', message: reply } })
    }
  }

  until(ms: number): void {
    while (this.node.monoMs < ms) {
      this.node.monoMs += 50
      this.run({ kind: 'tick' })
      for (const [id, { untilMs }] of this.open)
        if (untilMs <= this.node.monoMs && this.open.delete(id))
          this.run({ kind: 'requestFailed', id, code: 'NET_TIMEOUT' })
    }
  }

  firstAsked(peer: PeerId): number {
    return this.asked.find((one) => one.peer === peer)?.atMs ?? Number.POSITIVE_INFINITY
  }
}

/** Which peer brings a block in hangs on its digest: made so that it is none of ours to ask a seed for. */
const notOurs = (...others: PeerId[]): Made => {
  for (let n = 0; ; n += 1) {
    const made = make({ clock: { alice: 1 }, text: `a=${n}\n` })
    if ([...made.content.keys()].every((digest) => new Entrants([SELF, ...others]).fetcher(digest) !== SELF))
      return made
  }
}
const made = notOurs(...SILENT)

it('a seed is asked soon, however many announce a block and are silent', () => {
  const wanting = new Wanting(made, ...SILENT, SEED)
  wanting.hears(...SILENT)
  wanting.until(3_500)
  expect(wanting.asked.filter(({ peer }) => peer !== SEED)).toHaveLength(4)
  expect(wanting.firstAsked(SEED)).toBeLessThanOrEqual(3_000)
})

it('so is a neighbour that announced nothing and has it, where no seed is linked', () => {
  const wanting = new Wanting(made, ...SILENT, HONEST)
  wanting.answers.set(HONEST, (type, digest) =>
    type === 'want'
      ? { type: 'block', bytes: made.content.get(digest as Digest) as Uint8Array }
      : { type: 'noted', whole: true },
  )
  wanting.hears(...SILENT)
  wanting.until(LIMITS.blockDeadlineMs)
  expect(wanting.firstAsked(HONEST)).toBeLessThan(LIMITS.blockDeadlineMs / 2)
  expect(wanting.node.view().channels[0]).toMatchObject({ fetch: undefined })
})

it('a block that comes after its place was given to another is taken all the same', () => {
  const wanting = new Wanting(made, ...SILENT)
  wanting.hears(...SILENT)
  wanting.until(LIMITS.blockDeadlineMs - 100)
  expect(new Set(wanting.asked.map(({ peer }) => peer)).size).toBeGreaterThan(4)
  const [[id, first] = []] = wanting.open
  expect(first?.digest).toBe(sha256(made.page))
  const message = { type: 'block', bytes: made.page } as const
  wanting.run({ kind: 'reply', id: id as number, reply: { protocol: 'blocks', message } })
  expect(wanting.node.view().channels[0]?.fetch).toMatchObject({ have: 1, blocks: 2 })
})

it('a seed that sends on to one that spoiled a block is told so at once', () => {
  const [liar] = SILENT as [PeerId]
  const wanting = new Wanting(made, liar, SEED)
  wanting.answers.set(liar, () => ({ type: 'block', bytes: Uint8Array.of(1) }))
  wanting.answers.set(SEED, () => ({ type: 'redirect', peer: liar, addresses: [] }))
  wanting.hears(liar)
  wanting.until(2_000)
  const [first, second] = wanting.asked.filter(({ peer }) => peer === SEED)
  expect(first).toMatchObject({ failed: false })
  expect(second).toEqual({ atMs: first?.atMs, peer: SEED, failed: true })
})
