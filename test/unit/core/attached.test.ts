/** A release as bytes from a peer, and what travels with it: what each kind of wrong is called. */
import { encode } from '@ipld/dag-cbor'
import { describe, expect, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import { decodeReleaseGossip } from '../../../src/codec/gossip.ts'
import { encodePage } from '../../../src/codec/page.ts'
import { checkAttached, releaseGossip } from '../../../src/core/inline.ts'
import { readRelease } from '../../../src/core/release-bytes.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { make, PUBLISHER_KEYS, ROOT, rootBytes, withLimits } from './fleet.ts'

const alice = PUBLISHER_KEYS.alice
if (alice === undefined) throw new Error('alice has a key')
const made = make({ clock: { alice: 1 }, also: 'b=2\n' })
const [page, block, also] = [...made.content.values()] as [Uint8Array, Uint8Array, Uint8Array]
const asRelease = (payload: Uint8Array): Uint8Array =>
  encodeEnvelope(signEnvelope('release', payload, [alice]))

describe('the bytes of a release', () => {
  test('are read', () => {
    expect(readRelease(made.envelope, LIMITS)).toMatchObject({ kind: 'read', release: made.release })
  })

  const core = {
    ...{ v: 2, critical: [], fleet: ROOT.fleetId, channel: 'app/web', root: 1, publisher: 'alice' },
    clock: { alice: 1 },
  }
  test.each<[string, Uint8Array, object]>([
    ['of no envelope', Uint8Array.of(1), { kind: 'refused', verdict: 'MALFORMED', code: 'CODEC_MALFORMED' }],
    ['of another document', rootBytes(ROOT), { kind: 'refused', verdict: 'MALFORMED', code: 'TRUST_TYPE' }],
    [
      'of no header',
      asRelease(encode({ v: 1 })),
      { kind: 'refused', verdict: 'MALFORMED', code: 'CODEC_MALFORMED' },
    ],
    [
      'of a later version without the names of all',
      asRelease(encode({ v: 2 })),
      { kind: 'refused', verdict: 'MALFORMED' },
    ],
  ])('%s are refused, with the code', (_, bytes, outcome) => {
    expect(readRelease(bytes, LIMITS)).toMatchObject(outcome)
  })

  test('of a later version are told apart from nonsense by the names that every version has', () => {
    const fleet = Uint8Array.from(Buffer.from(ROOT.fleetId, 'hex'))
    const read = readRelease(asRelease(encode({ ...core, fleet })), LIMITS)
    expect(read).toMatchObject({
      kind: 'unsupported',
      release: { counter: 1, header: { publisher: 'alice' } },
    })
  })

  test('over a limit of ours prove no guilt: the verdict is that of a message too many', () => {
    const limits = withLimits({ maxEnvelopeBytes: made.envelope.length - 1 })
    expect(readRelease(made.envelope, limits)).toMatchObject({ kind: 'refused', verdict: 'RATE' })
  })
})

describe('what is attached', () => {
  const check = (attached: readonly Uint8Array[], limits: Limits = LIMITS) =>
    checkAttached(made.release, attached, limits)

  test('is nothing, or the whole in its order', () => {
    expect(check([])).toEqual({ kind: 'none' })
    expect(check([page, block, also])).toEqual({ kind: 'whole', content: made.content })
  })

  test.each<[string, readonly Uint8Array[]]>([
    ['in another order', [page, also, block]],
    ['without its manifest', [block, also]],
    ['with its manifest alone', [page]],
    ['with one block missing', [page, block]],
    ['with one too many', [page, block, also, also]],
    ['with another byte', [page, block, Uint8Array.of(1)]],
  ])('%s is wrong', (_, attached) => {
    expect(check(attached)).toMatchObject({ kind: 'wrong', code: 'CONTENT_DIGEST' })
  })

  test('with a manifest that is none is wrong, since its digest is signed', () => {
    const bad = Uint8Array.of(1, 2)
    const lying = make({ clock: { alice: 1 }, header: { pages: [sha256(bad)] } })
    expect(checkAttached(lying.release, [bad], LIMITS)).toMatchObject({
      kind: 'wrong',
      code: 'CODEC_MALFORMED',
    })
  })

  const LOWER: readonly Partial<Limits>[] = [
    { maxPageBytes: page.length - 1 },
    { maxPathBytes: 1 },
    { maxPathSegmentBytes: 1 },
    { maxBlockBytes: 3 },
    { maxFiles: 1 },
  ]
  test.each(LOWER)('with a manifest over a limit of ours is unusable, and not wrong: %j', (less) => {
    const limits = withLimits(less)
    expect(check([page, block, also], limits)).toMatchObject({ kind: 'unusable', isChecked: true })
    for (const attached of [[page, also, block], [page]])
      expect(check(attached, limits)).toMatchObject({ kind: 'wrong', code: 'CONTENT_DIGEST' })
  })

  test('with a manifest over what is built in, too, is unusable, and nothing else of it is checked', () => {
    const path = `${'a'.repeat(LIMITS.maxPageBytes)}.conf`
    const long = encodePage([{ path, mode: 0o444, size: 0, digest: sha256(new Uint8Array()), blocks: [] }])
    const over = make({ clock: { alice: 1 }, header: { pages: [sha256(long)] } })
    expect(checkAttached(over.release, [long, block], LIMITS)).toMatchObject({
      kind: 'unusable',
      isChecked: false,
    })
  })
})

describe('the gossip of a release', () => {
  const gossip = (content: typeof made.content, limits: Limits = LIMITS) =>
    decodeReleaseGossip(releaseGossip(made.release, made.envelope, content, limits), LIMITS).attached.map(
      (one) => sha256(one),
    )

  test('holds all of it where that is at hand and small', () => {
    expect(gossip(made.content)).toEqual([...made.content.keys()])
  })

  test('holds nothing of it where a part is not at hand, or it is too much', () => {
    expect(gossip(new Map([...made.content].slice(0, 2)))).toEqual([])
    expect(gossip(new Map())).toEqual([])
    expect(gossip(made.content, withLimits({ maxInlineBytes: 10 }))).toEqual([])
  })

  test('holds no more than others take, whatever this node does: they would leave it out, and not pass it on', () => {
    const fits = make({ clock: { alice: 1 }, text: 'x'.repeat(LIMITS.maxInlineBytes - 1_000) })
    const more = make({ clock: { alice: 1 }, text: 'x'.repeat(LIMITS.maxInlineBytes) })
    const limits = withLimits({ maxInlineBytes: 2 * LIMITS.maxInlineBytes })
    const attached = [fits, more].map(({ release, envelope, content }) => {
      const bytes = releaseGossip(release, envelope, content, limits)
      return decodeReleaseGossip(bytes, limits).attached.length
    })
    expect(attached).toEqual([2, 0])
  })

  test('counts the envelope, too: what fits by itself and not beside it stays out', () => {
    const { length } = releaseGossip(made.release, made.envelope, made.content, LIMITS)
    const alone = [...made.content.values()].reduce((sum, part) => sum + part.length, 0)
    expect(gossip(made.content, withLimits({ maxInlineBytes: length }))).toEqual([...made.content.keys()])
    for (const maxInlineBytes of [length - 1, alone])
      expect(gossip(made.content, withLimits({ maxInlineBytes }))).toEqual([])
  })
})
