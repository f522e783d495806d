import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, Pattern, PeerId } from '../../../src/model/ids.ts'
import type { PublishReply, PublishRequest } from '../../../src/model/messages.ts'
import { channelsUnder } from '../../../src/publish/channels.ts'
import type { Seed } from '../../../src/publish/seeds.ts'

const page = (names: readonly string[], more = false): PublishReply => ({
  type: 'channels',
  channels: names as readonly Channel[],
  more,
})
const refused = (code: string, retryAfterMs = 1): PublishReply => ({
  type: 'refused',
  code,
  text: 'not now',
  retryAfterMs,
})

/** Answers in turn, the last one again and again. */
function seedOf(name: string, replies: readonly PublishReply[]): Seed & { readonly asked: PublishRequest[] } {
  const asked: PublishRequest[] = []
  const ask = async (request: PublishRequest) => {
    asked.push(request)
    return replies[Math.min(asked.length, replies.length) - 1] as PublishReply
  }
  return { peer: name as PeerId, ask, close: async () => {}, asked } as Seed & { asked: PublishRequest[] }
}

async function list(...seeds: readonly Seed[]) {
  const unsaid: string[] = []
  const channels = await channelsUnder(['pay/*' as Pattern], seeds, LIMITS, (seed, { code }) =>
    unsaid.push(`${seed.peer} ${code}`),
  )
  return { channels, unsaid }
}

test('a list is read to its end and joined with those of other seeds', async () => {
  const first = seedOf('A', [page(['pay/a', 'web'], true), page(['x'])])
  expect(await list(first, seedOf('B', [page(['pay/b'])]))).toEqual({
    channels: ['pay/a', 'pay/b'],
    unsaid: [],
  })
  expect(first.asked).toEqual([{ type: 'channels' }, { type: 'channels', after: 'web' }])
})

test('a seed that is busy is asked again, whoever keeps it busy', async () => {
  const busy = seedOf('A', [
    page(['pay/a'], true),
    refused('LIMIT_RATE'),
    refused('LIMIT_RATE'),
    page(['pay/b']),
  ])
  expect(await list(busy)).toEqual({ channels: ['pay/a', 'pay/b'], unsaid: [] })
})

test('a list that ends early, or that a seed cannot give, is said', async () => {
  const broken = seedOf('A', [page(['pay/a'], true), refused('LIMIT_RATE')])
  const older = seedOf('B', [refused('CODEC_UNSUPPORTED')])
  expect(await list(broken, older)).toEqual({
    channels: ['pay/a'],
    unsaid: ['A LIMIT_RATE', 'B CODEC_UNSUPPORTED'],
  })
})
