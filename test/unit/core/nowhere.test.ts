/** What may be gone back to is fetched where it lacks anything, but not for ever, and only where it can be gone back to. */
import { expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { Event } from '../../../src/core/events.ts'
import { activated, BenchNode, comes, ofKind, soaked } from './bench-node.ts'
import {
  CHANNEL,
  floorOf,
  type Made,
  make,
  OTHER,
  PEER,
  ROOT,
  raised,
  record,
  rootBytes,
  WALL_MS,
} from './fleet.ts'

const good = make({ clock: { alice: 1 } })
const next = make({ clock: { alice: 2 }, text: 'b=1\n' })
const TICK: Event = { kind: 'tick' }
const wants = (effects: readonly Effect[], digest = sha256(good.page)) =>
  ofKind(effects, 'request').filter(
    ({ request: { message } }) => message.type === 'want' && message.digest === digest,
  )
const codes = (effects: readonly Effect[]) =>
  ofKind(effects, 'note').flatMap(({ level, code }) => (level === 'debug' ? [] : [`${level} ${code}`]))

/** A minute goes by, or less, and whoever is asked has nothing. @returns what is said, and asked */
function inVain(node: BenchNode, asked: readonly Effect[] = [], seconds = 60): readonly Effect[] {
  const said: Effect[] = []
  let open = ofKind(asked, 'request')
  for (let after = 0; after < seconds; after += 1) {
    const failed = open.map(({ id }): Event => ({ kind: 'requestFailed', id, code: 'NET_TIMEOUT' }))
    node.monoMs += 1_000
    node.wallMs += 1_000
    const effects = [...failed, TICK].flatMap((event) => node.handle(event))
    effects.push(...node.persist(effects))
    open = ofKind(effects, 'request')
    said.push(...effects)
  }
  return said
}

/** After a start: the first has lost its content, this one is active, and that one, where it is another, the newest. */
function started(active: Made, root = ROOT, change: object = {}, newest = active, peers = [PEER]) {
  const node = new BenchNode()
  for (const peer of peers) node.peer(peer, { submit: true })
  const envelopes = [...new Set([good, newest])].map(({ id, envelope }) => ({
    release: id,
    channel: CHANNEL,
    bytes: envelope,
  }))
  const shown = { release: active.id, epoch: root.version, activatedAt: 5, soaked: active === good }
  const here = active === next ? [next, newest] : []
  const effects = node.start({
    roots: [...new Set([ROOT, root])].map((each) => ({ version: each.version, envelope: rootBytes(each) })),
    floors: [floorOf(newest, root.version), floorOf(newest, root.version)],
    channels: [record([newest.id], { active: shown, ...change })] as never,
    envelopes,
    whole: here.map(({ id }) => id),
    blocks: new Set(here.flatMap(({ content }) => [...content.keys()])),
  })
  return { node, effects }
}

it('that nobody has is asked for no more once the next is active, until its channel is written again', () => {
  const { node, effects } = started(good)
  // Its files are to be put right: that is awaited.
  expect(codes(inVain(node, effects))).toEqual(['error FETCH_UNAVAILABLE'])
  const still = inVain(node)
  expect(wants(still).length).toBeGreaterThan(0)

  comes(node, next)
  const shown = node.persist(node.run(activated(next, 'healthy')))
  // It soaks meanwhile, which is written: once more it begins, and is given up.
  const minute = inVain(node, [...still, ...shown])
  const said = [...minute, ...inVain(node, minute)]
  expect(codes(said)).toEqual(['warn FETCH_UNAVAILABLE', 'warn FETCH_UNAVAILABLE'])
  expect(ofKind(said, 'note').map(({ text }) => text)).toContainEqual(
    expect.stringMatching(/any peer; asked for again with the next release of its channel, or a start$/),
  )
  expect(wants(inVain(node))).toEqual([])
  expect(wants(comes(node, make({ clock: { alice: 3 }, text: 'c=1\n' }))).length).toBeGreaterThan(0)
})

it('what keeps the newest back is said on, whatever else cannot be had', () => {
  const over = make({ clock: { alice: 3 }, text: 'c=1\n', header: { expires: WALL_MS - 1 } })
  const { node, effects } = started(next, ROOT, { lastGood: good.id, lastGoodEpoch: 1 }, over)
  const code = () => node.channelView(CHANNEL)?.lastError?.code
  expect(code()).toBe('ACTIVATE_EXPIRED')
  expect(codes(inVain(node, effects))).toContain('warn FETCH_UNAVAILABLE')
  expect(code()).toBe('ACTIVATE_EXPIRED')
})

it('while its files are to be put right it is asked for on and on, whatever is the newest', () => {
  const { node, effects } = started(good, ROOT, {}, next)
  const minute = inVain(node, effects)
  const another = inVain(node, minute)
  expect(wants(inVain(node, another)).length).toBeGreaterThan(0)
})

it('what applications read is asked for on and on, though a newer release is kept back', () => {
  const node = soaked(good)
  comes(node, make({ clock: { alice: 3 }, text: 'c=1\n', header: { expires: WALL_MS - 1 } }))
  node.run({ kind: 'blockLost', digest: sha256(good.block) })
  node.monoMs += 10_000
  node.run(TICK)
  const asked = node.run({ kind: 'blockRead', digest: sha256(good.page), bytes: good.page })
  const minute = inVain(node, asked)
  expect(codes(minute)).toContain('error FETCH_UNAVAILABLE')
  expect(wants(inVain(node, inVain(node, minute)), sha256(good.block)).length).toBeGreaterThan(0)
})

it('while nobody is there to give it nothing is given up', () => {
  const { node, effects } = started(next, ROOT, { lastGood: good.id, lastGoodEpoch: 1 }, next, [])
  inVain(node, effects)
  node.peer(PEER, { submit: true })
  expect(wants(inVain(node)).length).toBeGreaterThan(0)
})

it.each([
  ['has been there for a moment', undefined],
  ['stores other channels', ['db/*']],
])('nor where all who are there %s', (_, patterns) => {
  const { node, effects } = started(next, ROOT, { lastGood: good.id, lastGoodEpoch: 1 }, next, [])
  if (patterns !== undefined) node.peer(PEER, { submit: true, patterns })
  const asked = inVain(node, effects, 29)
  node.peer(patterns === undefined ? PEER : OTHER, { submit: true })
  expect(wants(inVain(node, inVain(node, asked, 4))).length).toBeGreaterThan(0)
})

it('that it is given up is said, though it was said before that it is asked for on', () => {
  const { node, effects } = started(next, ROOT, { lastGood: good.id, lastGoodEpoch: 1 }, next, [])
  const lonely = inVain(node, effects)
  node.peer(PEER, { submit: true })
  const texts = (said: readonly Effect[]) =>
    ofKind(said, 'note').flatMap(({ code, text }) => (code === 'FETCH_UNAVAILABLE' ? [text] : []))
  expect(texts(lonely)).toEqual([expect.stringMatching(/asking on$/)])
  expect(texts(inVain(node))).toEqual([expect.stringMatching(/or a start$/)])
})

it.each([
  ['would be gone back to', ROOT, {}, 1],
  ['is of an ended epoch', raised(ROOT), {}, 0],
  ['has failed', ROOT, { failed: [good.id] }, 0],
])('last-known-good that %s is fetched, or is not', (_, root, change, asked) => {
  const { effects } = started(next, root, { lastGood: good.id, lastGoodEpoch: 1, ...change })
  expect(wants(effects)).toHaveLength(asked)
})
