/** What would be said of a submission holds all of a small release: it must not outlive one that is replaced. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test, vi } from 'vitest'
import { gossip, make } from '../core/fleet.ts'
import { ofKind, SubmitNode, writes } from './submit-node.ts'

const toSay = vi.hoisted(() => [] as WeakRef<Uint8Array>[])

vi.mock('../../../src/core/inline.ts', async (original) => {
  const real = await original<typeof import('../../../src/core/inline.ts')>()
  const releaseGossip: typeof real.releaseGossip = (...given) => {
    const bytes = real.releaseGossip(...given)
    toSay.push(new WeakRef(bytes))
    return bytes
  }
  return { ...real, releaseGossip }
})

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** A submission whose last batch is on its way to disk. */
function ordering(node: SubmitNode) {
  const made = make({ clock: { alice: 1 } })
  node.settled(node.ask({ type: 'submit', envelope: made.envelope }))
  node.settled(node.ask({ type: 'page', release: made.id, bytes: made.page }))
  return node.ask({ type: 'block', release: made.id, bytes: made.block })
}

/** References are held until the turn ends. */
async function left(): Promise<number> {
  await new Promise(setImmediate)
  collect()
  return toSay.splice(0).filter((each) => each.deref() !== undefined).length
}

test('What would be said of a submission goes when that is replaced while it is being written', async () => {
  const node = new SubmitNode()
  const last = ordering(node)
  expect(writes(last).filter((kinds) => kinds.endsWith('whole!'))).toHaveLength(1)
  const newer = make({ clock: { alice: 2 }, text: 'newer' })
  const replaced = node.settled(node.handle(gossip(newer)))
  // Both on disk, in whatever order: nothing is said of the older one.
  const after = node.persist(last)
  expect(ofKind([...replaced, ...after], 'publish')).toEqual([])
  expect(await left()).toBe(0)
  expect(node.view().channels[0]?.target).toBe(newer.id)
})

test('It is kept while the submission is being written, and said once that is whole', async () => {
  const node = new SubmitNode()
  const last = ordering(node)
  expect(await left()).toBe(1)
  expect(ofKind(node.persist(last), 'publish').map(({ topic }) => topic)).toEqual(['releases'])
})
