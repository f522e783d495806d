/** A store that hangs, and says nothing: what is not written meanwhile is laid to no peer. */
import { expect, it } from 'vitest'
import { BenchNode, fetching, ofKind } from './bench-node.ts'
import { given, gossip, make, PEER } from './fleet.ts'

const made = make({ clock: { alice: 1 } })

/** A second at a time; whoever is asked for a block has it no more. @returns what is said meanwhile */
function seconds(node: BenchNode, many: number): string[] {
  const said: string[] = []
  for (let turns = 0; turns < many; turns += 1) {
    node.monoMs += 1_000
    const effects = node.handle({ kind: 'tick' })
    for (const { level, code, text } of ofKind(effects, 'note')) said.push(`${level} ${code} ${text}`)
    for (const { id } of ofKind(effects, 'request'))
      node.run({ kind: 'reply', id, reply: { protocol: 'blocks', message: { type: 'gone' } } })
  }
  return said
}
const hangs =
  "warn STORE_SLOW blocks given to this node's own disk 30 s ago are not written yet; fetches wait for it"
const lacks = (blocks: number) =>
  `error FETCH_UNAVAILABLE ${blocks} blocks of release ${made.id.slice(0, 12)} cannot be had from any peer; asking on`

it('says so once, and of no peer that it cannot give what has come', () => {
  const { node, block } = fetching(made)
  const [write] = ofKind(node.run(given(block?.id, made.block)), 'persist')
  expect(seconds(node, 120)).toEqual([hangs])
  expect(node.view().channels[0]?.lastError).toBeUndefined()
  const closing = node.run({ kind: 'persisted', ticket: write?.ticket ?? 0 })
  expect(ofKind(node.persist(closing), 'activate')).toMatchObject([{ release: made.id }])
})

it.each([
  ['written', { kind: 'persisted' } as const, 1],
  ['refused in the end', { kind: 'persistFailed', code: 'STORE_FAILED' } as const, 2],
])('peers have their time for what else is missing once it is %s', (_, end, missing) => {
  const node = new BenchNode()
  node.start()
  node.peer(PEER, { submit: true })
  const [page] = ofKind(node.persist(node.run(gossip(made))), 'request')
  const [write] = ofKind(node.run(given(page?.id, made.page)), 'persist')
  expect(seconds(node, 60)).toEqual([hangs])
  node.run({ ...end, ticket: write?.ticket ?? 0 })
  expect(seconds(node, 29)).toEqual([])
  expect(seconds(node, 60)).toEqual([lacks(missing)])
})

it('says so anew where it hangs again, and not of writes that take long but end', () => {
  const { node, block } = fetching(made)
  const [write] = ofKind(node.run(given(block?.id, made.block)), 'persist')
  expect(seconds(node, 29)).toEqual([])
  node.run({ kind: 'persistFailed', ticket: write?.ticket ?? 0, code: 'STORE_FAILED' })
  node.monoMs += 5_000
  for (let round = 0; round < 2; round += 1) {
    const [again] = ofKind(node.run({ kind: 'tick' }), 'request')
    const [next] = ofKind(node.run(given(again?.id, made.block)), 'persist')
    expect(seconds(node, 40)).toEqual([hangs])
    node.run({ kind: 'persistFailed', ticket: next?.ticket ?? 0, code: 'STORE_FAILED' })
    node.monoMs += 5_000
  }
})
