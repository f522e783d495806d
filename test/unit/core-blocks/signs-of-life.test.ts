/** What is said to whoever waits over a border for a block, so that it does not take this node for dead. */
import { expect, test } from 'vitest'
import type { ChannelFacts } from '../../../src/core/journey.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, ReleaseId } from '../../../src/model/ids.ts'
import { hex, peer } from '../core-peers/fakes.ts'
import { link } from './links.ts'
import { server } from './server.ts'

const PAUSE_MS = LIMITS.blockSilenceMs / 2
/** With the tick that follows. */
const AT_ONCE_MS = 1
const CHANNEL = 'app/web' as Channel
const TARGET = hex('e') as string as ReleaseId

/** It has the block `a`, and is about to have `b`; one neighbour, two of another region. */
function node() {
  const at = server()
  const facts = { channel: CHANNEL, target: TARGET } as ChannelFacts
  at.journey.facts.set('none' as Channel, { ...facts, target: undefined })
  at.journey.facts.set(CHANNEL, facts)
  at.journey.here.add(hex('a'))
  at.coming.add(hex('b'))
  link(at.journey, 'near')
  for (const far of ['far', 'farther']) link(at.journey, far, { region: 'far' })
  const timesOf = (name: string) => at.told.flatMap((one) => (one.peer === peer(name) ? [one.monoMs] : []))
  return { at, timesOf }
}

test('whose want stands, and who waits in line or for what is on its way, hears it while it hears nothing else', () => {
  const { at, timesOf } = node()
  at.want(1, 'far', hex('b'))
  at.want(2, 'farther')
  at.want(3, 'near')
  at.tick(LIMITS.standMs - 1)
  const due = [0, 1, 2, 3, 4].map((times) => AT_ONCE_MS + times * PAUSE_MS)
  expect([timesOf('far'), timesOf('farther'), timesOf('near')]).toEqual([due, due, []])
  const message = { type: 'holds', release: TARGET, channel: CHANNEL, whole: false }
  expect(at.told[0]).toMatchObject({ protocol: 'blocks', message })
})

test('a want is told of at once where nothing was for long, or ever, so that a stream stands for what follows', () => {
  const { at, timesOf } = node()
  at.want(1, 'far')
  at.tick(AT_ONCE_MS)
  at.served(1)
  at.tick(10 * PAUSE_MS)
  at.want(2, 'far')
  at.tick(11 * PAUSE_MS)
  expect(timesOf('far')).toEqual([AT_ONCE_MS, 11 * PAUSE_MS])
  at.served(2)
  at.gone(peer('far'))
  at.tick(12 * PAUSE_MS)
  at.want(3, 'far')
  at.tick(12 * PAUSE_MS + AT_ONCE_MS)
  at.served(3)
  const coldMs = 12 * PAUSE_MS + AT_ONCE_MS + LIMITS.admittedStreamIdleMs / 4
  at.tick(coldMs)
  at.want(4, 'far')
  at.tick(coldMs + AT_ONCE_MS)
  const due = [AT_ONCE_MS, 11 * PAUSE_MS, 12 * PAUSE_MS + AT_ONCE_MS, coldMs + AT_ONCE_MS]
  expect(timesOf('far')).toEqual(due)
})

test('a block that leaves before it is told keeps nobody from being told, whose next have yet to leave', () => {
  const { at, timesOf } = node()
  at.want(1, 'far')
  at.want(2, 'far')
  at.served(1)
  at.tick(PAUSE_MS - 1)
  expect(timesOf('far')).toEqual([AT_ONCE_MS])
})

test('who could not be told, for want of any release, is told at once as soon as there is one', () => {
  const { at, timesOf } = node()
  const facts = at.journey.facts.get(CHANNEL) as ChannelFacts
  at.journey.facts.delete(CHANNEL)
  at.want(1, 'far')
  at.tick(AT_ONCE_MS)
  at.served(1)
  at.journey.facts.set(CHANNEL, facts)
  at.tick(10)
  at.want(2, 'far')
  at.tick(10 + AT_ONCE_MS)
  expect(timesOf('far')).toEqual([10 + AT_ONCE_MS])
})

test('a want that has its answer at once makes no work beyond that: whoever asks for what is not here, again and again', () => {
  const { at } = node()
  expect(at.want(1, 'far', hex('c'))).toEqual(['gone 1'])
  expect(at.wakeMonoMs()).toBeUndefined()
})

test('a sign has as long as a want may stand to get there: a stream may have to be opened for it', () => {
  const { at } = node()
  at.want(1, 'far', hex('b'))
  at.tick(AT_ONCE_MS)
  expect(at.told.map(({ timeoutMs }) => timeoutMs)).toEqual([LIMITS.standMs])
})

test('that a block has left for it is as good, and says when the next is due', () => {
  const { at, timesOf } = node()
  at.want(1, 'far')
  at.want(2, 'far')
  at.tick(PAUSE_MS - 10)
  at.served(1)
  at.tick(2 * PAUSE_MS - 11)
  expect(timesOf('far')).toEqual([AT_ONCE_MS])
  at.tick(2 * PAUSE_MS - 10)
  expect(timesOf('far')).toEqual([AT_ONCE_MS, 2 * PAUSE_MS - 10])
})

test.each([
  ['has what it asked for', (at: ReturnType<typeof server>) => at.served(1)],
  ['is gone', (at: ReturnType<typeof server>) => at.gone(peer('far'))],
])('who %s hears nothing more', (_, ends) => {
  const { at, timesOf } = node()
  at.want(1, 'far')
  at.tick(PAUSE_MS)
  ends(at)
  at.tick(10 * PAUSE_MS)
  expect(timesOf('far')).toEqual([AT_ONCE_MS])
})
