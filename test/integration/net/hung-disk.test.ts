/** A node whose data disk hangs, without an error, still makes links: what libp2p would write down of them waits for nobody. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LevelDatastore } from 'datastore-level'
import { afterEach, beforeAll, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { Address } from '../../../src/model/ids.ts'
import { MAX_DIALS } from '../../../src/net/host.ts'
import { newIdentityPem, peerIdOf } from '../../../src/net/identity.ts'
import { kept } from './kept.ts'
import { lockAlone } from './own-locks.ts'
import { joined, open, type Scripted } from './scripted.ts'

const answer: (() => void)[] = []
beforeAll(lockAlone)
afterEach(() => {
  vi.restoreAllMocks()
  for (const each of answer.splice(0)) each()
})
const { node } = kept()

/** From now on this node's disk takes nothing; told how many writes wait for it. */
async function onHungDisk(): Promise<{ hung: Scripted; waiting: () => number }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'confmesh-hung-'))
  const hung = await node({ dataDir })
  const { put } = LevelDatastore.prototype
  const isHung = (store: LevelDatastore) =>
    String((store.db as { location?: string }).location).startsWith(dataDir)
  const hang = () => new Promise<void>((resolve) => void answer.push(resolve))
  vi.spyOn(LevelDatastore.prototype, 'put').mockImplementation(async function (this: LevelDatastore, ...of) {
    if (isHung(this)) await hang()
    return put.apply(this, of)
  })
  return { hung, waiting: () => answer.length }
}

/** As the core of either: asks to be admitted, and admits whoever asks. */
function admitting(self: Scripted, other: Scripted): Promise<unknown> {
  self.onRequest = ({ id }) => {
    self.transport.perform({ kind: 'reply', id, reply: { protocol: 'admit', message: { type: 'noted' } } })
    self.admit(other)
  }
  return self
    .event('connected', ({ peer }) => peer === other.id)
    .then(() => self.ask(other.id, open, LIMITS.admitDeadlineMs))
    .then((asked) => self.event('reply', ({ id }) => id === asked))
}

test.each(['dials', 'is dialled'] as const)(
  'one that %s is admitted in time, and heard in gossip',
  async (who) => {
    const { hung } = await onHungDisk()
    const other = await node()
    const [from, to] = who === 'dials' ? [hung, other] : [other, hung]
    const admitted = Promise.all([admitting(from, to), admitting(to, from)])
    const sinceMs = performance.now()
    from.dial(to)
    await admitted
    expect(performance.now() - sinceMs).toBeLessThan(LIMITS.admitDeadlineMs)
    await joined(from, to)
    const texts = hung.notes.map(({ text }) => text).filter((text) => text.includes('not kept'))
    expect(texts).toEqual([expect.stringContaining('has not answered')])
  },
)

test('dials that fail give their places back', async () => {
  const { hung, waiting } = await onHungDisk()
  const nobody = Array.from(
    { length: 2 * MAX_DIALS },
    () => `/ip4/127.0.0.1/tcp/1/p2p/${peerIdOf(newIdentityPem())}` as Address,
  )
  for (const address of nobody) hung.transport.perform({ kind: 'dial', address })
  await hung.until('all have failed', () => hung.of('dialFailed').length === nobody.length)
  expect(hung.of('dialFailed').map(({ code }) => code)).toEqual(nobody.map(() => 'NET_UNREACHABLE'))
  // None but those that were begun before it was seen to hang.
  expect(waiting()).toBeLessThan(nobody.length)
})
