import { afterEach, expect, test, vi } from 'vitest'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { Channel, Pattern, PeerId } from '../../../src/model/ids.ts'
import type { PublishReply, PublishRequest } from '../../../src/model/messages.ts'
import { channelsUnder } from '../../../src/publish/channels.ts'
import type { Seed } from '../../../src/publish/seeds.ts'
import { noUpload } from './fake-seed.ts'

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

afterEach(() => {
  vi.useRealTimers()
})

/** Answers in turn, the last one again and again. */
function seedOf(name: string, replies: readonly PublishReply[]): Seed & { readonly asked: PublishRequest[] } {
  const asked: PublishRequest[] = []
  const ask = async (request: PublishRequest) => {
    asked.push(request)
    return replies[Math.min(asked.length, replies.length) - 1] as PublishReply
  }
  return { peer: name as PeerId, ask, askInOrder: noUpload, close: async () => {}, asked }
}

const list = (...seeds: readonly Seed[]) => listWithin(LIMITS, ...seeds)

async function listWithin(limits: Limits, ...seeds: readonly Seed[]) {
  const unsaid: string[] = []
  const channels = await channelsUnder(['pay/*' as Pattern], seeds, limits, (seed, { code }) =>
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

const nameAt = (at: number): string => `pay/${String(at).padStart(6, '0')}`

test('a seed that gives shorter pages than this tool would is read to its end', async () => {
  const names = Array.from({ length: 81 }, (_, at) => nameAt(at))
  const pages = names.map((name) => page([name], name !== names.at(-1)))
  expect(await list(seedOf('A', pages))).toEqual({ channels: names, unsaid: [] })
})

test('a list of as many as a seed may store and have stored is whole, and that one goes on behind it is said', async () => {
  const limits = { ...LIMITS, maxChannels: 2, maxFormerChannels: 1 }
  const [a, b] = [page(['pay/a'], true), page(['pay/b'], true)]
  const largest = seedOf('A', [a, b, page(['pay/c'])])
  expect(await listWithin(limits, largest)).toEqual({ channels: ['pay/a', 'pay/b', 'pay/c'], unsaid: [] })
  const larger = seedOf('B', [a, b, page(['pay/c'], true), page(['pay/d'])])
  expect(await listWithin(limits, larger)).toEqual({
    channels: ['pay/a', 'pay/b', 'pay/c'],
    unsaid: ['B LIMIT_CHANNELS'],
  })
})

test.each([
  ['the same name', ['pay/b']],
  ['an earlier one', ['pay/a']],
  ['none', []],
])('a list that says there is more and goes on with %s ends early, which is said', async (_, names) => {
  const seed = seedOf('A', [page(['pay/b'], true), page(names, true)])
  const { unsaid } = await list(seed)
  expect([unsaid, seed.asked.length]).toEqual([['A NET_PROTOCOL'], 2])
})

test('a seed that gives its names singly and slowly is not followed for ever', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  let asked = 0
  const ask = async () => {
    asked += 1
    vi.advanceTimersByTime(60_000)
    return page([nameAt(asked)], asked < 1_000)
  }
  const { channels, unsaid } = await list({
    peer: 'A' as PeerId,
    ask,
    askInOrder: noUpload,
    close: async () => {},
  })
  expect([channels.length, unsaid]).toEqual([10, ['A NET_TIMEOUT']])
})
