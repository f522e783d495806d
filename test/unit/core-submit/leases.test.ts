import { describe, expect, test } from 'vitest'
import type { Effect } from '../../../src/core/effects.ts'
import type { Snapshot } from '../../../src/core/snapshot.ts'
import { SILENT_MS } from '../../../src/core/submit/claims.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Address, PeerId } from '../../../src/model/ids.ts'
import type { PublishReply } from '../../../src/model/messages.ts'
import { CHANNEL, gossip, make, OTHER, PEER } from '../core/fleet.ts'
import { ofKind, refusal, replies, requests, SubmitNode, TOOL, writes } from './submit-node.ts'

const mine = make({ clock: { alice: 1 }, text: 'mine' })
const theirs = make({ clock: { alice: 1 }, text: 'theirs' })

/** Two more seeds: in ascending order of peer ids other, peer, self. */
function seeds(): SubmitNode {
  const node = new SubmitNode()
  node.connect(PEER, { seed: true })
  node.connect(OTHER, { seed: true })
  return node
}

test('The lease is taken seed by seed in ascending order of peer ids, our own record in its turn', () => {
  const node = seeds()
  const first = node.ask({ type: 'submit', envelope: mine.envelope })
  expect(requests(first)).toEqual(['lease other'])
  expect(ofKind(first, 'request')[0]?.timeoutMs).toBe(LIMITS.leaseAskMs)
  const second = node.answer(first[0], { type: 'noted' })
  expect(requests(second)).toEqual(['lease peer'])
  const third = node.answer(second[0], { type: 'noted' })
  expect(writes(third)).toEqual(['lease!'])
  expect(replies(third)).toEqual([])
  expect(replies(node.persist(third))).toMatchObject([{ type: 'need' }])
})

test('Peers that only say they are seeds cannot push out one that the configuration names', () => {
  const named = `/ip4/10.0.0.2/tcp/7400/p2p/${PEER}` as Address
  const liars = Array.from({ length: LIMITS.leaseSeeds }, (_, n) => `${OTHER}${n}` as PeerId)
  expect(liars.every((liar) => liar < PEER)).toBe(true)
  const node = new SubmitNode({ seeds: [named] })
  for (const liar of liars) node.connect(liar, { seed: true })
  node.connect(PEER, { seed: true })
  const asked: string[] = []
  let effects = node.ask({ type: 'submit', envelope: mine.envelope })
  for (let next = requests(effects); next.length > 0; next = requests(effects)) {
    asked.push(...next)
    effects = node.answer(effects[0], { type: 'noted' })
  }
  expect(asked).toContain('lease peer')
  expect(asked).toHaveLength(LIMITS.leaseSeeds - 1)
  expect(writes(effects)).toEqual(['lease!'])
})

test('A silent seed is passed over, and so is one that refuses without proof', () => {
  const node = seeds()
  const first = node.ask({ type: 'submit', envelope: mine.envelope })
  const [asked] = ofKind(first, 'request')
  if (asked === undefined) throw new Error('nobody was asked')
  const second = node.handle({ kind: 'requestFailed', id: asked.id, code: 'NET_TIMEOUT' })
  expect(requests(second)).toEqual(['lease peer'])
  const lie = { type: 'refused', code: 'ORDER_PLACE_TAKEN', text: 'no' } as const
  expect(writes(node.answer(second[0], lie))).toEqual(['lease!'])
})

describe('Who was silent when it was asked for a lease', () => {
  const next = (counter: number) => make({ clock: { alice: counter }, text: `${counter}` }).envelope
  /** Asked for the first release, and failing after so long. */
  const failed = (node: SubmitNode, afterMs: number) =>
    unanswered(node, node.ask({ type: 'submit', envelope: next(1) }), afterMs)
  function unanswered(node: SubmitNode, asking: readonly Effect[], afterMs: number) {
    const [asked] = ofKind(asking, 'request')
    if (asked === undefined) throw new Error('nobody was asked')
    node.monoMs += afterMs
    return node.settled(node.handle({ kind: 'requestFailed', id: asked.id, code: 'NET_TIMEOUT' }))
  }
  const alone = (seeds: readonly Address[] = []) => {
    const node = new SubmitNode({ seeds })
    node.connect(PEER, { seed: true })
    return node
  }

  test('costs no further release its second, for some minutes', () => {
    const node = alone()
    const passed = failed(node, LIMITS.leaseAskMs)
    expect(passed.map(({ kind }) => kind)).toEqual(['persist', 'reply'])
    node.handle({ kind: 'disconnected', peer: PEER })
    node.monoMs += SILENT_MS - 1
    const second = node.ask({ type: 'submit', envelope: next(2) })
    expect(second.map(({ kind }) => kind)).toEqual(['persist'])
    expect(writes(second)).toEqual(['lease!'])
    node.monoMs += 1
    expect(requests(node.ask({ type: 'submit', envelope: next(3) }))).toEqual(['lease peer'])
  })

  test('leaves its turn among the lowest to one that answers', () => {
    const node = seeds()
    expect(requests(failed(node, LIMITS.leaseAskMs))).toEqual(['lease peer'])
    expect(requests(node.ask({ type: 'submit', envelope: next(2) }))).toEqual(['lease peer'])
  })

  test('is asked all the same where the configuration names it', () => {
    const node = alone([`/ip4/10.0.0.2/tcp/7400/p2p/${PEER}` as Address])
    failed(node, LIMITS.leaseAskMs)
    expect(requests(node.ask({ type: 'submit', envelope: next(2) }))).toEqual(['lease peer'])
  })

  test('is not who failed at once, as its connection ended', () => {
    const node = alone()
    failed(node, 1)
    expect(requests(node.ask({ type: 'submit', envelope: next(2) }))).toEqual(['lease peer'])
  })

  const lateMs = LIMITS.leaseAskMs + LIMITS.repairMs
  test('is not who was asked by a host that stood still: it is asked once more, and then passed over', () => {
    const node = alone()
    const again = failed(node, 20_000)
    expect(requests(again)).toEqual(['lease peer'])
    expect(writes(again)).toEqual([])
    const passed = unanswered(node, again, lateMs + 1)
    expect(requests(passed)).toEqual([])
    expect(writes(passed)).toEqual(['lease!'])
    expect(writes(node.ask({ type: 'submit', envelope: next(2) }))).toEqual(['lease!'])
  })

  test('is who does not answer the second time, and who failed a little late', () => {
    for (const again of [true, false]) {
      const node = alone()
      if (again) unanswered(node, failed(node, lateMs + 1), lateMs)
      else expect(writes(failed(node, lateMs))).toEqual(['lease!'])
      expect(writes(node.ask({ type: 'submit', envelope: next(2) }))).toEqual(['lease!'])
    }
  })

  test('is not who answered another question meanwhile: it is asked once more, and then passed over', () => {
    const node = alone()
    const asks = (name: string) => {
      const header = { channel: `app/${name}` as typeof CHANNEL }
      return node.ask({ type: 'submit', envelope: make({ clock: { alice: 1 }, header }).envelope })
    }
    const [first, second] = [asks('one'), asks('two')]
    node.monoMs += 1
    node.answer(first[0], { type: 'noted' })
    const again = unanswered(node, second, LIMITS.leaseAskMs)
    expect(requests(again)).toEqual(['lease peer'])
    const third = asks('three')
    node.monoMs += 1
    node.answer(third[0], { type: 'noted' })
    expect(writes(unanswered(node, again, LIMITS.leaseAskMs))).toEqual(['lease!'])
    expect(requests(asks('four'))).toEqual(['lease peer'])
  })

  test('nor is one asked again that is gone', () => {
    const node = alone()
    const asking = node.ask({ type: 'submit', envelope: next(1) })
    node.disconnect(PEER)
    expect(writes(unanswered(node, asking, 20_000))).toEqual(['lease!'])
  })
})

describe('A refusal counts only with an envelope that verifies, of another release in that place or above', () => {
  const asking = make({ clock: { alice: 2 }, text: 'mine' })
  const { envelope: above } = make({ clock: { alice: 2 }, text: 'theirs' })
  const { envelope: below } = make({ clock: { alice: 1 }, text: 'mine' })
  const elsewhere = { channel: 'app/elsewhere' as typeof CHANNEL }
  const { envelope: ofOther } = make({ clock: { alice: 2 }, header: elsewhere })
  const forged = above.slice()
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1

  test.each([
    ['of the release itself', asking.envelope],
    ['of a lower place', below],
    ['of another channel', ofOther],
    ['forged', forged],
  ])('one %s proves nothing: the next is asked', (_, envelope) => {
    const node = seeds()
    const asked = node.ask({ type: 'submit', envelope: asking.envelope })
    const next = node.answer(asked[0], { type: 'refused', code: 'ORDER_PLACE_TAKEN', text: 'no', envelope })
    expect(requests(next)).toEqual(['lease peer'])
  })
})

test('A proven refusal frees what was taken and is passed on with its proof', () => {
  const node = seeds()
  const second = node.answer(node.ask({ type: 'submit', envelope: mine.envelope })[0], { type: 'noted' })
  const taken = { type: 'refused', code: 'ORDER_PLACE_TAKEN', text: 'no', envelope: theirs.envelope } as const
  const after = node.answer(second[0], taken)
  expect(requests(after)).toEqual(['free other'])
  expect(replies(after)).toMatchObject([{ code: 'ORDER_PLACE_TAKEN', envelope: theirs.envelope }])
  expect(writes(after)).toEqual(['audit'])
})

test('A seed that is behind takes no release that another knows to be stale: its publisher is told so', () => {
  const newer = make({ clock: { alice: 2 }, text: 'newer' })
  const ahead = seeds()
  ahead.settled(ahead.handle(gossip(newer)))
  const [refused] = replies(ahead.ask({ type: 'lease', envelope: mine.envelope }, PEER))
  expect(refused).toMatchObject({ type: 'refused', code: 'ORDER_STALE', envelope: newer.envelope })
  const behind = new SubmitNode()
  behind.connect(PEER, { seed: true })
  const [asked] = behind.ask({ type: 'submit', envelope: mine.envelope })
  const after = behind.answer(asked, refused as PublishReply)
  expect(after.map(({ kind }) => kind).sort()).toEqual(['persist', 'reply'])
  const text = 'a newer release of this channel is known; publish on top of it'
  expect(replies(after)).toEqual([{ type: 'refused', code: 'ORDER_STALE', text }])
  expect(writes(after)).toEqual(['audit'])
})

test('but not where all that is shown stands beside it: the next one is signed above that', () => {
  const beside = make({ publisher: 'bob', clock: { bob: 9 } })
  const behind = new SubmitNode()
  behind.connect(PEER, { seed: true })
  const [asked] = behind.ask({ type: 'submit', envelope: mine.envelope })
  const { envelope } = beside
  const after = behind.answer(asked, { type: 'refused', code: 'ORDER_STALE', text: 'no', envelope })
  expect(replies(after)).toMatchObject([{ code: 'ORDER_PLACE_TAKEN', envelope }])
})

test('While one upload has a place, another id gets ORDER_PLACE_TAKEN with its envelope', () => {
  const node = new SubmitNode()
  node.settled(node.ask({ type: 'submit', envelope: mine.envelope }))
  const [reply] = replies(node.ask({ type: 'submit', envelope: theirs.envelope }))
  expect(reply).toMatchObject({ type: 'refused', code: 'ORDER_PLACE_TAKEN', envelope: mine.envelope })
})

test('What is shown of a taken place is its own publisher’s, whatever another has above: a run cut off finds its release', () => {
  const node = seeds()
  const above = make({ clock: { bob: 1 }, publisher: 'bob', text: 'above' })
  for (const { envelope } of [theirs, above])
    expect(replies(node.settled(node.ask({ type: 'lease', envelope }, PEER)))).toEqual([{ type: 'noted' }])
  const shown = () => replies(node.ask({ type: 'submit', envelope: mine.envelope }))
  const taken = { type: 'refused', code: 'ORDER_PLACE_TAKEN' }
  expect(shown()).toMatchObject([{ ...taken, envelope: theirs.envelope }])
  node.settled(node.handle(gossip(above)))
  expect(shown()).toMatchObject([{ ...taken, envelope: theirs.envelope }])
  // The next has to be signed behind all of them.
  const next = make({ clock: { alice: 3 }, text: 'next' })
  node.settled(node.ask({ type: 'lease', envelope: next.envelope }, PEER))
  expect(shown()).toMatchObject([{ ...taken, envelope: next.envelope }])
})

test('A lease is lent to an admitted seed once its record is on disk; another id is refused, never passed on', () => {
  const node = seeds()
  expect(refusal(node.ask({ type: 'lease', envelope: mine.envelope }, TOOL))).toBe('ADMIT_REFUSED')
  const asked = node.ask({ type: 'lease', envelope: mine.envelope }, PEER)
  expect(writes(asked)).toEqual(['lease!'])
  expect(replies(asked)).toEqual([])
  expect(replies(node.persist(asked))).toEqual([{ type: 'noted' }])
  const other = node.ask({ type: 'lease', envelope: theirs.envelope }, OTHER)
  expect(requests(other)).toEqual([])
  expect(replies(other)).toMatchObject([{ code: 'ORDER_PLACE_TAKEN', envelope: mine.envelope }])
  expect(replies(node.ask({ type: 'submit', envelope: theirs.envelope }))).toMatchObject([
    { code: 'ORDER_PLACE_TAKEN' },
  ])
})

test('Only the seed it is lent to frees a lease; else it ends 10 minutes after its last renewal', () => {
  const node = seeds()
  const lend = () => node.settled(node.ask({ type: 'lease', envelope: mine.envelope }, PEER))
  const taken = () => refusal(node.ask({ type: 'lease', envelope: theirs.envelope }, OTHER))
  lend()
  node.ask({ type: 'free', release: mine.id }, OTHER)
  expect(taken()).toBe('ORDER_PLACE_TAKEN')
  expect(writes(node.ask({ type: 'free', release: mine.id }, PEER))).toEqual(['dropLease'])

  lend()
  node.monoMs += LIMITS.leaseMs - 1
  expect(writes(lend())).toEqual([])
  expect(writes(node.tick(LIMITS.leaseMs - 1))).toEqual([])
  expect(taken()).toBe('ORDER_PLACE_TAKEN')
  expect(writes(node.tick(1))).toEqual(['dropLease'])
  expect(writes(node.ask({ type: 'lease', envelope: theirs.envelope }, OTHER))).toEqual(['lease!'])
})

test('A lease survives a restart with its full time', () => {
  const place = { epoch: 1, counter: 1, publisher: 'alice' as never }
  const lease = { channel: CHANNEL, place, release: mine.id, envelope: mine.envelope, holder: PEER }
  const snapshot: Partial<Snapshot> = { leases: [lease] }
  const node = new SubmitNode({}, snapshot)
  expect(refusal(node.ask({ type: 'submit', envelope: theirs.envelope }))).toBe('ORDER_PLACE_TAKEN')
  node.tick(LIMITS.leaseMs)
  expect(writes(node.ask({ type: 'submit', envelope: theirs.envelope }))).toEqual(['lease!'])
})

test('So do leases beyond what may be granted now, and their records go at their end', () => {
  const lent = [1, 2].map((counter) => {
    const { id: release, envelope } = make({ clock: { alice: counter }, text: 'mine' })
    const place = { epoch: 1, counter, publisher: 'alice' as never }
    return { channel: CHANNEL, place, release, envelope, holder: PEER }
  })
  const node = new SubmitNode({ limits: { ...LIMITS, maxLeases: 1 } }, { leases: lent })
  for (const counter of [1, 2]) {
    const other = make({ clock: { alice: counter }, text: 'theirs' })
    expect(refusal(node.ask({ type: 'submit', envelope: other.envelope }))).toBe('ORDER_PLACE_TAKEN')
  }
  expect(writes(node.tick(LIMITS.leaseMs))).toEqual(['dropLease', 'dropLease'])
})

test('The uploading seed renews each minute while there is progress; a proven refusal ends the upload', () => {
  const node = new SubmitNode()
  node.connect(PEER, { seed: true })
  const made = make({ clock: { alice: 1 }, text: 'x'.repeat(LIMITS.maxInlineBytes) })
  node.settled(node.answer(node.ask({ type: 'submit', envelope: made.envelope })[0], { type: 'noted' }))
  expect(requests(node.tick(LIMITS.leaseRenewMs))).toEqual([])
  node.settled(node.ask({ type: 'page', release: made.id, bytes: made.page }))
  const renewed = node.tick(LIMITS.leaseRenewMs)
  expect(requests(renewed)).toEqual(['lease peer'])
  const refused = {
    type: 'refused',
    code: 'ORDER_PLACE_TAKEN',
    text: 'no',
    envelope: theirs.envelope,
  } as const
  expect(requests(node.answer(renewed[0], refused))).toEqual(['free peer'])
  expect(refusal(node.ask({ type: 'block', release: made.id, bytes: made.block }))).toBe('ORDER_PLACE_TAKEN')
})

test('A place that was lent while others were asked for it is taken: what they gave is freed', () => {
  const node = seeds()
  const first = node.ask({ type: 'submit', envelope: mine.envelope })
  node.settled(node.ask({ type: 'lease', envelope: theirs.envelope }, PEER))
  const second = node.answer(first[0], { type: 'noted' })
  const last = node.answer(second[0], { type: 'noted' })
  expect(replies(last)).toMatchObject([{ code: 'ORDER_PLACE_TAKEN', envelope: theirs.envelope }])
  expect(requests(last)).toEqual(['free other', 'free peer'])
  // How the others answer that changes nothing.
  const [one, other] = ofKind(last, 'request')
  expect(node.answer(one, { type: 'noted' })).toEqual([])
  expect(node.handle({ kind: 'requestFailed', id: other?.id ?? 0, code: 'NET_TIMEOUT' })).toEqual([])
})

test('A lease that cannot be written is none: whoever asked is told, and the place is free', () => {
  for (const own of [true, false]) {
    const node = new SubmitNode()
    node.connect(PEER, { seed: true })
    const asked = own
      ? node.answer(node.ask({ type: 'submit', envelope: mine.envelope })[0], { type: 'noted' })
      : node.ask({ type: 'lease', envelope: mine.envelope }, PEER)
    const ticket = ofKind(asked, 'persist')[0]?.ticket ?? 0
    const failed = node.handle({ kind: 'persistFailed', ticket, code: 'STORE_FULL' })
    expect(refusal(failed)).toBe('STORE_FULL')
    expect(requests(failed)).toEqual(own ? ['free peer'] : [])
    expect(requests(node.ask({ type: 'submit', envelope: theirs.envelope }))).toEqual(['lease peer'])
  }
})

test('What others answer to an upload that has ended, or is under way, moves nothing', () => {
  const node = new SubmitNode()
  node.connect(PEER, { seed: true })
  const asked = node.ask({ type: 'submit', envelope: mine.envelope })
  node.tick(LIMITS.leaseMs)
  expect(node.answer(asked[0], { type: 'noted' })).toEqual([])

  const large = make({ clock: { alice: 2 }, text: 'x'.repeat(LIMITS.maxInlineBytes), also: 'y' })
  node.settled(node.answer(node.ask({ type: 'submit', envelope: large.envelope })[0], { type: 'noted' }))
  const [read] = ofKind(
    node.settled(node.ask({ type: 'page', release: large.id, bytes: large.page })),
    'read',
  )
  if (read === undefined) throw new Error('the page was not read')
  node.handle({ kind: 'blockRead', digest: read.digest, bytes: large.page })
  const [first] = ofKind(node.tick(LIMITS.leaseRenewMs), 'request')
  expect(node.handle({ kind: 'requestFailed', id: first?.id ?? 0, code: 'NET_TIMEOUT' })).toEqual([])
  node.settled(node.ask({ type: 'block', release: large.id, bytes: large.block }))
  const second = node.tick(LIMITS.leaseRenewMs)
  expect(requests(second)).toEqual(['lease peer'])
  expect(node.answer(second[0], { type: 'noted' })).toEqual([])
})
