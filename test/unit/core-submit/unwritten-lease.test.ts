/** A lease whose record is on its way to disk is promised to nobody: a crash would forget it, and it would be lent twice. */
import { expect, test } from 'vitest'
import type { Effect } from '../../../src/core/effects.ts'
import { MAX_ASKING } from '../../../src/core/submit/lender.ts'
import { LIMITS } from '../../../src/limits.ts'
import { make, OTHER, PEER } from '../core/fleet.ts'
import { ofKind, refusal, replies, SubmitNode, writes } from './submit-node.ts'

const mine = make({ clock: { alice: 1 }, text: 'mine' })
const theirs = make({ clock: { alice: 1 }, text: 'theirs' })
const NOTED = { type: 'noted' } as const

function seed() {
  const node = new SubmitNode()
  for (const peer of [PEER, OTHER]) node.connect(peer, { seed: true })
  const lend = (peer = PEER) => node.ask({ type: 'lease', envelope: mine.envelope }, peer)
  const ticketOf = (effects: readonly Effect[]) => ofKind(effects, 'persist')[0]?.ticket ?? 0
  const fails = (taken: readonly Effect[]) =>
    node.handle({ kind: 'persistFailed', ticket: ticketOf(taken), code: 'STORE_FULL' })
  const isWritten = (taken: readonly Effect[]) => node.handle({ kind: 'persisted', ticket: ticketOf(taken) })
  /** For an upload here, which every seed asked before has no objection to. */
  const taken = () => {
    const asked = node.ask({ type: 'submit', envelope: mine.envelope })
    return node.answer(node.answer(asked[0], NOTED)[0], NOTED)
  }
  return { node, lend, fails, isWritten, taken }
}

test('Whoever asks for it meanwhile is told with the first: both that it counts, or both that it does not', () => {
  const { lend, fails, isWritten } = seed()
  const first = lend()
  expect(writes(first)).toEqual(['lease!'])
  expect(lend(OTHER)).toEqual([])
  const refused = { type: 'refused', code: 'STORE_FULL' }
  expect(replies(fails(first))).toMatchObject([refused, refused])

  const anew = lend()
  expect(writes(anew)).toEqual(['lease!'])
  expect(lend()).toEqual([])
  expect(replies(isWritten(anew))).toEqual([NOTED, NOTED])
  // Renewed from then on.
  expect(replies(lend())).toEqual([NOTED])
})

test('So is whoever asks for that of an upload here', () => {
  const { lend, fails, isWritten, taken } = seed()
  const first = taken()
  expect(writes(first)).toEqual(['lease!'])
  expect(lend()).toEqual([])
  const refused = { type: 'refused', code: 'STORE_FULL' }
  expect(replies(fails(first))).toMatchObject([refused, refused])

  expect(replies(isWritten(taken()))).toMatchObject([{ type: 'need' }])
  expect(replies(lend())).toEqual([NOTED])
})

test('One that is given back and taken anew meanwhile hangs on its second record alone', () => {
  const { node, lend, fails, isWritten } = seed()
  const first = lend()
  node.ask({ type: 'free', release: mine.id }, PEER)
  const second = lend()
  expect(writes(second)).toEqual(['lease!'])
  expect(replies(fails(first))).toMatchObject([{ code: 'STORE_FULL' }])
  expect(lend(OTHER)).toEqual([])
  expect(replies(isWritten(second))).toEqual([NOTED, NOTED])
  expect(refusal(node.ask({ type: 'lease', envelope: theirs.envelope }, OTHER))).toBe('ORDER_PLACE_TAKEN')
})

/** The disk hangs with the record of an upload, which is given up and, with `anew`, submitted once more. */
function hanging(anew: boolean) {
  const { node, lend, fails, isWritten, taken } = seed()
  const first = taken()
  expect(lend()).toEqual([])
  expect(writes(node.tick(LIMITS.leaseMs))).toContain('dropLease')
  const second = anew ? taken() : []
  expect(writes(second)).toEqual(anew ? ['lease!'] : [])
  return { fails: () => fails(first), isWritten: () => isWritten(first), goesOn: () => isWritten(second) }
}

test('An upload that is submitted anew goes on with its own record, not with that of the one given up', () => {
  const { isWritten, goesOn } = hanging(true)
  expect(isWritten()).toEqual([])
  // So does whoever asked for the lease.
  expect(replies(goesOn())).toMatchObject([NOTED, { type: 'need' }])
})

test('Nor is it lost where that one could not be written', () => {
  const { fails, goesOn } = hanging(true)
  expect(replies(fails())).toMatchObject([{ code: 'STORE_FULL' }])
  expect(replies(goesOn())).toMatchObject([{ type: 'need' }])
})

test('A lease that was given back meanwhile is promised to nobody, unless it is on disk anew', () => {
  const { isWritten, goesOn } = hanging(true)
  expect(replies(goesOn())).toMatchObject([{ type: 'need' }])
  expect(replies(isWritten())).toEqual([NOTED])
  expect(refusal(hanging(false).isWritten())).toBe('LIMIT_RATE')
})

test('So many wait for one record, and no more', () => {
  const { lend, isWritten } = seed()
  const first = lend()
  for (let asked = 1; asked < MAX_ASKING; asked += 1) expect(lend()).toEqual([])
  expect(refusal(lend(OTHER))).toBe('LIMIT_RATE')
  expect(replies(isWritten(first))).toHaveLength(MAX_ASKING)
})
