import { expect, test } from 'vitest'
import { decodeEnvelope } from '../../../src/codec/envelope.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { FleetId } from '../../../src/model/ids.ts'
import { type InjectOptions, inject } from '../../../src/publish/inject.ts'
import { rootsOf } from '../../../src/publish/roots.ts'
import { inNewerFormat, make, ROOT, raised, rootBytes } from '../core/fleet.ts'
import { FakeSeed, publishing } from './fake-seed.ts'

const before = make({ clock: { alice: 1 }, text: 'before' })
const wanted = make({ clock: { alice: 2 }, text: 'wanted' })
const prepared = {
  release: wanted.release,
  envelope: decodeEnvelope(wanted.envelope, LIMITS.maxEnvelopeBytes, LIMITS),
}

const options = (seed: FakeSeed, change: Partial<InjectOptions> = {}): InjectOptions => {
  const { content, seeds, limits, confirm } = publishing(wanted, seed)
  return { content, seeds, limits, confirm, root: ROOT, expect: undefined, until: 'submitted', ...change }
}

function holding(made = before): FakeSeed {
  const seed = new FakeSeed('a')
  seed.envelopes = [made.envelope]
  return seed
}

test('What was signed is shown beside what stands there, then submitted as it is', async () => {
  const seed = holding()
  const shown: unknown[] = []
  const confirm: InjectOptions['confirm'] = async ({ standing, header }) => {
    shown.push(standing.target?.id, header.clock.get(header.publisher))
    return true
  }
  const done = await inject(prepared, options(seed, { confirm }))
  expect(shown).toEqual([before.id, 2])
  expect(seed.submitted).toEqual(wanted.envelope)
  expect(done).toMatchObject({ release: wanted.id, unchanged: false, acknowledgedBy: [seed.peer] })
})

test('How the seed ordered it is told', async () => {
  const seed = holding()
  seed.next.set('await', [{ type: 'done', verdict: 'CONCURRENT', acknowledgedBy: [seed.peer] }])
  expect(await inject(prepared, options(seed))).toMatchObject({ verdict: 'CONCURRENT', unchanged: false })
  // It has all of it already: what no node activates is not left at that.
  seed.next.set('submit', [{ type: 'done', verdict: 'CONCURRENT', acknowledgedBy: [seed.peer] }])
  expect(await inject(prepared, options(seed))).toMatchObject({ verdict: 'CONCURRENT', unchanged: false })
})

test('A dry run, another target than expected, or a no sends nothing', async () => {
  const seed = holding()
  const shown = await inject(prepared, options(seed, { until: 'shown', expect: before.id.slice(0, 8) }))
  expect(shown).toMatchObject({ release: wanted.id, uploadedBytes: 0, unchanged: false, acknowledgedBy: [] })
  for (const expected of ['none', '0'.repeat(8), ''])
    await expect(inject(prepared, options(seed, { expect: expected }))).rejects.toMatchObject({
      code: 'PUBLISH_EXPECT',
    })
  await expect(inject(prepared, options(seed, { confirm: async () => false }))).rejects.toMatchObject({
    code: 'PUBLISH_DECLINED',
  })
  expect(seed.submitted).toBeUndefined()
})

test('A dry run of what stands there already says who holds it', async () => {
  const seed = holding(wanted)
  const shown = await inject(prepared, options(seed, { until: 'shown' }))
  expect(shown).toMatchObject({ unchanged: true, acknowledgedBy: [seed.peer] })
})

test('Where it stands there already, whatever was expected is past', async () => {
  const seed = holding(wanted)
  seed.next.set('submit', [{ type: 'done', verdict: 'DUPLICATE', acknowledgedBy: [seed.peer] }])
  const done = await inject(prepared, options(seed, { expect: before.id.slice(0, 8) }))
  expect(done).toMatchObject({ release: wanted.id, unchanged: true, acknowledgedBy: [seed.peer] })
})

test('Under the root of another fleet nothing is sent', async () => {
  const seed = holding()
  const root = { ...ROOT, fleetId: '0'.repeat(64) as FleetId }
  await expect(inject(prepared, options(seed, { root }))).rejects.toMatchObject({ code: 'ORDER_MISPLACED' })
  expect(seed.submitted).toBeUndefined()
})

test('A fleet id proves its first root, and that root the newest', async () => {
  const [lying, later, true_] = [new FakeSeed('a'), new FakeSeed('b'), new FakeSeed('c')]
  const second = raised(ROOT)
  lying.roots.set(1, new Uint8Array([1]))
  later.roots.set(1, rootBytes(second))
  true_.roots.set(1, rootBytes(ROOT)).set(2, rootBytes(second))
  const found = await rootsOf(ROOT.fleetId, [lying, later, true_], LIMITS)
  expect(found?.current.version).toBe(2)
  expect(await rootsOf(ROOT.fleetId, [lying, later], LIMITS)).toBeUndefined()
  expect(await rootsOf('0'.repeat(64) as FleetId, [true_], LIMITS)).toBeUndefined()
})

test('What others signed is brought past a release that cannot be read here, where it replaces that', async () => {
  const seed = holding()
  seed.envelopes = [inNewerFormat(before)]
  expect(await inject(prepared, options(seed))).toMatchObject({ release: wanted.id, unchanged: false })
  seed.envelopes = [inNewerFormat(make({ clock: { alice: 3 } }))]
  await expect(inject(prepared, options(seed))).rejects.toMatchObject({ code: 'CODEC_UNSUPPORTED' })
})
