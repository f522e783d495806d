/** What anyone may ask a seed: envelopes only, and nothing is kept of the question. */
import { describe, expect, test } from 'vitest'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { Channel, Pattern, PeerId, ReleaseId } from '../../../src/model/ids.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { raiseEpoch, renew } from '../../../src/trust/edit.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import {
  CHANNEL,
  type Made,
  make,
  PUBLISHER_KEYS,
  ROOT,
  raised,
  rootBytes,
  withLimits,
} from '../core/fleet.ts'
import { ofKind, refusal, replies, SubmitNode, writes } from './submit-node.ts'

function publish(node: SubmitNode, made: Made): void {
  node.settled(node.ask({ type: 'submit', envelope: made.envelope }))
  node.settled(node.ask({ type: 'page', release: made.id, bytes: made.page }))
  node.settled(node.ask({ type: 'block', release: made.id, bytes: made.block }))
}
const two = renew(ROOT, ROOT.expires + 1_000)
const at = expect.any(Number)
const other = 'app/api' as Channel

describe('roots', () => {
  test('the one after the version asked for, and nothing after the newest', () => {
    const node = new SubmitNode()
    expect(replies(node.ask({ type: 'roots', since: 0 }))).toEqual([
      { type: 'root', root: rootBytes(ROOT), at },
    ])
    expect(replies(node.ask({ type: 'roots', since: 1 }))).toEqual([{ type: 'root', at }])
  })

  test('a seed that began with a later one answers with those below once they came, and judges by them', () => {
    const config = { root: rootBytes(two), submit: true }
    const node = new SubmitNode(config, { roots: [{ version: 2, envelope: rootBytes(two) }] })
    const { envelope } = make({ clock: { alice: 1 } })
    const first = () => replies(node.ask({ type: 'roots', since: 0 }))
    expect(first()).toEqual([{ type: 'root', at }])
    expect(replies(node.ask({ type: 'submit', envelope }))).toMatchObject([
      {
        code: 'TRUST_ROOT_GAP',
        text: expect.stringMatching(/^root 1, which it names, is not known here/),
      },
    ])
    const effects = node.ask({ type: 'root', root: rootBytes(ROOT) })
    expect(writes(effects)).toEqual(['root!'])
    node.settled(effects)
    expect(first()).toEqual([{ type: 'root', root: rootBytes(ROOT), at }])
    expect(replies(node.settled(node.ask({ type: 'submit', envelope })))).toMatchObject([{ type: 'need' }])
  })

  const give = (node: SubmitNode) => node.ask({ type: 'root', root: rootBytes(two) })
  const given = (node: SubmitNode) => replies(node.ask({ type: 'roots', since: 1 }))
  const fails = (node: SubmitNode, effects: readonly Effect[]) =>
    ofKind(effects, 'persist').flatMap(({ ticket }) =>
      node.handle({ kind: 'persistFailed', ticket, code: 'STORE_FULL' }),
    )

  test('a new one is adopted, written and handed on, and acknowledged once it is on disk', () => {
    const node = new SubmitNode()
    const effects = give(node)
    expect(replies(effects)).toEqual([])
    expect(writes(effects)).toEqual(['root!'])
    expect(ofKind(effects, 'publish')).toMatchObject([{ topic: 'control' }])
    expect(given(node)).toEqual([{ type: 'root', at }])
    expect(replies(node.persist(effects))).toEqual([{ type: 'noted' }])
    expect(given(node)).toEqual([{ type: 'root', root: rootBytes(two), at }])
  })

  test('whoever hands in what is being written waits for the same, so many and no more', () => {
    const node = new SubmitNode({ limits: withLimits({ maxAwaits: 2 }) })
    const effects = give(node)
    expect([refusal(give(node)), refusal(give(node))]).toEqual(['no reply', 'LIMIT_RATE'])
    expect(replies(node.persist(effects))).toMatchObject([
      { type: 'noted' },
      { type: 'refused', code: 'TRUST_ROOT_OLD' },
    ])
    expect(refusal(give(node))).toBe('TRUST_ROOT_OLD')
  })

  test('one that cannot be written counts, but is not acknowledged before it is', () => {
    const node = new SubmitNode()
    const effects = give(node)
    expect(replies(fails(node, effects))).toMatchObject([{ type: 'refused', code: 'STORE_FULL' }])
    expect([refusal(give(node)), given(node)]).toEqual(['STORE_FULL', [{ type: 'root', at }]])
    expect(node.view().root).toMatchObject({ version: 2 })
    const again = node.tick(5_000)
    expect(writes(again)).toEqual(['root!'])
    expect(refusal(give(node))).toBe('no reply')
    expect(replies(node.persist(again))).toMatchObject([{ code: 'TRUST_ROOT_OLD' }])
    expect(given(node)).toEqual([{ type: 'root', root: rootBytes(two), at }])
  })

  const strangerSigns = (root: TrustRoot): Uint8Array =>
    encodeEnvelope(signEnvelope('root', encodeRoot(root), [PUBLISHER_KEYS.alice as never]))
  const narrower = { ...ROOT, version: 2, publishers: new Map([...ROOT.publishers].slice(1)) }
  test.each<[string, Uint8Array]>([
    ['TRUST_ROOT_OLD', rootBytes(ROOT)],
    ['TRUST_ROOT_FORK', rootBytes(renew(ROOT, ROOT.expires + 5_000))],
    ['TRUST_ROOT_GAP', rootBytes(renew({ ...two, version: 3 }, ROOT.expires + 9_000))],
    ['TRUST_ROOT_UNAUTHORISED', strangerSigns(renew(two, ROOT.expires + 2_000))],
    ['TRUST_ROOT_INVALID', Uint8Array.of(1, 2, 3)],
    ['CODEC_UNSUPPORTED', rootBytes({ ...renew(two, ROOT.expires + 2_000), critical: ['waves'] })],
  ])('%s: refused with its code, and nothing is written', (code, root) => {
    const node = new SubmitNode()
    node.settled(node.ask({ type: 'root', root: rootBytes(two) }))
    const effects = node.ask({ type: 'root', root })
    expect(refusal(effects)).toBe(code)
    expect(writes(effects)).toEqual([])
    expect(replies(node.ask({ type: 'roots', since: 2 }))).toEqual([{ type: 'root', at }])
  })

  test('TRUST_ROOT_NARROWS: authority is taken without a new epoch', () => {
    expect(refusal(new SubmitNode().ask({ type: 'root', root: rootBytes(narrower) }))).toBe(
      'TRUST_ROOT_NARROWS',
    )
  })
})

describe('headers', () => {
  test('one that is kept, and none that is not', () => {
    const node = new SubmitNode()
    const made = make({ clock: { alice: 1 } })
    publish(node, made)
    expect(replies(node.ask({ type: 'header', release: made.id }))).toEqual([
      { type: 'header', envelope: made.envelope },
    ])
    expect(replies(node.ask({ type: 'header', release: 'f'.repeat(64) as ReleaseId }))).toEqual([
      { type: 'header' },
    ])
  })
})

describe('the state of a channel', () => {
  const state = (node: SubmitNode, channel = CHANNEL) => replies(node.ask({ type: 'state', channel }))

  test('nothing is known: the place before all others of its epoch', () => {
    const nothing = { type: 'state', held: false, envelopes: [], whole: false }
    const node = new SubmitNode()
    expect(state(node)).toEqual([
      { ...nothing, rootVersion: 1, top: { epoch: 1, counter: 0, publisher: '' } },
    ])
    node.settled(node.ask({ type: 'root', root: rootBytes(raised(ROOT)) }))
    expect(state(node)).toEqual([
      { ...nothing, rootVersion: 2, top: { epoch: 2, counter: 0, publisher: '' } },
    ])
  })

  test('the target first, then what stands beside it', () => {
    const node = new SubmitNode()
    const [alice, bob] = [
      make({ clock: { alice: 1 } }),
      make({ clock: { bob: 2 }, publisher: 'bob', text: 'b=2\n' }),
    ]
    for (const made of [alice, bob]) publish(node, made)
    expect(state(node)).toEqual([
      {
        ...{ type: 'state', rootVersion: 1, held: false, whole: true, target: bob.id },
        top: { epoch: 1, counter: 2, publisher: 'bob' },
        envelopes: [bob.envelope, alice.envelope],
      },
    ])
  })

  test('as many envelopes as fit into one message, the target before all', () => {
    const [alice, bob] = [
      make({ clock: { alice: 1 } }),
      make({ clock: { bob: 2 }, publisher: 'bob', text: 'b=2\n' }),
    ]
    const limits = withLimits({ maxPublishMessageBytes: 1_024 + bob.envelope.length })
    const node = new SubmitNode({ limits })
    for (const made of [alice, bob]) publish(node, made)
    expect(state(node)).toMatchObject([{ target: bob.id, envelopes: [bob.envelope] }])
  })

  test('an ended epoch: what is active is not handed out any more', () => {
    const node = new SubmitNode()
    publish(node, make({ clock: { alice: 1 } }))
    node.settled(node.ask({ type: 'root', root: rootBytes(raiseEpoch(ROOT, 'app/**' as Pattern)) }))
    expect(state(node)).toEqual([
      {
        ...{ type: 'state', rootVersion: 2, held: false, whole: false, envelopes: [] },
        top: { epoch: 2, counter: 0, publisher: '' },
      },
    ])
  })
})

test('Roots are read up to so many bytes of one address in a minute, whoever hands them in', () => {
  const root = rootBytes(ROOT)
  const node = new SubmitNode({ limits: withLimits({ maxRootBytesPerMinute: 2 * root.length }) })
  const hand = (name: string) => {
    node.connect(`12D3KooW${name}` as PeerId)
    return refusal(node.ask({ type: 'root', root }, `12D3KooW${name}` as PeerId))
  }
  expect(['a', 'b', 'c'].map(hand)).toEqual(['TRUST_ROOT_OLD', 'TRUST_ROOT_OLD', 'LIMIT_RATE'])
  node.tick(60_000)
  expect(hand('d')).toBe('TRUST_ROOT_OLD')
})

describe('channels', () => {
  test('lists are many, and given at a bounded rate', () => {
    const node = new SubmitNode({ limits: withLimits({ listsPerSecond: 1, listsBurst: 2 }) })
    for (let n = 0; n < 2; n += 1)
      expect(replies(node.ask({ type: 'channels' }))).toMatchObject([{ type: 'channels' }])
    expect(refusal(node.ask({ type: 'channels' }))).toBe('LIMIT_RATE')
    node.tick(1_000)
    expect(replies(node.ask({ type: 'channels' }))).toMatchObject([{ type: 'channels' }])
  })

  test('the names of those that have a release, in order, in pages', () => {
    const node = new SubmitNode({ limits: withLimits({ maxListed: 1 }) })
    expect(replies(node.ask({ type: 'channels' }))).toEqual([{ type: 'channels', channels: [], more: false }])
    publish(node, make({ clock: { alice: 1 } }))
    publish(node, make({ clock: { alice: 1 }, text: 'c=3\n', header: { channel: other } }))
    expect(replies(node.ask({ type: 'channels' }))).toEqual([
      { type: 'channels', channels: [other], more: true },
    ])
    expect(replies(node.ask({ type: 'channels', after: other }))).toEqual([
      { type: 'channels', channels: [CHANNEL], more: false },
    ])
  })
})
