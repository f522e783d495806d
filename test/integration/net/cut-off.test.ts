/** An admitted peer that is cut off hears why, as long as it listens. */
import { expect, test } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { AnyRequest } from '../../../src/model/messages.ts'
import { kept } from './kept.ts'
import { rawPeer } from './raw-peer.ts'
import { connect, joined, type Scripted } from './scripted.ts'

/** Time enough on a busy host. */
const PATIENT = { limits: { refuseDeadlineMs: 5_000, hangUpMs: 5_000 } }
/** Longer than any event is waited for. */
const NEVER_MS = 60_000
const { keep, node } = kept()

type Cut = 'ADMIT_REMOVED' | 'ADMIT_REFUSED' | 'LIMIT_BYTES' | 'LIMIT_STREAMS' | 'NET_TIMEOUT' | 'done'
const cutsOff = (by: Scripted, peer: { readonly id: Scripted['id'] }, code: Cut) =>
  by.transport.perform({ kind: 'hangUp', peer: peer.id, code })

const said = ({ events }: Scripted): AnyRequest['message'][] =>
  events.flatMap((event) => (event.kind === 'request' ? [event.request.message] : []))

/** It hangs up, too, and here without an answer: there is time for it to say something back. */
function obedient(self: Scripted): void {
  self.onRequest = ({ peer }) => cutsOff(self, { id: peer }, 'ADMIT_REFUSED')
}

test.each(['dialled', 'dialling'] as const)(
  'a peer that was %s hears the code, and says none back',
  async (who) => {
    const [a, b] = [await node(), await node(PATIENT)]
    await (who === 'dialling' ? joined(a, b) : joined(b, a))
    obedient(a)
    cutsOff(b, a, 'ADMIT_REMOVED')
    await a.event('disconnected')
    await b.event('disconnected')
    expect(said(a)).toMatchObject([{ type: 'refuse', code: 'ADMIT_REMOVED' }])
    expect(said(b)).toEqual([])
  },
)

test('gossip is over before the peer has heard why', async () => {
  const [a, b] = [await node(), await node()]
  await joined(a, b)
  cutsOff(b, a, 'ADMIT_REMOVED')
  expect(b.hears(a)).toBe(false)
  await a.event('disconnected')
})

test('whoever broke a protocol hears so, and so does a stranger that has no place', async () => {
  const [a, b, c] = [await node(), await node(PATIENT), await node()]
  await joined(a, b)
  await connect(c, b)
  for (const each of [a, c]) obedient(each)
  cutsOff(b, a, 'LIMIT_BYTES')
  cutsOff(b, c, 'LIMIT_STREAMS')
  await Promise.all([a.event('disconnected'), c.event('disconnected')])
  expect(said(a)).toMatchObject([{ type: 'refuse', code: 'LIMIT_BYTES' }])
  expect(said(c)).toMatchObject([{ type: 'refuse', code: 'LIMIT_STREAMS' }])
})

test('nothing is said where nobody is refused', async () => {
  for (const code of ['done', 'NET_TIMEOUT'] as const) {
    const [a, b] = [await node(), await node()]
    await joined(a, b)
    obedient(a)
    cutsOff(b, a, code)
    await a.event('disconnected')
    expect(said(a)).toEqual([])
  }
})

test('a peer that answers nothing is cut off all the same, and who broke a protocol sooner', async () => {
  // without `onRequest` there is never an answer; nor do they give it up, or the link as its gossip is over
  const limits = { admitDeadlineMs: NEVER_MS, watchdogMs: NEVER_MS }
  const [removed, flooder] = [await node({ limits }), await node({ limits })]
  const soon = await node({ limits: { refuseDeadlineMs: 500, hangUpMs: NEVER_MS } })
  await joined(removed, soon)
  cutsOff(soon, removed, 'ADMIT_REMOVED')
  let looks = 0
  await soon.until('cut off', () => {
    looks += 1
    return soon.of('disconnected').length > 0
  })
  // one each 20 ms, and while the host stands still none: two seconds, where half of one is due
  expect(looks).toBeLessThan(100)
  // a removed node is cut off within 5 s
  expect(LIMITS.refuseDeadlineMs).toBeLessThanOrEqual(1_000)
  const sooner = await node({ limits: { refuseDeadlineMs: NEVER_MS, hangUpMs: 20 } })
  await joined(flooder, sooner)
  cutsOff(sooner, flooder, 'LIMIT_BYTES')
  await sooner.event('disconnected')
})

test('a peer that does not even speak of admission is cut off at once', async () => {
  const b = await node({ limits: { refuseDeadlineMs: NEVER_MS } })
  const raw = await rawPeer()
  keep(raw)
  await raw.dial(b.address)
  await b.event('connected')
  b.transport.perform({ kind: 'admit', peer: raw.id, region: 'all' })
  cutsOff(b, raw, 'ADMIT_REMOVED')
  await b.event('disconnected')
})
