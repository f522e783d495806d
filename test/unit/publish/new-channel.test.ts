import { expect, test } from 'vitest'
import { newChannelLine } from '../../../src/cli/publish-text.ts'
import { MeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel } from '../../../src/model/ids.ts'
import { editDistance, lookForNew } from '../../../src/publish/new-channel.ts'
import { type Change, type PublishOptions, publish } from '../../../src/publish/publish.ts'
import { CHANNEL, make } from '../core/fleet.ts'
import { FakeSeed, publishing } from './fake-seed.ts'

const seedWith = (...names: string[]): FakeSeed => {
  const seed = new FakeSeed('a')
  seed.channels = (names as Channel[]).sort()
  return seed
}
const look = (name: string, ...seeds: FakeSeed[]) => lookForNew(name as Channel, seeds, LIMITS)

test('a name that nobody knows is new; the nearest known one is named', async () => {
  const seed = seedWith('payments/prod', 'payments/staging', 'web')
  expect(await look('payments/prdo', seed)).toMatchObject({ nearest: 'payments/prod' })
  expect(await look('paymets/prod', seed)).toMatchObject({ nearest: 'payments/prod' })
  expect(await look('wbe', seed)).toMatchObject({ nearest: 'web' })
  expect(await look('search/index', seed)).toMatchObject({ nearest: undefined })
  expect(await look('payments/prod', seed)).toBe('known')
})

test('the first channel of a fleet is new; silence of all seeds is an error', async () => {
  expect(await look('payments/prod', seedWith())).toMatchObject({ known: [] })
  const silent = seedWith('web')
  silent.next.set('channels', [new MeshError('NET_TIMEOUT', 'silent')])
  expect(await look('payments/prod', silent)).toMatchObject({ code: 'NET_TIMEOUT' })
  silent.next.set('channels', [new MeshError('NET_TIMEOUT', 'silent')])
  expect(await look('payments/prod', silent, seedWith('web'))).toMatchObject({ known: ['web'] })
})

test('of a fleet with thousands of channels a few pages are asked for', async () => {
  const seed = new FakeSeed('a')
  const page = (...names: string[]) =>
    ({ type: 'channels', channels: names as Channel[], more: true }) as const
  seed.next.set('channels', [page('a', 'b'), page('zoo/prod', 'zoo/proe'), page('zoo/a')])
  expect(await look('zoo/prdo', seed)).toMatchObject({ nearest: 'zoo/prod' })
  expect(seed.asked).toEqual(['channels', 'channels', 'channels'])
})

test('the line for people', () => {
  const channel = 'web2' as Channel
  const line = (nearest: string | undefined, ...known: string[]) =>
    newChannelLine({ channel, nearest: nearest as Channel, known: known as Channel[] })
  expect(line('web', 'web')).toBe('new channel web2: nothing was ever published there; nearest known is web')
  expect(line(undefined, 'a', 'b', 'c', 'd', 'e', 'f')).toBe(
    'new channel web2: nothing was ever published there; known are a, b, c, d, e, …',
  )
})

test('a slip is one step away: put in, taken out, changed, swapped', () => {
  for (const [a, b, steps] of [
    ['prod', 'prod', 0],
    ['prod', 'prods', 1],
    ['prod', 'prd', 1],
    ['prod', 'prad', 1],
    ['prod', 'prdo', 1],
    ['', 'abc', 3],
    ['staging', 'prod', 7],
  ] as const) {
    expect([a, b, editDistance(a, b)]).toEqual([a, b, steps])
    expect(editDistance(b, a)).toBe(steps)
  }
})

const made = make({ clock: { alice: 1 } })
const options = (seed: FakeSeed, change: Partial<PublishOptions> = {}): PublishOptions =>
  publishing(made, seed, { until: 'shown', ...change })

test('publish shows it before it signs, and says it afterwards', async () => {
  const changes: Change[] = []
  const confirm = async (change: Change) => changes.push(change) > 0
  const seed = seedWith(`${CHANNEL}s`)
  expect(await publish(options(seed, { confirm }))).toMatchObject({ newChannel: true })
  expect(changes[0]?.isNew).toMatchObject({ nearest: `${CHANNEL}s` })
  seed.channels = [CHANNEL]
  expect(await publish(options(seed))).toMatchObject({ newChannel: false })
})

test('--expect any refuses a channel that nobody knows, and takes one that a new epoch left empty', async () => {
  const seed = seedWith(`${CHANNEL}s`)
  await expect(publish(options(seed, { expect: 'any' }))).rejects.toMatchObject({
    code: 'PUBLISH_EXPECT',
    details: { nearest: `${CHANNEL}s` },
  })
  seed.channels = [CHANNEL]
  await publish(options(seed, { expect: 'any' }))
  seed.channels = []
  await expect(publish(options(seed, { expect: 'any' }))).rejects.toMatchObject({ code: 'PUBLISH_EXPECT' })
  seed.next.set('channels', [new MeshError('LIMIT_RATE', 'busy')])
  await expect(publish(options(seed, { expect: 'any' }))).rejects.toMatchObject({ code: 'LIMIT_RATE' })
  seed.envelopes = [make({ clock: { alice: 1 }, text: 'stands' }).envelope]
  await publish(options(seed, { expect: 'any' }))
})
