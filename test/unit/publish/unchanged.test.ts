/** When nothing is to be done: the target is what is wanted, and the key's own memory knows of nothing past it. */
import { expect, test } from 'vitest'
import type { Name } from '../../../src/model/ids.ts'
import { contentAtSeeds } from '../../../src/publish/content.ts'
import { type CounterMemory, noMemory } from '../../../src/publish/counter.ts'
import { publish } from '../../../src/publish/publish.ts'
import { make } from '../core/fleet.ts'
import { FakeSeed, headerOf, publishing } from './fake-seed.ts'

const target = make({ clock: { alice: 6 }, text: 'wanted' })
const NOT_THERE = '0'.repeat(8)

function holder(): FakeSeed {
  const seed = new FakeSeed('a')
  seed.envelopes = [target.envelope]
  return seed
}

/** In the epoch of the target alone. */
const signedTo = (counter: number): CounterMemory => ({
  ...noMemory,
  counter: (_fleet, _channel, epoch) => (epoch === 1 ? counter : 0),
})

test.each([
  ['a rollback', { content: contentAtSeeds(target.release), checkName: false }],
  ['a publish', {}],
])(
  '%s to what stands there passes what this key signed past it, which no seed reached shows',
  async (_, change) => {
    const seed = holder()
    const done = await publish(publishing(target, seed, { memory: signedTo(7), ...change }))
    expect([done.unchanged, done.clock.get('alice' as Name)]).toEqual([false, 8])
    expect(headerOf(seed.submitted).pages).toEqual(target.release.header.pages)
  },
)

test('a run is a run again where the memory agrees with the target, or is behind it', async () => {
  for (const counter of [6, 5, 0]) {
    const seed = holder()
    const options = publishing(target, seed, { memory: signedTo(counter), expect: NOT_THERE })
    expect(await publish(options)).toMatchObject({ unchanged: true, release: target.id })
    expect(seed.submitted).toBeUndefined()
  }
})

test('going back to the very target is refused where another was expected: that one is not seen to be gone', async () => {
  const content = contentAtSeeds(target.release)
  const back = (expected: string) =>
    publish(publishing(target, holder(), { content, checkName: false, expect: expected }))
  await expect(back(NOT_THERE)).rejects.toMatchObject({ code: 'PUBLISH_EXPECT' })
  expect(await back(target.id.slice(0, 8))).toMatchObject({ unchanged: true, release: target.id })
})

test('a rollback that was done is run again with the same --expect: it stands there under its own id', async () => {
  const old = make({ clock: { alice: 5 }, text: 'wanted' })
  const content = contentAtSeeds(old.release)
  const options = publishing(old, holder(), { content, checkName: false, expect: NOT_THERE })
  expect(await publish(options)).toMatchObject({ unchanged: true, release: target.id })
})

test('the same files in a release that this build does not activate are published anew', async () => {
  const seed = holder()
  seed.envelopes = [make({ clock: { alice: 6 }, text: 'wanted', header: { critical: ['waves'] } }).envelope]
  const done = await publish(publishing(target, seed))
  expect([done.unchanged, headerOf(seed.submitted).critical]).toEqual([false, []])
})
