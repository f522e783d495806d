/** A disk that takes a write no more: what was not written counts for nothing, and what came behind it stays. */
import { describe, expect, it } from 'vitest'
import { BenchNode, fetching, ofKind } from './bench-node.ts'
import { given, type Made, make, PEER } from './fleet.ts'

describe('a release whose record `whole` cannot be written', () => {
  it('is not whole, and the record is written again once the disk may have room', () => {
    const made = make({ clock: { alice: 1 } })
    const { node, block } = fetching(made)
    const [closing] = ofKind(node.persist(node.run(given(block?.id, made.block))), 'persist')
    node.run({ kind: 'persistFailed', ticket: closing?.ticket ?? 0, code: 'STORE_FULL' })
    expect(node.view().channels[0]).toMatchObject({ state: 'fetching' })
    node.monoMs = 10_000
    const again = ofKind(node.run({ kind: 'tick' }), 'persist')
    expect(again.flatMap(({ writes }) => writes)).toContainEqual({ kind: 'whole', release: made.id })
    expect(ofKind(node.persist(again), 'activate')).toMatchObject([{ release: made.id }])
  })
})

describe('two submissions one behind the other', () => {
  it('when the write of the first fails, the second stays what it is', () => {
    const node = new BenchNode({ submit: true })
    node.start()
    const submit = ({ envelope, content }: Made) =>
      node.inside((step, journey) =>
        journey.ingestWhole(step, envelope, content, { via: 'submit', peer: PEER }),
      )
    const [one, two] = [make({ clock: { alice: 1 } }), make({ clock: { alice: 2 }, text: 'b=2\n' })]
    const [first] = ofKind(submit(one), 'persist')
    const second = submit(two)
    node.run({ kind: 'persistFailed', ticket: first?.ticket ?? 0, code: 'STORE_FULL' })
    expect(node.view().channels[0]).toMatchObject({ target: two.id })
    node.persist(second)
    expect(node.view().channels[0]).toMatchObject({ target: two.id })
  })
})
