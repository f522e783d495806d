import { expect, test, vi } from 'vitest'
import { headerOf, rollBack } from '../../../src/cli/commands/rollback.ts'
import { MeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Address } from '../../../src/model/ids.ts'
import type { PublishReply } from '../../../src/model/messages.ts'
import type { Header } from '../../../src/model/release.ts'
import { noMemory } from '../../../src/publish/counter.ts'
import type { Seeds } from '../../../src/publish/seeds.ts'
import { keySigner } from '../../../src/publish/signer.ts'
import { startChain } from '../../../src/trust/chain.ts'
import { CHANNEL, make, ROOT, rootBytes } from '../core/fleet.ts'
import { ALICE, FakeSeed, headerOf as headerIn } from '../publish/fake-seed.ts'

const { id, envelope } = make({ clock: { alice: 1 } })
const HELD = { type: 'header', envelope } as const
const GONE = { type: 'header' } as const
const busy = (retryAfterMs?: number): PublishReply => ({
  type: 'refused',
  code: 'LIMIT_RATE',
  text: 'later',
  ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
})

const lookUp = (...answers: readonly (readonly (PublishReply | MeshError)[])[]) =>
  lookUpBeside([], ...answers)

function lookUpBeside(
  missed: Seeds['missed'],
  ...answers: readonly (readonly (PublishReply | MeshError)[])[]
) {
  const reached = answers.map((given, index) => {
    const seed = new FakeSeed(`${index}`)
    seed.next.set('header', [...given])
    return seed
  })
  const seeds = { reached, missed, close: async () => undefined }
  return headerOf({ chain: startChain(rootBytes(ROOT), LIMITS), seeds }, CHANNEL, id)
}

test('only where each seed says that it has it not the release is gone', async () => {
  await expect(lookUp([GONE], [GONE])).rejects.toMatchObject({ code: 'CONTENT_GONE' })
  const silent = new MeshError('NET_TIMEOUT', 'no word')
  await expect(lookUp([silent], [GONE])).rejects.toBe(silent)
  await expect(lookUp([GONE], [busy()])).rejects.toMatchObject({ code: 'LIMIT_RATE' })
})

test('nor has a seed that was never reached said so', async () => {
  const error = new MeshError('NET_UNREACHABLE', 'refused')
  const missed = [{ address: '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWb' as Address, error }]
  await expect(lookUpBeside(missed, [GONE])).rejects.toBe(error)
  expect(await lookUpBeside(missed, [GONE], [HELD])).toMatchObject({ id })
})

test('a seed that is silent stops no other that has it', async () => {
  expect(await lookUp([new MeshError('NET_TIMEOUT', 'no word')], [HELD])).toMatchObject({ id })
})

test('a seed that is busy is asked again', async () => {
  expect(await lookUp([busy(1), HELD])).toMatchObject({ id })
})

function backTo(expires: number | undefined, header: Partial<Header> = {}) {
  const seed = new FakeSeed('a')
  seed.envelopes = [make({ clock: { alice: 2 }, text: 'newer' }).envelope]
  const session = {
    chain: startChain(rootBytes(ROOT), LIMITS),
    seeds: { reached: [seed], missed: [], close: async () => undefined },
    signers: [keySigner(ALICE)],
    memory: noMemory,
    publisher: undefined,
  }
  const old = make({
    clock: { alice: 1 },
    header: expires === undefined ? header : { ...header, expires },
  }).release
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const done = rollBack(session, CHANNEL, old, { yes: true }).finally(() => said.mockRestore())
  return { seed, done }
}

test('the end of the old release is the end of the new one', async () => {
  for (const expires of [Date.now() + 60_000, undefined]) {
    const { seed, done } = backTo(expires)
    await done
    expect(headerIn(seed.submitted).expires).toBe(expires)
  }
})

test('what has ended is not gone back to, for good or at all: its files are published, if they are to be', async () => {
  const { seed, done } = backTo(Date.UTC(2020, 0, 31))
  await expect(done).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringMatching(
      /^--to [0-9a-f]{12}: expired at 2020-01-31T00:00:00.000Z, .*no node would activate it; publish its files anew: confmesh publish /,
    ),
  })
  expect(seed.asked).toEqual([])
})

test('what a newer build says of a release is not left out by going back to it', async () => {
  const { seed, done } = backTo(undefined, { critical: ['waves'] })
  await expect(done).rejects.toMatchObject({
    code: 'CODEC_UNSUPPORTED',
    message: expect.stringMatching(/says what this build does not know \(waves\).*; use a newer confmesh$/),
  })
  expect(seed.submitted).toBeUndefined()
})
