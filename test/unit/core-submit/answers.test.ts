/** What a verdict means to someone who submits, where the release itself is in order. */
import { describe, expect, test } from 'vitest'
import type { ChannelFacts, Ingested } from '../../../src/core/journey.ts'
import { refusalOf } from '../../../src/core/submit/answers.ts'
import { LeaseTable } from '../../../src/core/submit/leases.ts'
import { CHANNEL, floorOf, type Made, make } from '../core/fleet.ts'
import { FakeJourney } from '../core-peers/fakes.ts'

const made = make({ clock: { alice: 1 } })
const other = make({ clock: { alice: 1 }, text: 'other=1\n' })
const judged = ({ release }: Made, more: Partial<Ingested> = {}): Ingested => ({
  ...{ verdict: 'NEW', release, provable: false, relayable: true, ...more },
})

function seed(heads: readonly Made[] = []) {
  const journey = new FakeJourney()
  const leases = new LeaseTable(10)
  for (const { id, envelope } of heads) journey.envelopes.set(id, envelope)
  const facts = { floor: floorOf(made), heads: heads.map(({ release }) => release) }
  if (heads.length > 0) journey.facts.set(CHANNEL, facts as unknown as ChannelFacts)
  return { journey, leases, refused: (one: Ingested) => refusalOf(journey, leases, one) }
}

describe('a release that may be ordered', () => {
  test('is taken where its place is free, or its own', () => {
    expect(seed().refused(judged(made))).toBeUndefined()
    expect(seed([made]).refused(judged(made))).toBeUndefined()
  })

  test('is refused where the root that it names does not authorise it: no other node would take it', () => {
    expect(seed().refused(judged(made, { relayable: false }))).toMatchObject({ code: 'TRUST_UNAUTHORISED' })
  })

  test('is left to another seed where the root that it names is from before this one began', () => {
    const { journey, refused } = seed()
    journey.rootEnvelope = () => undefined
    expect(refused(judged(made, { relayable: false }))).toEqual({
      code: 'TRUST_ROOT_GAP',
      text: 'root 1, which it names, is not known here; hand it to this seed with all before it (confmesh trust push --root FILE, the older ones beside it), name another seed, or publish again under root 1',
    })
  })

  test('is refused where another holds its place, or has it leased, with the proof', () => {
    const held = seed([other])
    expect(held.refused(judged(made, { verdict: 'CONCURRENT' }))).toMatchObject({ code: 'ORDER_PLACE_TAKEN' })
    const { journey, leases, refused } = seed()
    const place = journey.place(made.release)
    const lease = { channel: CHANNEL, place, release: other.id, envelope: other.envelope, holder: undefined }
    leases.put(lease, 1_000)
    expect(refused(judged(made))).toMatchObject({ code: 'ORDER_PLACE_TAKEN', envelope: other.envelope })
    expect(refused(judged(other))).toBeUndefined()
  })
})

test('a release over a limit of this seed is told so, and which: another seed may allow more', () => {
  const refusal = {
    kind: 'note',
    level: 'debug',
    code: 'LIMIT_CONTENT',
    text: 'files: 9 is above 8',
  } as const
  const over = { verdict: 'RATE', code: 'LIMIT_CONTENT', provable: false, relayable: false, refusal } as const
  expect(seed().refused(over)).toEqual({
    code: 'LIMIT_CONTENT',
    text: 'files: 9 is above 8, a limit of this seed (docs/limits.md); name another seed, or raise it here',
  })
})
