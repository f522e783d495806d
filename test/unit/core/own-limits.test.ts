/** What is over a limit that was set lower on this host: it is not taken, nobody is to blame for it, and who has to hear does. */
import { describe, expect, test } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { decodeEnvelope, encodeEnvelope } from '../../../src/codec/envelope.ts'
import type { Code } from '../../../src/errors.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { Freshness } from '../../../src/model/beacon.ts'
import type { Channel, KeyId } from '../../../src/model/ids.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { ofKind, replies, SubmitNode } from '../core-submit/submit-node.ts'
import { activated, BenchNode } from './bench-node.ts'
import {
  CHANNEL,
  given,
  gossip,
  type Made,
  make,
  OTHER,
  PEER,
  ROOT,
  raised,
  rootBytes,
  SELF,
  withLimits,
} from './fleet.ts'
import { NO_BEACONS } from './no-beacons.ts'

test('a longer envelope than is taken here, in gossip, is ignored and counted: its sender loses nothing', () => {
  const node = new SubmitNode({ limits: withLimits({ maxEnvelopeBytes: 50 }) })
  node.handle(gossip(make({ clock: { alice: 1 } })))
  expect(node.said).toContain('gossip_verdicts ignore')
  expect(node.notes.map(({ code }) => code)).toEqual(['LIMIT_BYTES'])
})

const first = make({ clock: { alice: 1 } })
const second = make({ clock: { alice: 2 }, text: 'b=1\n' })
const large = make({ clock: { alice: 3 }, also: 'b=2\n' })
const small = make({ clock: { alice: 4 }, text: 'c=3\n' })

/** Takes one file, and has the first release; another seed is linked to it. */
function lower(less: Partial<Limits> = { maxFiles: 1 }): SubmitNode {
  const node = new SubmitNode({ limits: withLimits(less) })
  node.connect(PEER, { seed: true })
  take(node, first)
  return node
}

const take = (node: SubmitNode, made: Made) =>
  node.settled(node.handle(gossip(made, [...made.content.values()])))
const awaits = (node: SubmitNode, { id: release }: Made) =>
  replies(node.ask({ type: 'await', release }, PEER))

/** All of it was brought. @returns what another seed is asked then */
function submitted(node: SubmitNode, { id: release, envelope, page, content }: Made) {
  const [lease] = node.ask({ type: 'submit', envelope })
  node.settled(node.answer(lease, { type: 'noted' }))
  node.ask({ type: 'page', release, bytes: page })
  const [, ...blocks] = [...content.values()]
  const last = blocks.flatMap((bytes) => [...node.ask({ type: 'block', release, bytes })])
  return ofKind(node.settled(last), 'request')[0]
}

describe('a release over a limit of a seed', () => {
  test('is refused at once to another seed that names it, which then has its answer', () => {
    const [a, b] = [new SubmitNode(), lower()]
    a.connect(OTHER, { seed: true })
    const asked = submitted(a, large)
    expect(a.ask({ type: 'await', release: large.id })).toEqual([])
    take(b, large)
    const [answer] = awaits(b, large)
    expect(answer).toMatchObject({ type: 'refused', code: 'LIMIT_CONTENT' })
    const done = { type: 'done', verdict: 'NEW', acknowledgedBy: [SELF] }
    expect(replies(answer === undefined ? [] : a.answer(asked, answer))).toEqual([done])
  })

  test('is refused as soon as it comes, where it was named before', () => {
    const node = lower()
    expect(awaits(node, large)).toEqual([])
    const told = node.handle(gossip(large))
    expect(replies(told)).toMatchObject([{ type: 'refused', code: 'LIMIT_CONTENT' }])
  })

  test('is not awaited where its channel has no room either', () => {
    const node = lower({ maxChannels: 1 })
    const elsewhere = make({ clock: { alice: 1 }, header: { channel: 'app/other' as Channel } })
    take(node, elsewhere)
    expect(awaits(node, elsewhere)).toMatchObject([{ type: 'refused', code: 'LIMIT_CHANNELS' }])
  })

  const longer = make({ clock: { alice: 3 }, also: 'b'.repeat(400) })
  const OVER_BLOCKS = {
    type: 'refused',
    code: 'LIMIT_CONTENT',
    text: expect.stringContaining('limits.maxBlockBytes'),
  }
  test('in its pages alone is refused once they are here, and to whoever asks later', () => {
    const node = lower({ maxBlockBytes: 300, maxPageBytes: 300 })
    const effects = node.settled(node.handle(gossip(longer)))
    const after = node.ask({ type: 'await', release: longer.id }, PEER)
    expect(replies(after)).toEqual([])
    const asked = ofKind([...effects, ...after], 'request')
    const want = asked.find(({ request }) => request.message.type === 'want')
    expect(replies(node.handle(given(want?.id, longer.page)))).toEqual([OVER_BLOCKS])
    expect(awaits(node, longer)).toEqual([OVER_BLOCKS])
  })

  test('is told from one that no peer gives, which is waited for', () => {
    const node = lower()
    node.settled(node.handle(gossip(second)))
    expect(awaits(node, second)).toEqual([])
    const told = Array.from({ length: 40 }, () => replies(node.tick(1_000))).flat()
    expect(told).toEqual([{ type: 'noted' }])
    expect(node.said.some((line) => line.endsWith('FETCH_UNAVAILABLE'))).toBe(true)
    expect(awaits(node, second)).toEqual([])
  })

  test('that nobody of this fleet signed is still waited for', () => {
    const node = lower()
    const forged = make({ clock: { alice: 3 }, also: 'b=2\n', signedBy: generatePrivateKey('ed25519').key })
    take(node, forged)
    expect(awaits(node, forged)).toEqual([])
    expect(node.said).toContain('debug LIMIT_CONTENT')
  })
})

describe('a release whose envelope alone is over a limit of a seed', () => {
  test('is waited for and told once it is whole: without what anybody can add it may come yet', () => {
    const node = lower({ maxSignatures: 1 })
    node.handle(gossip(signedTwice(small)))
    expect(awaits(node, small)).toEqual([])
    expect(replies(node.handle(gossip(signedTwice(small))))).toEqual([])
    expect(replies(take(node, small))).toMatchObject([{ type: 'done' }])
  })

  test('is what its publisher waits for where it was taken', () => {
    const node = new SubmitNode({ limits: withLimits({ maxSignatures: 1 }) })
    node.connect(PEER, { seed: true })
    const asked = submitted(node, first)
    expect(node.ask({ type: 'await', release: first.id })).toEqual([])
    expect(replies(node.handle(gossip(signedTwice(first))))).toEqual([])
    const held = { type: 'done', verdict: 'NEW', acknowledgedBy: [PEER] } as const
    const acknowledgedBy = [SELF, PEER].sort()
    expect(replies(node.answer(asked, held))).toEqual([{ ...held, acknowledgedBy }])
  })

  test('is refused where what is signed is longer than any envelope may be', () => {
    const longer = make({ clock: { alice: 3 }, header: { message: 'a'.repeat(900) } })
    const node = lower({ maxEnvelopeBytes: 900 })
    take(node, longer)
    expect(awaits(node, longer)).toMatchObject([{ type: 'refused', code: 'LIMIT_BYTES' }])
  })
})

/** An ordinary node that has the first release. */
function ordinary(less: Partial<Limits>, state: () => Freshness = () => 'unjudged') {
  const freshness = { ...NO_BEACONS, state, heardAny: () => true }
  const node = new BenchNode({ limits: withLimits(less) }, { freshness })
  node.start()
  const hear = (made: Pick<Made, 'envelope'>, content: readonly Uint8Array[] = []) => {
    const effects = node.handle(gossip(made, content))
    node.persist(effects)
    return ofKind(effects, 'note')
  }
  hear(first, [...first.content.values()])
  const adopt = (root: TrustRoot) =>
    void node.persist(node.inside((step, journey) => journey.adoptRoot(step, rootBytes(root), PEER)))
  const ends = (...of: Parameters<typeof activated>) => void node.persist(node.run(activated(...of)))
  return { hear, adopt, ends, shown: () => node.view().channels[0]?.lastError }
}

const { maxHeaderBytes, maxEnvelopeBytes } = lengths(first)
function lengths({ envelope }: Pick<Made, 'envelope'>) {
  const { payload } = decodeEnvelope(envelope, LIMITS.maxEnvelopeBytes, LIMITS)
  return { maxHeaderBytes: payload.length, maxEnvelopeBytes: envelope.length }
}
/** With a second signature, that says nothing. */
function signedTwice({ id, envelope }: Made): Pick<Made, 'envelope' | 'id'> {
  const decoded = decodeEnvelope(envelope, LIMITS.maxEnvelopeBytes, LIMITS)
  const more = { keyId: 'f'.repeat(64) as KeyId, sig: new Uint8Array(64) }
  return { id, envelope: encodeEnvelope({ ...decoded, signatures: [...decoded.signatures, more] }) }
}
const { pages } = large.release.header

describe('a release over a limit of an ordinary node', () => {
  test.each<[Partial<Limits>, Code, Pick<Made, 'envelope' | 'id'>]>([
    [{ maxFiles: 1 }, 'LIMIT_CONTENT', large],
    [{ maxReleaseBytes: 7 }, 'LIMIT_CONTENT', large],
    [
      { maxPages: 1 },
      'LIMIT_CONTENT',
      make({ clock: { alice: 3 }, header: { pages: [...pages, ...pages] } }),
    ],
    [
      { maxMessageBytes: 9 },
      'LIMIT_CONTENT',
      make({ clock: { alice: 3 }, header: { message: 'ten bytes.' } }),
    ],
    [{ maxClockEntries: 1 }, 'LIMIT_CONTENT', make({ clock: { alice: 3, bob: 1 } })],
    [{ maxHeaderBytes }, 'LIMIT_BYTES', make({ clock: { alice: 3, bob: 1 } })],
    [{ maxEnvelopeBytes }, 'LIMIT_BYTES', make({ clock: { alice: 3, bob: 1 } })],
    [{ maxSignatures: 1 }, 'LIMIT_SIGNATURES', signedTwice(large)],
  ])('%j: it warns once and status says which, until something newer is taken', (less, code, over) => {
    const { hear, shown } = ordinary(less)
    const [[limit]] = Object.entries(less) as [[string, number]]
    const text = expect.stringContaining(`over limits.${limit} of this node`)
    expect(hear(over)).toMatchObject([{ level: 'warn', code, text, channel: CHANNEL, release: over.id }])
    expect(hear(over)).toMatchObject([{ level: 'debug', code }])
    expect(shown()).toMatchObject({ code, text, release: over.id })
    expect(hear(small)).toMatchObject([{ level: 'info', code: 'RELEASE_NEW' }])
    expect(shown()).toBeUndefined()
  })

  test('is what status says, and not that this node is behind, which it is for that', () => {
    let freshness: Freshness = 'fresh'
    const { hear, shown } = ordinary({ maxFiles: 1 }, () => freshness)
    hear(large)
    freshness = 'behind'
    expect(shown()).toMatchObject({ code: 'LIMIT_CONTENT' })
  })

  test.each<[string, (node: ReturnType<typeof ordinary>) => void]>([
    ['lower than what is here', ({ hear }) => void hear(small)],
    ['of an ended epoch', ({ adopt }) => adopt(raised(ROOT))],
  ])('is of no concern where it is not the newest, but %s', (_, comes) => {
    const node = ordinary({ maxFiles: 1 })
    node.hear(large)
    comes(node)
    expect(node.hear(large)).toMatchObject([{ level: 'debug', code: 'LIMIT_CONTENT' }])
    expect(node.shown()).toBeUndefined()
  })

  test('that is newer is said instead, and no second time aloud', () => {
    const { hear, shown } = ordinary({ maxFiles: 1 })
    hear(large)
    const newer = make({ clock: { alice: 5 }, also: 'd=4\n' })
    expect(hear(newer)).toMatchObject([{ level: 'debug', code: 'LIMIT_CONTENT' }])
    hear(large)
    expect(shown()).toMatchObject({ release: newer.id })
  })
})

describe('a release over a limit does not hide that the one below it fails here', () => {
  test('where nothing is served', () => {
    const { hear, ends, shown } = ordinary({ maxFiles: 1 }, () => 'behind')
    hear(large)
    ends(first, 'failed')
    expect(shown()).toMatchObject({ code: 'ACTIVATE_UNHEALTHY', release: first.id })
  })

  test('but where what is served is known to be old', () => {
    let freshness: Freshness = 'behind'
    const { hear, ends, shown } = ordinary({ maxFiles: 1 }, () => freshness)
    ends(first, 'healthy')
    hear(second, [...second.content.values()])
    ends(second, 'unhealthy')
    ends(first, 'healthy')
    hear(large)
    expect(shown()).toMatchObject({ code: 'LIMIT_CONTENT' })
    freshness = 'fresh'
    expect(shown()).toMatchObject({ code: 'ACTIVATE_UNHEALTHY', release: second.id })
  })
})
