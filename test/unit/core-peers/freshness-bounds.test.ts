/** What whoever holds a freshness key can make others do is bounded. */
import { describe, expect, it, test } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { encode } from '../../../src/codec/cbor.ts'
import { channelHash } from '../../../src/codec/digest.ts'
import { decodeEnvelope, encodeEnvelope, preAuthEncoding } from '../../../src/codec/envelope.ts'
import { MAX_TIME_MS } from '../../../src/codec/ids.ts'
import type { GossipVerdict } from '../../../src/core/effects.ts'
import { MAX_ENTRY_BYTES } from '../../../src/core/freshness/beacon-pages.ts'
import { LIMITS } from '../../../src/limits.ts'
import { PAYLOAD_TYPES } from '../../../src/model/envelope.ts'
import type { Channel, Digest, Pattern, ReleaseId } from '../../../src/model/ids.ts'
import type { PrivateKey } from '../../../src/trust/private-key.ts'
import {
  beaconOf,
  CHANNEL,
  EVERY_MS,
  entryAt,
  factsAt,
  KEYS,
  Listener,
  MAX_AGE_MS,
  rootWith,
  SEED,
} from './beacons.ts'
import { asked, codes, limitsOf } from './fakes.ts'

const [KEY, OTHER] = KEYS

function listener(more: ConstructorParameters<typeof Listener>[1] = {}) {
  const node = new Listener(rootWith(KEYS), more)
  node.bench.journey.facts.set(CHANNEL, factsAt(1))
  node.start()
  const judge = (envelope: Uint8Array): GossipVerdict | undefined => {
    let verdict: GossipVerdict | undefined
    node.bench.run((step, journey) => {
      verdict = node.freshness.onControl(step, journey, 'beacon', envelope, SEED)
    })
    return verdict
  }
  return { node, judge, wall: () => node.bench.now.wallMs }
}

test('it is taken a few times in the time of one beacon, and keeps no other key from being heard', () => {
  const { node, judge, wall } = listener()
  const verdicts = Array.from({ length: 6 }, (_, at) => judge(beaconOf(KEY, wall() + at, []).envelope))
  expect(verdicts).toEqual(['accept', 'accept', 'accept', 'accept', 'ignore', 'ignore'])
  expect(judge(beaconOf(OTHER, wall(), []).envelope)).toBe('accept')
  node.pass(2 * EVERY_MS)
  expect(judge(beaconOf(KEY, wall() + 10, []).envelope)).toBe('accept')
})

test('the latest of those waits for its turn: what was recorded long ago keeps no node from what holds now', () => {
  const { node, judge, wall } = listener()
  const now = wall()
  const recorded = Array.from({ length: 10 }, (_, at) => beaconOf(KEY, now - 86_400_000 + at, []).envelope)
  for (const old of recorded) judge(old)
  expect(judge(beaconOf(KEY, now, [entryAt(1)]).envelope)).toBe('ignore')
  for (const old of recorded) expect(judge(old)).toBe('ignore')
  node.pass(EVERY_MS / 4 + 1_000)
  expect(node.freshness.marks()).toEqual([{ key: KEY.id, at: now }])
})

test('it loses no turn to what others forge in its name', () => {
  const { judge, wall } = listener()
  const { envelope } = beaconOf(KEY, wall(), [])
  const forged = envelope.slice()
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1
  for (let times = 0; times < 6; times += 1) expect(judge(forged)).toBe('reject')
  expect(judge(envelope)).toBe('accept')
})

test('pages that were asked for while there was room for one are not all kept, and none is fetched once it is gone', () => {
  const one = beaconOf(KEY, 1, [entryAt(1)])
  const size = one.page.length
  const { node, wall } = listener({
    patterns: ['**' as Pattern],
    limits: limitsOf({ maxBlockBytes: size, maxBeaconPageBytes: size }),
  })
  const others = [2, 3].map((counter) => beaconOf(OTHER, 1, [entryAt(counter)]))
  for (const { digest, page } of others) node.pages.set(digest, page)
  const pages = others.map(({ digest }) => digest)
  node.hear(beaconOf(OTHER, wall(), [], { pages }))
  node.pass(12_000)
  expect(pages.filter((digest) => node.freshness.page(digest) !== undefined)).toHaveLength(1)
  node.hear(beaconOf(KEY, wall(), [entryAt(1)]))
  expect(asked(node.pass(12_000))).toEqual([])
})

test('a seed whose key has signed the last moment there is says no more, and that the key is stolen', () => {
  const { node, judge } = listener({
    submit: true,
    signBeacon: { key: KEY.id, sign: (data) => KEY.sign(data) },
  })
  expect(judge(beaconOf(KEY, MAX_TIME_MS, [entryAt(1)]).envelope)).toBe('accept')
  node.bench.journey.envelopes.set(factsAt(2).target as ReleaseId, new Uint8Array())
  node.bench.journey.facts.set(CHANNEL, factsAt(2))
  const effects = node.pass(3 * EVERY_MS)
  expect(effects.filter(({ kind }) => kind === 'publish')).toEqual([])
  expect(codes(effects).filter((code) => code === 'TRUST_UNAUTHORISED')).toHaveLength(1)
  // what no peer could read is not told of by sync either, and no page is made for it
  expect(node.freshness.marks()).toEqual([{ key: KEY.id, at: MAX_TIME_MS }])
  expect(node.freshness.page(beaconOf(KEY, 1, [entryAt(2)]).digest)).toBeUndefined()
})

describe('a beacon of a newer build', () => {
  const newer = (signer: PrivateKey, named = signer) => {
    const payload = encode({ v: 2, whatever: 'else' })
    const payloadType = PAYLOAD_TYPES.beacon
    const sig = signer.sign(preAuthEncoding(payloadType, payload))
    return encodeEnvelope({ payloadType, payload, signatures: [{ keyId: named.id, sig }] })
  }

  it.each([
    ['of another version', () => newer(KEY)],
    ['with a critical name', () => beaconOf(KEY, 1, [], { critical: ['later'] }).envelope],
  ])('%s is left out, and said once of its key', (_what, made) => {
    const { node, judge } = listener()
    const said = (envelope: Uint8Array) => {
      const effects = node.hear({ envelope, page: new Uint8Array(), digest: '' as Digest })
      return codes(effects)
    }
    expect(said(made())).toEqual(['CODEC_UNSUPPORTED'])
    expect([said(made()), judge(newer(KEY))]).toEqual([[], 'ignore'])
    expect(said(newer(OTHER))).toEqual(['CODEC_UNSUPPORTED'])
    expect(judge(beaconOf(KEY, node.bench.now.wallMs, []).envelope)).toBe('accept')
  })

  it('says nothing where no key of the root signed it, and is blamed where it says one did', () => {
    const { node, judge } = listener()
    const stranger = generatePrivateKey('ed25519').key
    expect(judge(newer(stranger))).toBe('ignore')
    expect(judge(newer(stranger, KEY))).toBe('reject')
    const unsaid = node.hear({ envelope: newer(KEY), page: new Uint8Array(), digest: '' as Digest })
    expect(codes(unsaid)).toEqual(['CODEC_UNSUPPORTED'])
  })

  it('is checked no more once its key was said, whatever other keys signatures are added of', () => {
    const { judge } = listener()
    const padded = (signer: PrivateKey) => {
      const { signatures, ...said } = decodeEnvelope(newer(signer, KEY), LIMITS.maxBeaconBytes, LIMITS)
      const added = { keyId: OTHER.id, sig: OTHER.sign(new Uint8Array(1)) }
      return encodeEnvelope({ ...said, signatures: [...signatures, added] })
    }
    const forged = padded(generatePrivateKey('ed25519').key)
    expect([judge(forged), judge(padded(KEY))]).toEqual(['reject', 'ignore'])
    // By its signatures it would be refused.
    expect(judge(forged)).toBe('ignore')
  })
})

test('over a bound of this node a beacon is left out, and nobody is blamed for it', () => {
  const { judge, wall } = listener({ limits: limitsOf({ maxBeaconPageBits: 0 }) })
  const { digest, envelope } = beaconOf(KEY, wall(), [])
  expect(judge(beaconOf(KEY, wall(), [], { pages: [digest, digest] }).envelope)).toBe('ignore')
  expect(judge(envelope)).toBe('accept')
  const small = listener({ limits: limitsOf({ maxBeaconBytes: 10 }) })
  expect(small.judge(envelope)).toBe('ignore')
})

test('a seed with more channels than have room on its pages says so, once', () => {
  const channels = ['shop/a', 'shop/b'] as Channel[]
  const node = new Listener(rootWith([KEY]), {
    submit: true,
    signBeacon: { key: KEY.id, sign: (data) => KEY.sign(data) },
    limits: limitsOf({ maxBeaconEntries: 1, maxBeaconPageBits: 0, maxBlockBytes: 100 }),
  })
  for (const channel of channels) node.bench.journey.facts.set(channel, factsAt(1, channel))
  node.bench.journey.envelopes.set(factsAt(1).target as ReleaseId, new Uint8Array())
  expect(codes(node.start())).toEqual(['LIMIT_BYTES'])
  expect(codes(node.pass(2 * EVERY_MS))).not.toContain('LIMIT_BYTES')
})

describe('a page that others have filled', () => {
  /** Names of others, ascending by hash: those before that of the channel, and those after. */
  const others = Array.from({ length: 60 }, (_, at) => `shop/other-${at}` as Channel).sort((a, b) =>
    channelHash(a) < channelHash(b) ? -1 : 1,
  )
  const before = others.filter((channel) => channelHash(channel) < channelHash(CHANNEL))
  const [after] = others.slice(before.length)
  const SHOWN = before.at(-1) as Channel

  /** States of the channel and of one that is on the page, after such a page came with each beacon for long. */
  const judged = (channels: readonly Channel[], roomBytes: number) => {
    const entries = channels.map((channel) => entryAt(1, channel))
    const { page } = beaconOf(KEY, 1, entries)
    const { node, wall } = listener({ limits: limitsOf({ maxBlockBytes: page.length + roomBytes }) })
    node.bench.journey.facts.set(SHOWN, factsAt(1, SHOWN))
    for (let passed = 0; passed <= MAX_AGE_MS; passed += EVERY_MS) {
      node.hear(beaconOf(KEY, wall(), entries))
      node.pass(EVERY_MS)
    }
    return [node.state(), node.state(SHOWN)]
  }
  const ROOM = MAX_ENTRY_BYTES + 5

  it('says nothing of a channel after its last: that one is silent, as if the page could not be had', () => {
    expect(judged(before, 0)).toEqual(['silent', 'fresh'])
    expect(judged(before, ROOM - 1)).toEqual(['silent', 'fresh'])
  })

  it('says of a channel before its last, or where there is room for one more, that its seed has none', () => {
    expect(judged([...before, after as Channel], 0)).toEqual(['unjudged', 'fresh'])
    expect(judged(before, ROOM)).toEqual(['unjudged', 'fresh'])
  })

  it('hides nothing that another seed has on its page', () => {
    const entries = before.map((channel) => entryAt(1, channel))
    const { page } = beaconOf(KEY, 1, entries)
    const { node, wall } = listener({ limits: limitsOf({ maxBlockBytes: page.length }) })
    for (let passed = 0; passed <= MAX_AGE_MS; passed += EVERY_MS) {
      node.hear(beaconOf(KEY, wall(), entries))
      node.hear(beaconOf(OTHER, wall(), [entryAt(1)]))
      node.pass(EVERY_MS)
    }
    expect(node.state()).toBe('fresh')
  })
})

test('a seed says once that its key has signed a time far ahead of its clock', () => {
  const node = new Listener(rootWith([KEY]), {
    submit: true,
    signBeacon: { key: KEY.id, sign: (data) => KEY.sign(data) },
  })
  const errors = (ms: number) =>
    node.pass(ms).filter((effect) => effect.kind === 'note' && effect.level === 'error')
  const setBack = (ms: number) => {
    node.bench.now = { ...node.bench.now, wallMs: node.bench.now.wallMs - ms }
  }
  node.start()
  setBack(EVERY_MS + MAX_AGE_MS + 60_000 - 1)
  expect(errors(EVERY_MS)).toEqual([])
  setBack(EVERY_MS + 1)
  expect(errors(3 * EVERY_MS)).toMatchObject([
    { code: 'SYNC_CLOCK_OR_DELAY', text: expect.stringContaining('set-freshness') },
  ])
})
