/** Nodes with one identity, as an image with `identity.key` in it makes them: each replaces the link of the one before. */
import { beforeEach, expect, it } from 'vitest'
import { MAX_REPLACED } from '../../../src/core/admit/replaced.ts'
import { type Admit, createAdmit } from '../../../src/core/admit.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { AdmitReply, AdmitRequest } from '../../../src/model/messages.ts'
import { Bench, connected, FakeJudge, helloOf, hex, limitsOf, peer, replies, requestOf } from './fakes.ts'

const [CLONE, HONEST] = [peer('clone'), peer('honest')]
const BURST = 40
let bench: Bench
let admit: Admit
beforeEach(() => {
  bench = new Bench({
    limits: limitsOf({ admissionsPerSecond: 0.001, admissionsBurst: BURST, hardDegree: 2 * BURST }),
  })
  admit = createAdmit(bench.config, new FakeJudge().judge)
  bench.journey.session = (id) => admit.session(id)
})

/** What a node that dials is told in the end. */
function knocks(id = CLONE): AdmitReply | undefined {
  const ask = (at: number, message: AdmitRequest) =>
    bench.run((step, journey) =>
      admit.onRequest(step, journey, requestOf(at, id, { protocol: 'admit', message })),
    )
  bench.run((step, journey) => admit.onConnected(step, journey, connected(id, 'inbound')))
  ask(1, { type: 'open', version: 1, digest: hex('1') })
  return replies(ask(2, helloOf())).at(-1) as AdmitReply | undefined
}
const ends = (more: { readonly replaced?: true } = {}): void => {
  bench.run((step, journey) => {
    admit.onDisconnected(step, journey, { kind: 'disconnected', peer: CLONE, ...more })
  })
}
/** The next one is there before the one before has gone. @returns what it is told */
const replaces = (): AdmitReply | undefined => {
  ends({ replaced: true })
  return knocks()
}

it('take a few turns of admission in a minute, however many they are, and hear when to come back', () => {
  expect(knocks()).toMatchObject({ type: 'hello' })
  for (let times = 1; times < MAX_REPLACED; times += 1) expect(replaces()).toMatchObject({ type: 'hello' })
  bench.pass(1_000)
  for (let times = 0; times < 1_000; times += 1)
    expect(replaces()).toMatchObject({ code: 'LIMIT_RATE', retryAfterMs: LIMITS.settledLinkMs - 1_000 })
  for (let turns = MAX_REPLACED; turns < BURST; turns += 1)
    expect(knocks(peer(`honest ${turns}`))).toMatchObject({ type: 'hello' })
  expect(knocks(HONEST)).toMatchObject({ code: 'LIMIT_RATE' })
})

it('are admitted again a minute later, so that one that is alone by then is linked; if not, as few of them', () => {
  for (let minute = 0; minute < 3; minute += 1) {
    for (let times = 0; times < MAX_REPLACED; times += 1) expect(replaces()).toMatchObject({ type: 'hello' })
    expect(replaces()).toMatchObject({ code: 'LIMIT_RATE' })
    bench.pass(LIMITS.settledLinkMs)
  }
})

it('no node is one of them whose link ends, or that starts anew now and then', () => {
  knocks()
  for (let times = 0; times < MAX_REPLACED; times += 1) {
    ends()
    expect(knocks()).toMatchObject({ type: 'hello' })
  }
  for (let times = 0; times < 2 * MAX_REPLACED; times += 1) {
    bench.pass(10_000)
    ends({ replaced: true })
    // Of two dials that cross one is replaced before it is admitted.
    bench.run((step, journey) => admit.onConnected(step, journey, connected(CLONE, 'inbound')))
    expect(replaces()).toMatchObject({ type: 'hello' })
  }
})
