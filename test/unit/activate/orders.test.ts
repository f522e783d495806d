/** Activations under way that can be taken back. */
import { expect, it } from 'vitest'
import { Orders } from '../../../src/activate/orders.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, ReleaseId } from '../../../src/model/ids.ts'

const [one, two] = ['1'.repeat(64), '2'.repeat(64)] as [ReleaseId, ReleaseId]
const web = 'app/web' as Channel

it('those of all channels are taken back in a moment: a root may end the epoch of each', () => {
  const orders = new Orders()
  const channels = Array.from({ length: LIMITS.maxChannels }, (_, at) => `app/c-${at}` as Channel)
  const open = channels.map((channel) => orders.open({ channel, release: one }))
  // Of this process alone: the machine may be busy.
  const before = process.cpuUsage()
  for (const channel of channels) orders.withdraw(channel, one)
  const { user, system } = process.cpuUsage(before)
  expect(open.filter(({ signal }) => !signal.aborted)).toEqual([])
  expect((user + system) / 1e6).toBeLessThan(3)
})

it('of a channel that has two the one of this release is taken back, and what is done is not', () => {
  const orders = new Orders()
  const [done, first, second] = [one, one, two].map((release) => orders.open({ channel: web, release }))
  orders.close(web, done as AbortController)
  orders.withdraw(web, one)
  expect([done, first, second].map((order) => order?.signal.aborted)).toEqual([false, true, false])
})

it('all end when the node stops, those asked for by then, too', () => {
  const orders = new Orders()
  const [first, second] = [
    orders.open({ channel: web, release: one }),
    orders.open({ channel: web, release: two }),
  ]
  const why = new Error('stops')
  orders.stop(why)
  const late = orders.open({ channel: web, release: one })
  expect([first, second, late].map(({ signal }) => signal.reason)).toEqual([why, why, why])
})
