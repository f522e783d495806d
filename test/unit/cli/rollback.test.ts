import { expect, test } from 'vitest'
import { headerOf } from '../../../src/cli/commands/rollback.ts'
import { MeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Address } from '../../../src/model/ids.ts'
import type { PublishReply } from '../../../src/model/messages.ts'
import type { Seeds } from '../../../src/publish/seeds.ts'
import { startChain } from '../../../src/trust/chain.ts'
import { CHANNEL, make, ROOT, rootBytes } from '../core/fleet.ts'
import { FakeSeed } from '../publish/fake-seed.ts'

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
