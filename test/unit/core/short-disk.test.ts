/** A disk with too little room for blocks by themselves: none is asked for, the cache goes, and all else goes on. */
import { expect, it } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { fetching, ofKind, refusedBlock } from './bench-node.ts'
import { given, gossip, make } from './fleet.ts'

const made = make({ clock: { alice: 1 } })
const mode = (short: boolean) => ({ kind: 'storeMode', readOnly: false, ...(short && { short }) }) as const
const wanted = (effects: readonly Effect[]) =>
  ofKind(effects, 'request').flatMap(({ request: { message } }) =>
    message.type === 'want' ? [message.digest] : [],
  )

const refused = () => refusedBlock(made, mode(true))

it('asks for no block in vain, lays it to no peer, and asks again once there is room', () => {
  const node = refused()
  for (let turns = 0; turns < 60; turns += 1) {
    node.monoMs += 1_000
    const effects = node.handle({ kind: 'tick' })
    expect([wanted(effects), ofKind(effects, 'note')]).toEqual([[], []])
  }
  expect(wanted(node.run(mode(false)))).toEqual([sha256(made.block)])
})

it('says so, also of the channel whose newest release waits for it', () => {
  const node = refused()
  const said = () => {
    const { readOnly, isShort, channels } = node.view()
    return [readOnly, isShort, channels.map(({ state, gate, lastError }) => [state, gate, lastError?.code])]
  }
  expect(said()).toEqual([undefined, true, [['fetching', 'content', 'STORE_FULL']]])
  node.inside((_step, journey) =>
    expect([journey.readOnly, journey.takesNoBlocks]).toEqual([undefined, true]),
  )
  node.run(mode(false))
  expect(said()).toEqual([undefined, false, [['fetching', 'content', undefined]]])
  node.inside((_step, journey) => expect(journey.takesNoBlocks).toBe(false))
})

it('orders and shows a small release that comes whole meanwhile', () => {
  const node = refused()
  const small = make({ clock: { alice: 2 }, text: 'b=2\n' })
  const came = node.run(gossip(small, [small.page, small.block]))
  const activated = ofKind(node.persist(came), 'activate').map(({ release }) => release)
  expect(activated).toEqual([small.id])
  expect(node.view().channels).toMatchObject([{ gate: null, lastError: undefined }])
})

it('says of one of which all is here that it is whole', () => {
  const { node, block } = fetching(made)
  const last = node.run(given(block?.id, made.block))
  node.run(mode(true))
  const closing = ofKind(node.persist(last), 'persist').flatMap(({ writes }) => writes)
  expect(closing).toEqual([{ kind: 'whole', release: made.id }])
})

it('keeps nothing of a release that is too large once another has its place, though that has to wait for room', () => {
  const node = refused()
  const smaller = make({ clock: { alice: 2 }, text: 'b=2\n' })
  expect(wanted(node.persist(node.run(gossip(smaller))))).toEqual([])
  // Nor does it hold up what goes until its own pages come, which are not asked for.
  expect(node.collects(30_000)).toMatchObject([{ keep: [smaller.id], awaited: [], short: true }])
  expect(wanted(node.run(mode(false)))).toHaveLength(1)
})

it('has all of the cache collected, again and again until there is room', () => {
  const node = refused()
  expect(node.collects(29_999)).toEqual([])
  for (const afterMs of [1, 30_000, 30_000])
    expect(node.collects(afterMs)).toMatchObject([{ keep: [made.id], short: true }])
  node.run(mode(false))
  const [last, ...more] = node.collects(30_000)
  expect([last, last?.short, more]).toEqual([expect.anything(), undefined, []])
  expect(node.collects(60_000)).toEqual([])
})
