/** Releases that wait while others have the places: nobody is to blame for that, nor asked again and again. */
import { expect, test } from 'vitest'
import type { EffectOf } from '../../../src/core/effects.ts'
import type { Digest, PeerId, ReleaseId } from '../../../src/model/ids.ts'
import type { BlocksReply } from '../../../src/model/messages.ts'
import { starting } from './many.ts'

const NEIGHBOUR = '12D3KooWn' as PeerId
/** Says that it has all, and gives nothing. */
const BOASTER = '12D3KooWb' as PeerId
const STEP_MS = 200
/** A page and a block each, one after another: 48 s. */
const COUNT = 120

/** So many releases, all from one neighbour that answers after 200 ms: what of which is said, and how often it is asked what it has. */
function fetched({
  absent = [] as readonly number[],
  diesMs = Number.POSITIVE_INFINITY,
  others = [] as PeerId[],
}) {
  const { node, all, effects } = starting(COUNT, NEIGHBOUR, ...others)
  const nowhere = new Set<ReleaseId>(absent.map((at) => all[at]?.made.id as ReleaseId))
  const had = all.filter(({ made }) => !nowhere.has(made.id))
  const contents = new Map<Digest, Uint8Array>(had.flatMap(({ made }) => [...made.content]))
  const said: { readonly release: ReleaseId | undefined; readonly code: string; readonly ms: number }[] = []
  const questions = new Map<ReleaseId, number>()
  const answerTo = ({ peer, request }: EffectOf<'request'>): BlocksReply | undefined => {
    if (request.protocol !== 'blocks') return undefined
    const { message } = request
    if (message.type === 'have') {
      if (peer === BOASTER) return { type: 'noted', whole: true }
      questions.set(message.release, (questions.get(message.release) ?? 0) + 1)
      return { type: 'noted', whole: !nowhere.has(message.release) }
    }
    if (message.type !== 'want' || peer === BOASTER) return undefined
    const bytes = contents.get(message.digest)
    return bytes === undefined ? { type: 'gone' } : { type: 'block', bytes }
  }
  const todo = [...effects]
  while (node.monoMs < 80_000) {
    const requests: EffectOf<'request'>[] = []
    for (let effect = todo.shift(); effect !== undefined; effect = todo.shift()) {
      if (effect.kind === 'persist') todo.push(...node.handle({ kind: 'persisted', ticket: effect.ticket }))
      else if (effect.kind === 'request') requests.push(effect)
      else if (effect.kind === 'note' && effect.level === 'error')
        said.push({ release: effect.release, code: effect.code, ms: node.monoMs })
    }
    node.monoMs += STEP_MS
    for (const request of node.monoMs < diesMs ? requests : []) {
      const message = answerTo(request)
      if (message === undefined) continue
      todo.push(...node.handle({ kind: 'reply', id: request.id, reply: { protocol: 'blocks', message } }))
    }
    todo.push(...node.handle({ kind: 'tick' }))
  }
  const fetching = node.view().channels.filter(({ gate }) => gate === 'content').length
  return { said, questions, fetching, ids: all.map(({ made }) => made.id) }
}

test('of none is it said that no peer has it, while its neighbour gives others; but of those that it lacks, in time', () => {
  const absent = [7, COUNT - 1]
  const { said, fetching, ids } = fetched({ absent })
  expect(said).toHaveLength(absent.length)
  for (const at of absent)
    expect(said).toContainEqual({ release: ids[at], code: 'FETCH_UNAVAILABLE', ms: 30_000 })
  expect(fetching).toBe(absent.length)
})

test('nor does the word of one that gives nothing count', () => {
  const absent = [7, 70, COUNT - 1]
  const { said, ids } = fetched({ absent, others: [BOASTER] })
  expect(said.map(({ release }) => release).sort()).toEqual(absent.map((at) => ids[at]).sort())
  for (const { ms } of said) expect(ms).toBeLessThanOrEqual(32_000)
})

test('once nothing comes any more it is said of all that are left, 30 s after the last block', () => {
  const diesMs = 20_000
  const { said, fetching } = fetched({ diesMs })
  expect(fetching).toBeGreaterThan(COUNT / 2)
  expect(said).toHaveLength(fetching)
  for (const { ms } of said) {
    // One of them had just got its turn.
    expect(ms).toBeGreaterThanOrEqual(diesMs - 2 * STEP_MS + 30_000)
    expect(ms).toBeLessThanOrEqual(diesMs + 30_000)
  }
})

test('a neighbour that has said to have all of what waits is not asked for that again and again', () => {
  const { questions } = fetched({})
  expect(questions.size).toBe(COUNT)
  expect(Math.max(...questions.values())).toBeLessThanOrEqual(2)
})
