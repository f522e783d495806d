import { describe, expect, test } from 'vitest'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { MeshError } from '../../../src/errors.ts'
import type { Limits } from '../../../src/limits.ts'
import type { PublishReply } from '../../../src/model/messages.ts'
import { pushRoots } from '../../../src/publish/roots.ts'
import { overRestarts, UNANSWERED } from '../../../src/publish/seeds.ts'
import { standingOf } from '../../../src/publish/standing.ts'
import { submitToFirst } from '../../../src/publish/submit.ts'
import { CHANNEL, inNewerFormat, make, ROOT, rootBytes, withLimits } from '../core/fleet.ts'
import { FakeSeed } from './fake-seed.ts'

const made = make({ clock: { alice: 1 } })
const busy = (retryAfterMs = 1): PublishReply => ({
  type: 'refused',
  code: 'LIMIT_RATE',
  text: 'too many questions at once',
  retryAfterMs,
})

const standingAt = (seed: FakeSeed, limits: Limits = withLimits({})) =>
  standingOf([seed], ROOT, CHANNEL, { limits })

test('a seed that is busy is asked again, and what it holds counts', async () => {
  const seed = new FakeSeed('a')
  seed.envelopes = [made.envelope]
  seed.next.set('state', [busy()])
  expect((await standingAt(seed)).target?.id).toBe(made.id)
  expect(seed.asked).toEqual(['state', 'state'])
})

test('one that stays busy has been asked all in all for no longer than an answer may take', async () => {
  const seed = new FakeSeed('a')
  seed.next.set('state', Array(20).fill(busy(40)))
  await expect(standingAt(seed, withLimits({ publishDeadlineMs: 100 }))).rejects.toMatchObject({
    code: 'LIMIT_RATE',
  })
  expect(seed.asked.length).toBeLessThanOrEqual(3)
})

test('nor does it matter whether a root or the end of an upload is what it is too busy for', async () => {
  const seed = new FakeSeed('a')
  for (const kind of ['roots', 'root', 'await'] as const) seed.next.set(kind, [busy()])
  const roots = [{ version: 1, envelope: rootBytes(ROOT) }]
  expect(await pushRoots(roots, seed, withLimits({}))).toMatchObject({ adopted: 1 })
  const content = { read: async () => undefined, bytes: 0 }
  const submission = { release: made.id, envelope: made.envelope, content }
  expect(await submitToFirst([seed], submission, { limits: withLimits({}) })).toMatchObject({
    verdict: 'NEW',
  })
})

test('a seed that restarts is dialled again, a few times, and only where its connection was cut', async () => {
  const limits = withLimits({ redialMinMs: 1 })
  const cut = (code: 'NET_UNREACHABLE' | 'NET_TIMEOUT') => new MeshError(code, 'gone')
  const dials = { made: 0 }
  const seed = Object.assign(new FakeSeed('a'), {
    redial: async () => {
      dials.made += 1
      if (dials.made === 1) throw cut('NET_UNREACHABLE')
    },
  })
  seed.envelopes = [made.envelope]
  const standing = () => overRestarts([seed], limits, () => standingAt(seed))
  seed.next.set('state', [cut('NET_UNREACHABLE'), cut('NET_UNREACHABLE')])
  expect((await standing()).target?.id).toBe(made.id)
  expect(dials.made).toBe(2)
  seed.next.set('state', [cut('NET_TIMEOUT')])
  await expect(standing()).rejects.toMatchObject({ code: 'NET_TIMEOUT' })
  seed.next.set('state', Array(20).fill(cut('NET_UNREACHABLE')))
  await expect(standing()).rejects.toMatchObject({ code: 'NET_UNREACHABLE' })
  expect(dials.made).toBe(6)
})

test('where silence passes, too, it is asked again for no longer than one answer may take', async () => {
  const silent = new MeshError('NET_TIMEOUT', 'no word')
  const asked = async (publishDeadlineMs: number) => {
    const seed = Object.assign(new FakeSeed('a'), { redial: async () => undefined })
    seed.next.set('state', Array(20).fill(silent))
    const limits = withLimits({ redialMinMs: 1, publishDeadlineMs })
    await expect(overRestarts([seed], limits, () => standingAt(seed), UNANSWERED)).rejects.toBe(silent)
    return seed.asked.length
  }
  expect([await asked(0), await asked(60_000)]).toEqual([2, 5])
})

test('where it matters what counted under a root, one that is past it has no say', async () => {
  const [past, other] = [new FakeSeed('a'), new FakeSeed('b')]
  past.rootVersion = ROOT.version + 1
  other.envelopes = [made.envelope]
  const of = (...seeds: FakeSeed[]) =>
    standingOf(seeds, ROOT, CHANNEL, { limits: withLimits({}), isLeft: true })
  expect((await of(past, other)).target?.id).toBe(made.id)
  await expect(of(past)).rejects.toMatchObject({ code: 'TRUST_ROOT_OLD', details: { version: 2 } })
  expect((await standingAt(past)).releases).toEqual([])
})

describe('a release of a newer format', () => {
  const newer = inNewerFormat(make({ clock: { alice: 3 } }))

  test('that stands in the channel is not taken for none', async () => {
    const [ahead, behind] = [new FakeSeed('a'), new FakeSeed('b')]
    ahead.envelopes = [newer]
    behind.envelopes = [made.envelope]
    await expect(
      standingOf([ahead, behind], ROOT, CHANNEL, { limits: withLimits({}) }),
    ).rejects.toMatchObject({
      code: 'CODEC_UNSUPPORTED',
      message: expect.stringMatching(/in format 2 that this build cannot read; use a newer confmesh$/),
    })
  })

  test('that has been replaced since, or that nobody signed who may, stops nothing', async () => {
    const [ahead, behind] = [new FakeSeed('a'), new FakeSeed('b')]
    const next = make({ clock: { alice: 4 } })
    ahead.envelopes = [next.envelope]
    behind.envelopes = [
      newer,
      inNewerFormat(make({ clock: { alice: 9 } }), generatePrivateKey('ed25519').key),
    ]
    const { target } = await standingOf([ahead, behind], ROOT, CHANNEL, { limits: withLimits({}) })
    expect(target?.id).toBe(next.id)
  })
})
