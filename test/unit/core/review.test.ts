/** A block was lost, of which release is not known: those that count are looked through, and all but its own stay as they are. */
import { expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { encodePage } from '../../../src/codec/page.ts'
import type { Effect } from '../../../src/core/effects.ts'
import type { Event } from '../../../src/core/events.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel } from '../../../src/model/ids.ts'
import { BenchNode, comes, ofKind } from './bench-node.ts'
import { CHANNEL, given, gossip, type Made, make, OTHER, PEER } from './fleet.ts'

const sound = make({ clock: { alice: 1 } })
const hurt = make({ clock: { alice: 1 }, text: 'b=1\n', header: { channel: 'app/other' as Channel } })
const pageOf = ({ page }: Made): Event => ({ kind: 'blockRead', digest: sha256(page), bytes: page })

/** Both became whole long ago; a block of the second was lost, and both are looked through. */
function reviewing() {
  const node = new BenchNode()
  node.start()
  node.peer(PEER, { submit: true })
  for (const made of [sound, hurt]) comes(node, made)
  node.monoMs = 60_000
  node.wallMs += 30 * 24 * 3_600_000
  node.run({ kind: 'tick' })
  node.heard.splice(0)
  node.run({ kind: 'blockLost', digest: sha256(hurt.block) })
  node.monoMs += 1
  const reads = ofKind(node.run({ kind: 'tick' }), 'read').map(({ digest }) => digest)
  expect(reads).toEqual([sound, hurt].map(({ page }) => sha256(page)))
  const isWhole = ({ id }: Made) => {
    let is = false
    node.inside((_step, journey) => {
      is = journey.isWhole(id)
    })
    return is
  }
  return { node, isWhole }
}

it('says nothing of what lacks nothing: it is whole all the while, measured once, and offered to nobody anew', () => {
  const { node, isWhole } = reviewing()
  node.peer(OTHER)
  expect(isWhole(sound)).toBe(true)
  const said: Effect[] = [...node.handle(pageOf(sound))]
  expect(isWhole(sound)).toBe(true)
  for (let after = 0; after < 10; after += 1) {
    node.monoMs += LIMITS.haveBatchMs + LIMITS.fewPauseMs
    said.push(...node.handle({ kind: 'tick' }))
  }
  expect([...ofKind(said, 'observe'), ...ofKind(said, 'persist'), ...ofKind(said, 'request')]).toEqual([])
  expect(node.heard).toEqual([])
  // Nor is it under way any more.
  expect(node.channelView(sound.release.header.channel)?.fetch).toBeUndefined()
})

it('fetches what is gone of the other, which is not whole until that is here', () => {
  const { node, isWhole } = reviewing()
  expect(isWhole(hurt)).toBe(true)
  const [want] = ofKind(node.run(pageOf(hurt)), 'request')
  expect(want).toMatchObject({ request: { message: { type: 'want', digest: sha256(hurt.block) } } })
  expect([isWhole(hurt), isWhole(sound)]).toEqual([false, true])
  const closing = node.persist(node.run(given(want?.id, hurt.block)))
  expect(ofKind(closing, 'persist')).toMatchObject([{ writes: [{ kind: 'whole', release: hurt.id }] }])
  node.persist(closing)
  expect(isWhole(hurt)).toBe(true)
  expect(node.heard).toEqual(['whole app/other'])
})

it('of what has lost a page that is known before anything is read', () => {
  const { node, isWhole } = reviewing()
  node.persist(node.run(pageOf(sound)))
  node.run({ kind: 'blockLost', digest: sha256(sound.page) })
  node.monoMs += 10_000
  const [want] = ofKind(node.run({ kind: 'tick' }), 'request')
  expect(want).toMatchObject({ request: { message: { type: 'want', digest: sha256(sound.page) } } })
  expect(isWhole(sound)).toBe(false)
})

it('of what has lost one block the neighbours hear of all the others, those of pages read before as well', () => {
  const blocks = Array.from({ length: 12 }, (_, at) => new TextEncoder().encode(`${at}`))
  const files = blocks.map((block, at) => {
    const [digest, size] = [sha256(block), block.length]
    return { path: `${'abcdefghijkl'[at]}`, mode: 0o444 as const, size, digest, blocks: [{ digest, size }] }
  })
  const pages = [files.slice(0, 6), files.slice(6)].map((half) => encodePage(half))
  const bytes = blocks.reduce((sum, { length }) => sum + length, 0)
  const header = { pages: pages.map((page) => sha256(page)), files: files.length, bytes }
  const made = make({ clock: { alice: 1 }, header })
  const node = new BenchNode()
  node.start()
  node.persist(node.run(gossip(made, [...pages, ...blocks])))
  node.peer(OTHER)
  node.monoMs = 60_000
  node.run({ kind: 'tick' })
  node.run({ kind: 'blockLost', digest: sha256(blocks[6] as Uint8Array) })
  node.monoMs += 1
  node.run({ kind: 'tick' })
  for (const page of pages) node.run({ kind: 'blockRead', digest: sha256(page), bytes: page })

  const message = { type: 'have', release: made.id, channel: CHANNEL, whole: false } as const
  node.run({ kind: 'request', id: 1, peer: OTHER, request: { protocol: 'blocks', message } })
  node.monoMs += LIMITS.haveBatchMs
  const said = ofKind(node.run({ kind: 'tick' }), 'request').map(({ request }) => request.message)
  // Six of the first page, and five of the second: at the places before these are the pages.
  const ranges = [2, 6, 9, 5]
  expect(said.filter(({ type }) => type === 'holds')).toMatchObject([
    { release: made.id, whole: false, ranges },
  ])
})

it('goes on with what is left where another block is lost meanwhile: else the last of many would never be read', () => {
  const many = Array.from({ length: 30 }, (_, at) =>
    make({ clock: { alice: 1 }, text: `${at}\n`, header: { channel: `app/${at}` as Channel } }),
  )
  const [first, last] = [many[0], many.at(-1)] as [Made, Made]
  const node = new BenchNode()
  node.start()
  node.peer(PEER, { submit: true })
  for (const made of many) comes(node, made)
  node.monoMs = 60_000
  node.run({ kind: 'tick' })
  const read: string[] = []
  for (const { block } of [last, first, first, first, first]) {
    node.run({ kind: 'blockLost', digest: sha256(block) })
    node.monoMs += 10_000
    for (const { digest } of ofKind(node.run({ kind: 'tick' }), 'read')) {
      read.push(digest)
      const page = many.find((made) => sha256(made.page) === digest)
      if (page !== undefined) node.persist(node.run(pageOf(page)))
    }
  }
  const pages = new Set(many.map(({ page }) => sha256(page)))
  expect(read.slice(0, many.length)).toEqual([...pages])
  // Those read before the last one was lost are read again.
  expect(read.length).toBeGreaterThan(many.length)
})
