/** What is refused is said once, and counted once: `confmesh_refused_total` counts these very lines. */
import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { CHANNEL, gossip, type Made, make, PUBLISHER_KEYS, withLimits } from '../core/fleet.ts'
import { refusal, SubmitNode, TOOL } from './submit-node.ts'

const made = make({ clock: { alice: 2 } })
const forged = make({ clock: { alice: 4 }, text: 'e=1\n', signedBy: PUBLISHER_KEYS.bob as never })
const submit = ({ envelope }: Pick<Made, 'envelope'>) => ({ type: 'submit', envelope }) as const
const brought = (node: SubmitNode, { id, page, block }: Made) => {
  node.settled(node.ask({ type: 'page', release: id, bytes: page }))
  node.settled(node.ask({ type: 'block', release: id, bytes: block }))
}

/** A seed that holds a release. */
function seed(limits: Parameters<typeof withLimits>[0] = {}) {
  const node = new SubmitNode({ limits: withLimits(limits) })
  node.settled(node.ask(submit(made)))
  brought(node, made)
  node.said.splice(0)
  node.notes.splice(0)
  return node
}

describe('a submission', () => {
  const twin = make({ clock: { alice: 2 }, text: 'b=1\n' })
  const elsewhere = make({ clock: { alice: 1 }, header: { channel: 'app/other' as never } })
  test.each([
    ['forged', forged, 'warn TRUST_UNAUTHORISED', true],
    ['old', make({ clock: { alice: 1 } }), 'info ORDER_STALE', true],
    ['for a place that another has', twin, 'info ORDER_PLACE_TAKEN', true],
    ['for one channel too many', elsewhere, 'info LIMIT_CHANNELS', true],
    ['that cannot be read', { envelope: Uint8Array.of(1), id: undefined }, 'warn CODEC_MALFORMED', false],
  ] as const)('%s', (_, one, line, isNamed) => {
    const node = seed({ maxChannels: 1 })
    node.ask(submit(one))
    const [level, code] = line.split(' ')
    expect(node.said).toEqual([`submissions ${code}`, line])
    expect(node.notes).toHaveLength(1)
    const about = isNamed
      ? { channel: 'release' in one ? one.release.header.channel : CHANNEL, release: one.id }
      : {}
    expect(node.notes[0]).toMatchObject({ level, code, peer: TOOL, ...about })
    expect(node.notes[0]?.text).toMatch(/^publish: /)
  })

  test('that another seed asks a place for', () => {
    const node = seed()
    node.connect('12D3KooWseed' as never, { seed: true })
    node.ask({ type: 'lease', envelope: forged.envelope }, '12D3KooWseed' as never)
    expect(node.said).toEqual(['warn TRUST_UNAUTHORISED'])
  })
})

test('a proof that a seed has forged', () => {
  const node = seed()
  const next = make({ clock: { alice: 4 } })
  node.connect('12D3KooWaseed' as never, { seed: true })
  const [asked] = node.ask(submit(next))
  node.answer(asked, { type: 'refused', code: 'ORDER_PLACE_TAKEN', text: 'no', envelope: forged.envelope })
  expect(node.notes).toMatchObject([{ level: 'warn', code: 'TRUST_UNAUTHORISED', peer: '12D3KooWaseed' }])
})

describe('an upload that ends in vain', () => {
  const next = make({ clock: { alice: 3 }, text: 'c=1\n' })
  test.each([0, 2])('with %i who wait for its next word', (waiting) => {
    const node = seed()
    const asked = node.ask(submit(next))
    // until its lease is on disk a publisher that dials anew waits as the one before
    for (let at = 1; at < waiting; at += 1) node.ask(submit(next))
    if (waiting === 0) node.persist(asked)
    const before = node.answered.length
    node.tick(LIMITS.leaseMs)
    expect(node.said.filter((line) => line.includes('LIMIT_TIMEOUT'))).toEqual([
      'submissions LIMIT_TIMEOUT',
      'info LIMIT_TIMEOUT',
    ])
    expect(node.notes.at(-1)).toMatchObject({ channel: CHANNEL, release: next.id, peer: TOOL })
    expect(node.answered.length - before).toBe(waiting)
  })
})

test('a release that is known, but not whole, counts as a duplicate once where it is submitted again', () => {
  const known = make({ clock: { alice: 3 }, text: 'd=1\n' })
  const node = seed()
  node.settled(node.handle(gossip(known)))
  node.said.splice(0)
  expect(refusal(node.settled(node.ask(submit(known))))).toBe('need')
  brought(node, known)
  expect(node.said.filter((line) => line === 'duplicates')).toHaveLength(1)
})
