/** Signature checks are bounded for those who submit, too, and a part of them is left to others. */
import { expect, test } from 'vitest'
import { decodeEnvelope, encodeEnvelope } from '../../../src/codec/envelope.ts'
import { Checks } from '../../../src/core/checks.ts'
import type { Event } from '../../../src/core/events.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { KeyId, PeerId } from '../../../src/model/ids.ts'
import { gossip, make, OTHER, PEER, withLimits } from '../core/fleet.ts'
import { refusal, SubmitNode, writes } from './submit-node.ts'

/** As many signatures as an envelope may have: each may name a key and cost a check. */
function forged(counter: number): Uint8Array {
  const { envelope } = make({ clock: { alice: counter } })
  const read = decodeEnvelope(envelope, LIMITS.maxEnvelopeBytes, LIMITS)
  const signatures = Array.from({ length: 16 }, (_, at) => ({
    keyId: at.toString(16).repeat(64) as KeyId,
    sig: new Uint8Array(64),
  }))
  return encodeEnvelope({ ...read, signatures })
}

const stranger = (at: number): PeerId => `12D3KooWstranger${at}` as PeerId

/** Checks of a second for eight: of one address 16 at once, of all strangers 64. */
function flooded(addresses: number): SubmitNode {
  const node = new SubmitNode({ limits: withLimits({ verifiesPerSecond: 8, verifiesBurst: 128 }) })
  for (let at = 0; at < addresses; at += 1) {
    node.connect(stranger(at), { host: `10.1.0.${at}` })
    const said = [1, 2].map((counter) =>
      refusal(node.ask({ type: 'submit', envelope: forged(counter) }, stranger(at))),
    )
    expect(said).toEqual(['TRUST_UNAUTHORISED', 'LIMIT_RATE'])
  }
  return node
}

test('Forged submissions of one address are soon not looked at, and a publisher at another is heard', () => {
  const node = flooded(1)
  expect(writes(node.ask({ type: 'submit', envelope: make({ clock: { alice: 1 } }).envelope }))).toEqual([
    'lease!',
  ])
  node.monoMs += 16_000
  expect(refusal(node.ask({ type: 'submit', envelope: forged(3) }, stranger(0)))).toBe('TRUST_UNAUTHORISED')
})

test('Strangers take half of the checks at most, whatever their number: nodes go on', () => {
  const node = flooded(4)
  const made = make({ clock: { alice: 1 } })
  expect(refusal(node.ask({ type: 'submit', envelope: made.envelope }))).toBe('LIMIT_RATE')
  expect(writes(node.handle(gossip(made)))).toEqual(['envelope floor channel!'])
})

test('A peer that asks for leases of forged releases is soon not heard', () => {
  const node = new SubmitNode({ limits: withLimits({ verifiesPerSecond: 8, verifiesBurst: 128 }) })
  node.connect(PEER, { seed: true })
  const said = [1, 2].map((counter) => refusal(node.ask({ type: 'lease', envelope: forged(counter) }, PEER)))
  expect(said).toEqual(['TRUST_UNAUTHORISED', 'LIMIT_RATE'])
  expect(refusal(node.ask({ type: 'roots', since: 1 }, PEER))).toBe('root')
})

test('Gossip is counted by its signatures', () => {
  const node = new SubmitNode({ limits: withLimits({ verifiesPerSecond: 0, verifiesBurst: 20 }) })
  node.handle(gossip({ envelope: forged(1) }))
  const made = (counter: number) => gossip(make({ clock: { alice: counter } }), [], OTHER)
  const ordered = [2, 3, 4, 5, 6].map((counter) => writes(node.handle(made(counter))).length)
  expect(ordered).toEqual([1, 1, 1, 1, 0])
})

const by = (publisher: string, counter: number) =>
  gossip(make({ clock: { [publisher]: counter }, publisher }))

/** What a peer says, and which of it comes to something: 32 checks for all, of which one peer has 16 for nothing. */
function said(messages: readonly Event[]): number[] {
  const node = new SubmitNode({ limits: withLimits({ verifiesPerSecond: 0, verifiesBurst: 32 }) })
  return messages.map((message) => writes(node.handle(message)).length)
}

test('One peer that says forgeries takes its own part of the checks, and leaves the others theirs', () => {
  const forgeries = [1, 2, 3].map((counter) => gossip({ envelope: forged(counter) }))
  const made = make({ clock: { alice: 4 } })
  expect(said([...forgeries, gossip(made), gossip(made, [], OTHER)])).toEqual([0, 0, 0, 0, 1])
})

test('What a node says that is new costs it nothing of its part, so that one neighbour is enough', () => {
  const releases = Array.from({ length: 32 }, (_, at) => by(at < 16 ? 'alice' : 'bob', at + 1))
  expect(said(releases)).toEqual(releases.map(() => 1))
})

test('What one publisher signs takes half of all checks, and the rest is for others', () => {
  const flood = Array.from({ length: 20 }, (_, at) => by('alice', at + 1))
  expect(said([...flood, by('bob', 30)])).toEqual([...Array(16).fill(1), ...Array(4).fill(0), 1])
})

test('What others forge in its name takes nothing of that half', () => {
  const forgery = gossip({ envelope: forged(1) }, [], OTHER)
  const flood = Array.from({ length: 16 }, (_, at) => by('alice', at + 2))
  expect(said([forgery, ...flood])).toEqual([0, ...flood.map(() => 1)])
})

test('A publisher alone goes on at the rate of all checks, whatever it had of them', () => {
  const checks = new Checks(withLimits({ verifiesPerSecond: 4, verifiesBurst: 32 }))
  const take = (monoMs: number) => {
    const { envelope, release } = make({ clock: { alice: 1 } })
    const paid = checks.take(envelope, PEER, monoMs)
    if (typeof paid === 'number') checks.accepted(PEER, paid, { release }, monoMs)
    return paid
  }
  expect(Array.from({ length: 17 }, () => take(0)).slice(-2)).toEqual([1, 'of-publisher'])
  expect([take(249), take(250)]).toEqual(['of-publisher', 1])
})

test('While others have used up all checks a peer loses nothing of its own part', () => {
  const node = new SubmitNode({ limits: withLimits({ verifiesPerSecond: 1, verifiesBurst: 32 }) })
  for (const at of [1, 2]) node.handle(gossip({ envelope: forged(at) }, [], stranger(at)))
  for (let counter = 1; counter <= 16; counter += 1)
    expect(writes(node.handle(gossip(make({ clock: { alice: counter } }))))).toEqual([])
  node.monoMs += 2_000
  expect(writes(node.handle(gossip(make({ clock: { alice: 17 } }))))).toEqual(['envelope floor channel!'])
})

test('A release said again in ever new envelopes is paid for by whoever says it', () => {
  const made = make({ clock: { alice: 1 } })
  const read = decodeEnvelope(made.envelope, LIMITS.maxEnvelopeBytes, LIMITS)
  const again = Array.from({ length: 40 }, (_, at) => {
    const junk = { keyId: at.toString(16).padStart(64, '0') as KeyId, sig: new Uint8Array(64) }
    return gossip({ envelope: encodeEnvelope({ ...read, signatures: [...read.signatures, junk] }) })
  })
  const next = gossip(make({ clock: { alice: 2 } }), [], OTHER)
  expect(said([gossip(made), ...again, next]).at(-1)).toBe(1)
})

test('Signatures over a lower limit of this node’s own are counted as well: they are checked for whose they are', () => {
  const checks = new Checks(withLimits({ maxEnvelopeBytes: 50, maxSignatures: 1 }))
  expect(checks.take(forged(1), PEER, 0)).toBe(16)
})

test('An envelope with all the signatures that it may have is checked at however few at once', () => {
  const checks = new Checks(withLimits({ verifiesPerSecond: 4, verifiesBurst: 1 }))
  const paid = [0, 3_999, 4_000].map((monoMs) => checks.take(forged(1), stranger(monoMs), monoMs))
  expect(paid).toEqual([16, 'of-all', 16])
})
