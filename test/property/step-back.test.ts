import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sha256 } from '../../src/codec/digest.ts'
import type { Effect } from '../../src/core/effects.ts'
import type { ActivationOutcome, Event } from '../../src/core/events.ts'
import type { Digest, ReleaseId } from '../../src/model/ids.ts'
import { BenchNode } from '../unit/core/bench-node.ts'
import { gossip, make, PEER } from '../unit/core/fleet.ts'

const good = make({ clock: { alice: 1 } })
const bad = make({ clock: { alice: 2 }, text: 'b=1\n' })
const newer = make({ clock: { alice: 3 }, text: 'c=1\n' })
const byId = new Map([good, bad, newer].map((made) => [made.id, made]))
const peers = new Map([...byId.values()].flatMap(({ content }) => [...content]))

/** Attempts in a row that find no room; without `newer` no other comes. */
interface NoRoom {
  readonly back: number
  readonly newer?: number
  /** The first attempts that show `newer` find no process for its hooks. */
  readonly short?: number
}

/** What the core asks for happens here in any order, one after another; files show what was swapped in last. */
class Host {
  readonly node = new BenchNode()
  shown: ReleaseId | undefined
  /** Files went from `newer` to an older one. */
  fell = false
  readonly #blocks = new Map<Digest, Uint8Array>()
  readonly #pending: (() => readonly Effect[])[] = []
  #noRoom: NoRoom = { back: 0 }

  /** The first is last-known-good, and the second about to fail; a block of the first is lost, and a third comes. */
  constructor(noRoom: NoRoom) {
    this.node.peer(PEER, { submit: true })
    this.#take(this.node.start())
    this.#take(this.node.run(gossip(good)))
    this.settle(60)
    expect(this.shown).toBe(good.id)
    this.#noRoom = noRoom
    this.#take(this.node.run(gossip(bad, [bad.page, bad.block])))
    this.go(0)
    expect(active(this)).toBe(good.id)
    if (noRoom.newer !== undefined) this.#pending.push(() => this.node.run(gossip(newer)))
    this.#pending.push(() => {
      const digest = sha256(good.block)
      this.#blocks.delete(digest)
      return this.node.run({ kind: 'blockLost', digest })
    })
  }

  /** One thing of what is under way, or some time that goes by. */
  go(choice: number): void {
    const [next] = this.#pending.splice(choice % (this.#pending.length + 1), 1)
    this.#take(next?.() ?? this.#later(10_000))
  }

  settle(seconds: number): void {
    for (let second = 0; second < seconds; second += 1) {
      while (this.#pending.length > 0) this.go(0)
      this.#take(this.#later(1_000))
    }
  }

  #later(ms: number): readonly Effect[] {
    this.node.monoMs += ms
    return this.node.run({ kind: 'tick' })
  }

  #take(effects: readonly Effect[]): void {
    for (const effect of effects) {
      const happens = this.#happening(effect)
      if (happens !== undefined) this.#pending.push(() => this.node.run(happens()))
    }
  }

  #happening(effect: Effect): (() => Event) | undefined {
    if (effect.kind === 'persist')
      return () => {
        for (const write of effect.writes)
          if (write.kind === 'block') this.#blocks.set(write.digest, write.bytes)
        return { kind: 'persisted', ticket: effect.ticket }
      }
    if (effect.kind === 'read')
      return () => ({ kind: 'blockRead', digest: effect.digest, bytes: this.#blocks.get(effect.digest) })
    if (effect.kind === 'activate') {
      const { channel, release } = effect
      return () => ({ kind: 'activated', channel, release, outcome: this.#activate(release) })
    }
    if (effect.kind !== 'request' || effect.request.message.type !== 'want') return undefined
    const bytes = peers.get(effect.request.message.digest) as Uint8Array
    return () => ({
      kind: 'reply',
      id: effect.id,
      reply: { protocol: 'blocks', message: { type: 'block', bytes } },
    })
  }

  #activate(release: ReleaseId): ActivationOutcome {
    const digests = [...(byId.get(release)?.content.keys() ?? [])]
    if (digests.some((digest) => !this.#blocks.has(digest)))
      return { kind: 'failed', code: 'CONTENT_GONE', text: 'a block is gone' }
    const { back, newer: left = 0, short = 0 } = this.#noRoom
    if (release === good.id) this.#noRoom = { back: back - 1, newer: left, short }
    if (release === newer.id) this.#noRoom = { back, newer: left - 1, short }
    if ((release === good.id && back > 0) || (release === newer.id && left > 0))
      return { kind: 'failed', code: 'STORE_FULL', text: 'no room' }
    this.fell ||= this.shown === newer.id && release !== newer.id
    this.shown = release
    if (release === newer.id && short > 0) {
      this.#noRoom = { back, short: short - 1 }
      return { kind: 'failed', code: 'ACTIVATE_FAILED', text: 'no process', shown: true }
    }
    if (release !== bad.id) return { kind: 'healthy', changed: 1 }
    return { kind: 'unhealthy', code: 'ACTIVATE_UNHEALTHY', text: 'the check said no' }
  }
}

const orders = fc.array(fc.nat(7), { maxLength: 80 })
const active = ({ node }: Host) => node.view().channels[0]?.active?.id

test('whatever comes between, a node ends on what it goes back to where there is nothing newer that can be shown', () => {
  const never = fc.constantFrom({}, { newer: Number.POSITIVE_INFINITY })
  fc.assert(
    fc.property(orders, fc.nat(3), never, (choices, back, none) => {
      const host = new Host({ back, ...none })
      for (const choice of choices) host.go(choice)
      host.settle(120)
      expect([host.shown, active(host)]).toEqual([good.id, good.id])
    }),
    { numRuns: 200 },
  )
})

test('whatever comes between, a node ends on the newest where that can be shown at last', () => {
  fc.assert(
    fc.property(orders, fc.nat(3), fc.nat(3), (choices, back, left) => {
      const host = new Host({ back, newer: left })
      for (const choice of choices) host.go(choice)
      host.settle(120)
      expect([host.shown, active(host)]).toEqual([newer.id, newer.id])
    }),
    { numRuns: 200 },
  )
})

test('whatever comes between, files that show the newest stay with it while its hooks cannot be run', () => {
  fc.assert(
    fc.property(
      orders,
      fc.nat(3),
      fc.nat(2),
      fc.integer({ min: 1, max: 4 }),
      (choices, back, left, short) => {
        const host = new Host({ back, newer: left, short })
        for (const choice of choices) host.go(choice)
        host.settle(120)
        expect([host.shown, active(host), host.fell]).toEqual([newer.id, newer.id, false])
      },
    ),
    { numRuns: 200 },
  )
})
