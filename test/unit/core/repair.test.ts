/** What a node does where others lie, stall or spoil blocks: whom it asks next, and when. */
import { describe, expect, it, vi } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Event } from '../../../src/core/events.ts'
import { Entrants } from '../../../src/core/fetch/entry.ts'
import { Patience } from '../../../src/core/fetch/patience.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest, PeerId } from '../../../src/model/ids.ts'
import type { BlocksReply } from '../../../src/model/messages.ts'
import { addressOf } from '../core-peers/fakes.ts'
import { BenchNode, ofKind } from './bench-node.ts'
import { CHANNEL, gossip, type Made, make, OTHER, PEER, SELF } from './fleet.ts'

const SEED = '12D3KooWseed' as PeerId
const THIRD = '12D3KooWthird' as PeerId
/** Who brings a block in hangs on its digest, and that on this run's keys: contents are tried until one fits the test. */
function suited(fits: (release: Made) => boolean, more = 0): Made {
  for (let n = 0; ; n += 1) {
    const also = Array.from({ length: more }, (_, at) => `${at}=${n}\n`)
    const release = make({ clock: { alice: 1 }, text: `a=${n}\n`, also })
    if (fits(release)) return release
  }
}
const brings = (digest: Digest, peer: PeerId, ...others: PeerId[]): boolean =>
  new Entrants([peer, ...others]).fetcher(digest) === peer
const NAMES = Array.from({ length: 16 }, (_, n) => `12D3KooWn${n}` as PeerId)
/** Those that should bring the page in before this node. */
const beforeSelf = ({ page }: Made) => NAMES.filter((name) => brings(sha256(page), name, SELF))

const made = suited(
  (release) =>
    beforeSelf(release).length >= 5 &&
    [release.page, release.block].every((each) => brings(sha256(each), SELF, PEER)),
)
const before = beforeSelf(made).slice(0, 5)
const page = sha256(made.page)
const block = sha256(made.block)
const timeoutMs = LIMITS.blockDeadlineMs
const ELSEWHERE: BlocksReply = { type: 'redirect', peer: THIRD, addresses: [addressOf(THIRD)] }

const want = (id: number, peer: PeerId, digest: Digest, failed?: true) => ({
  kind: 'request',
  id,
  peer,
  request: { protocol: 'blocks', message: { type: 'want', digest, ...(failed && { failed }) } },
  timeoutMs,
})
const replied = (id: number, message: BlocksReply): Event => ({
  kind: 'reply',
  id,
  reply: { protocol: 'blocks', message },
})
const gives = (id: number, bytes: Uint8Array): Event => replied(id, { type: 'block', bytes })
const written = (ticket: number, digest: Digest, bytes: Uint8Array) => ({
  kind: 'persist',
  ticket,
  writes: [{ kind: 'block', digest, bytes }],
  sync: false,
})

/** Its target is known and its content missing; these neighbours are linked and have said nothing yet. */
function fetching(...neighbours: PeerId[]) {
  const node = new BenchNode()
  node.start()
  for (const peer of neighbours) node.peer(peer, { submit: peer === SEED })
  node.run(gossip(made))
  const first = node.run({ kind: 'persisted', ticket: 1 })
  const says = (peer: PeerId, whole = true) => {
    const holding = whole ? { whole } : { whole, ranges: [0, 2] }
    const message = { type: 'holds', release: made.id, channel: CHANNEL, ...holding } as const
    return node.run({ kind: 'request', id: 1, peer, request: { protocol: 'blocks', message } })
  }
  const tick = (monoMs: number) => {
    node.monoMs = monoMs
    return node.run({ kind: 'tick' })
  }
  return { node, first, says, tick }
}

/** One release after the other, a second apart. */
function releases(neighbours: readonly PeerId[]) {
  const node = new BenchNode()
  node.start()
  for (const peer of neighbours) node.peer(peer)
  const open = new Map<PeerId, number>()
  let made = 0
  const run = (event: Event): PeerId[] => {
    const effects = node.run(event)
    const asked = ofKind(effects, 'request').filter(({ request }) => request.message.type === 'want')
    for (const { peer, id } of asked) open.set(peer, id)
    for (const { ticket } of ofKind(effects, 'persist')) run({ kind: 'persisted', ticket })
    return asked.map(({ peer }) => peer)
  }
  return {
    /** A new release, and that these have it. */
    says: (...peers: PeerId[]): Made => {
      made += 1
      node.monoMs = 1_000 * made
      const release = make({ clock: { alice: made }, text: `${made}\n` })
      run(gossip(release))
      const message = { type: 'holds', release: release.id, channel: CHANNEL, whole: true } as const
      for (const peer of peers)
        run({ kind: 'request', id: 1, peer, request: { protocol: 'blocks', message } })
      return release
    },
    /** Whom it asks for a block so long after the release came. */
    at: (ms: number) => {
      node.monoMs = 1_000 * made + ms
      return run({ kind: 'tick' })
    },
    gives: (peer: PeerId, bytes: Uint8Array) => run(gives(open.get(peer) as number, bytes)),
  }
}

describe('a neighbour that is busy', () => {
  it('where blocks take long is asked again only after a quarter of that', () => {
    const { node, says, tick } = fetching(PEER)
    says(PEER)
    node.monoMs = 360
    node.run(gives(1, made.page))
    node.run(replied(2, { type: 'busy', retryAfterMs: 10 }))
    expect(ofKind(tick(360 + 44), 'request')).toEqual([])
    expect(tick(360 + 136)).toContainEqual(want(3, PEER, block))
  })
})

describe('a neighbour that leaves a block lying', () => {
  it('is not waited for: after 100 ms a second one is asked, and what comes first is written, once', () => {
    const { node, says, tick } = fetching(PEER, OTHER)
    expect(says(PEER)).toEqual([want(1, PEER, page)])
    expect(says(OTHER)).toEqual([])
    expect(tick(99)).toEqual([{ kind: 'wake', atMonoMs: 100 }])
    expect(tick(100)).toEqual([want(2, OTHER, page), { kind: 'wake', atMonoMs: 200 }])
    // The first is no worse off than slow: it is left alone only once it has been silent for 400 ms.
    expect(node.run(gives(2, made.page))).toEqual([written(2, page, made.page), want(3, OTHER, block)])
    expect(node.run(gives(1, made.page))).toEqual([])
  })

  it('is not waited for in the next release either', () => {
    const { node, says, tick } = fetching(PEER, OTHER)
    says(PEER)
    node.persist(node.run(gives(1, made.page)))
    node.persist(node.persist(node.run(gives(2, made.block))))
    tick(100)
    node.monoMs = 5_000
    const next = make({ clock: { alice: 2 }, text: 'next\n' })
    node.persist(node.run(gossip(next)))
    const message = { type: 'holds', release: next.id, channel: CHANNEL, whole: true } as const
    for (const peer of [PEER, OTHER])
      node.run({ kind: 'request', id: 1, peer, request: { protocol: 'blocks', message } })
    expect(ofKind(tick(5_100), 'request')).toEqual([want(5, OTHER, sha256(next.page))])
  })

  it('is found out, though each release is whole without it soon: any number of such is not waited for', () => {
    const { says, gives, at } = releases([...NAMES, OTHER])
    for (const silent of NAMES.slice(0, 6)) {
      const release = says(silent, OTHER)
      expect(at(LIMITS.hedgeMs)).toEqual([OTHER])
      gives(OTHER, release.page)
      gives(OTHER, release.block)
      expect(at(LIMITS.blockSilenceMs)).toEqual([])
    }
  })

  it('is no reason to spend what is kept for slow ones on a block that came from elsewhere meanwhile', () => {
    const spent = vi.spyOn(Patience.prototype, 'hedge')
    const { says, gives, at } = releases([PEER, OTHER])
    const release = says(PEER, OTHER)
    expect(at(LIMITS.hedgeMs)).toEqual([OTHER])
    gives(PEER, release.page)
    gives(PEER, release.block)
    for (let ms = LIMITS.hedgeMs; ms < LIMITS.hedgeMs + LIMITS.blockSilenceMs; ms += 10) at(ms)
    expect(spent).toHaveBeenCalledTimes(1)
    spent.mockRestore()
  })

  it('for a while and lacks it then costs nothing that is kept for slow ones: any number of such is not waited for', () => {
    const liars = NAMES.slice(0, 8)
    const { node, says, tick } = fetching(...liars)
    for (const peer of liars) says(peer)
    for (let id = 1; id < liars.length; id += 1) {
      expect(ofKind(tick(100 * id), 'request')).toHaveLength(1)
      expect(ofKind(node.run(replied(id, { type: 'gone' })), 'request')).toEqual([])
    }
  })

  it('is blamed for nothing where this node was busy itself: it looks again before it asks another', () => {
    const { says, tick } = fetching(PEER, OTHER)
    says(PEER)
    says(OTHER)
    const late = 100 + LIMITS.hedgeMs / 2 + 1
    expect(tick(late)).toEqual([{ kind: 'wake', atMonoMs: late + LIMITS.hedgeMs / 2 }])
    expect(ofKind(tick(late + LIMITS.hedgeMs / 2), 'request')).toEqual([want(2, OTHER, page)])
  })

  it('is asked for nothing else while it is silent, and after all others from then on', () => {
    const { node, says, tick } = fetching(PEER, OTHER, THIRD)
    for (const peer of [PEER, OTHER, THIRD]) says(peer)
    tick(100)
    tick(200)
    expect(ofKind(node.run(gives(2, made.page)), 'request')).toEqual([want(4, OTHER, block)])
  })

  it('keeps nobody else’s wrong bytes from being mended at once', () => {
    const { node, says, tick } = fetching(PEER, OTHER, THIRD)
    for (const peer of [PEER, OTHER]) says(peer)
    tick(100)
    says(THIRD)
    expect(ofKind(node.run(gives(2, made.block)), 'request')).toEqual([want(3, THIRD, page)])
  })
})

describe('a neighbour that says it has everything', () => {
  it('keeps no block out of the region: whoever is to bring it in asks the seed for what that one does not give at once', () => {
    const two = suited(({ content }) => [...content.keys()].every((digest) => brings(digest, SELF, PEER)), 1)
    const node = new BenchNode()
    node.start()
    node.peer(SEED, { submit: true })
    node.run(gossip(two))
    const [first] = ofKind(node.run({ kind: 'persisted', ticket: 1 }), 'request')
    expect(first).toEqual(want(1, SEED, sha256(two.page)))
    node.peer(PEER)
    const message = { type: 'holds', release: two.id, channel: CHANNEL, whole: true } as const
    node.run({ kind: 'request', id: 1, peer: PEER, request: { protocol: 'blocks', message } })
    const asked = ofKind(node.run(gives(1, two.page)), 'request')
    expect(asked.map(({ peer }) => peer)).toEqual([PEER, SEED])
  })

  it('and gives nothing is asked after whoever gave something, whatever the draw', () => {
    for (const draw of [0, 0.99]) {
      const node = new BenchNode({ random: () => draw })
      node.start()
      for (const peer of [PEER, OTHER]) node.peer(peer)
      const say = (release: Made, peer: PeerId) => {
        const message = { type: 'holds', release: release.id, channel: CHANNEL, whole: true } as const
        node.run({ kind: 'request', id: 1, peer, request: { protocol: 'blocks', message } })
      }
      node.persist(node.run(gossip(made)))
      say(made, PEER)
      say(made, OTHER)
      node.run(replied(1, { type: 'gone' }))
      node.persist(node.run(gives(2, made.page)))
      node.persist(node.persist(node.run(gives(3, made.block))))
      node.monoMs = 60_000
      const next = make({ clock: { alice: 2 }, text: 'next\n' })
      say(next, PEER)
      say(next, OTHER)
      const asked = node.persist(node.run(gossip(next)))
      expect(ofKind(asked, 'request').map(({ peer }) => peer)).toEqual([OTHER])
    }
  })

  it('is left for the seed as soon as it is slow', () => {
    const [liar] = before
    const { says, tick, first } = fetching(liar as PeerId, SEED)
    expect(first).toEqual([{ kind: 'wake', atMonoMs: 100 }])
    expect(says(liar as PeerId)).toEqual([want(1, liar as PeerId, page)])
    expect(ofKind(tick(100), 'request')).toEqual([want(2, SEED, page)])
  })
})

describe('a neighbour that does not store the channel', () => {
  const ELSE = { patterns: ['elsewhere/**'] }

  it('is asked for what it says it has, and its word counts no longer than that of any other', () => {
    const { node, says } = fetching()
    node.peer(PEER, ELSE)
    node.peer(SEED, { submit: true, region: 'far' })
    expect(says(PEER)).toEqual([want(1, PEER, page)])
    expect(ofKind(node.run(replied(1, { type: 'gone' })), 'request')).toEqual([want(2, SEED, page)])
  })

  it('gives what a seed has sent this node to it for: the same content is in a channel that it stores', () => {
    const { node } = fetching(SEED)
    node.peer(THIRD, ELSE)
    expect(ofKind(node.run(replied(1, ELSEWHERE)), 'request')).toEqual([want(2, THIRD, page)])
    expect(ofKind(node.run(gives(2, made.page)), 'persist')).toEqual([written(1 + 1, page, made.page)])
  })

  it('is asked for nothing else, nor to bring anything in', () => {
    const { node, tick } = fetching()
    node.peer(PEER, ELSE)
    const message = {
      type: 'holds',
      release: made.id,
      channel: CHANNEL,
      whole: false,
      ranges: [5, 1],
    } as const
    node.run({ kind: 'request', id: 1, peer: PEER, request: { protocol: 'blocks', message } })
    const asked = Array.from({ length: 50 }, (_, at) => ofKind(tick(100 * at), 'request')).flat()
    expect(asked).toEqual([])
    node.peer(SEED, { submit: true })
    expect(ofKind(tick(5_000), 'request')).toContainEqual(want(1, SEED, page))
  })
})

it('a seed that has single blocks by its own word is asked for them, and then another', () => {
  const { node, says } = fetching()
  for (const seed of [PEER, SEED]) node.peer(seed, { submit: true, region: 'far' })
  expect(says(PEER, false)).toEqual([want(1, PEER, page)])
  expect(ofKind(node.run(replied(1, { type: 'gone' })), 'request')).toEqual([want(2, SEED, page)])
})

describe('a block that nobody brings in', () => {
  it('is one of the next three’s after 100 ms without any block, and one of twelve more’s after 200 more', () => {
    const near = fetching(...before.slice(0, 3), SEED)
    expect(near.first).toEqual([{ kind: 'wake', atMonoMs: 100 }])
    expect(near.tick(99)).toEqual([{ kind: 'wake', atMonoMs: 100 }])
    expect(near.tick(100)).toEqual([want(1, SEED, page), { kind: 'wake', atMonoMs: 300 }])
    const far = fetching(...before, SEED)
    expect(ofKind(far.tick(100), 'request')).toEqual([])
    expect(ofKind(far.tick(299), 'request')).toEqual([])
    expect(ofKind(far.tick(300), 'request')).toEqual([want(1, SEED, page)])
  })

  it('is asked of the seed again where the one it sent to gives nothing for as long as makes it silent', () => {
    const { node, first, tick } = fetching(SEED)
    expect(ofKind(first, 'request')).toEqual([want(1, SEED, page)])
    const sent = node.run(replied(1, { type: 'redirect', peer: THIRD, addresses: [] }))
    const soonest = 0.75 * LIMITS.blockSilenceMs
    expect(sent).toEqual([])
    expect(ofKind([...tick(100), ...tick(soonest - 1)], 'request')).toEqual([])
    expect(ofKind(tick(soonest), 'request')).toEqual([want(2, SEED, page, true)])
  })

  it.each<[string, BlocksReply]>([
    ['sends on, and is no seed', ELSEWHERE],
    ['says something else', { type: 'noted' }],
    ['refuses', { type: 'refused', code: 'LIMIT_RATE', text: 'not now' }],
  ])('is asked of a seed beyond the border as soon as who has all by its own word %s', (_, reply) => {
    const { node, says } = fetching(PEER)
    node.peer(SEED, { submit: true, region: 'far' })
    expect(says(PEER)).toEqual([want(1, PEER, page)])
    const next = node.run(replied(1, reply))
    expect(ofKind(next, 'request')).toEqual([want(2, SEED, page)])
    expect(ofKind(next, 'dial')).toEqual([])
  })

  it('a seed sends on but once: one that does so again is left alone for a second', () => {
    const { node, tick } = fetching(SEED)
    node.run(replied(1, ELSEWHERE))
    expect(ofKind(tick(300), 'request')).toEqual([want(2, SEED, page, true)])
    const asked = [...node.run(replied(2, ELSEWHERE))]
    for (let ms = 400; ms < 1_300; ms += 100) asked.push(...tick(ms))
    expect(ofKind(asked, 'request').filter(({ request }) => request.message.type === 'want')).toEqual([])
    expect(ofKind(tick(1_400), 'request')).toContainEqual(want(2 + 1, SEED, page, true))
  })

  it('is asked of the seed, and others after it one by one, where the seed is far, says nothing, and nobody near has any', () => {
    const many = suited(
      ({ content }) => [...content.keys()].every((digest) => !brings(digest, SELF, ...NAMES)),
      3,
    )
    const digests = [...many.content.keys()]
    const node = new BenchNode({ random: () => 0.5 })
    node.start({ blocks: new Set([digests[0] as Digest]) })
    for (const name of NAMES) node.peer(name)
    node.peer(SEED, { submit: true, region: 'far' })
    node.run(gossip(many))
    node.run({ kind: 'persisted', ticket: 1 })
    node.run({ kind: 'blockRead', digest: digests[0] as Digest, bytes: many.page })
    const asked: number[] = []
    for (let ms = 100; ms <= 5_000; ms += 100) {
      node.monoMs = ms
      const wants = ofKind(node.run({ kind: 'tick' }), 'request').filter(({ peer }) => peer === SEED)
      if (wants.length > 0) asked.push(wants.length)
    }
    expect(asked).toEqual([1, 1, 1])
  })
})
