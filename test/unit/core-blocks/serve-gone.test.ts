import { expect, test } from 'vitest'
import { BorderDuty } from '../../../src/core/border-duty.ts'
import type { EventOf } from '../../../src/core/events.ts'
import { MAX_PLACES } from '../../../src/core/holders.ts'
import { OpenStep, StepCounter } from '../../../src/core/open-step.ts'
import { Serve } from '../../../src/core/serve.ts'
import type { Session } from '../../../src/core/session.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest, PeerId, ReleaseId } from '../../../src/model/ids.ts'
import { coreConfig } from '../core/fleet.ts'
import { FakeJourney, hex, peer } from '../core-peers/fakes.ts'
import { fetcher, OTHER, SELF } from './fetcher.ts'

test('what a peer may announce is its own anew once it has gone and come back', () => {
  const config = coreConfig({ limits: { ...LIMITS, announcementsBurst: 1, announcementsPerSecond: 0 } })
  const heard: PeerId[] = []
  const serve = new Serve(config, {
    announced: (_step, _release, from) => void heard.push(from),
    asked: () => {},
    left: () => {},
    content: { isComing: () => false, isAskedOf: () => false, spoke: () => {}, duty: new BorderDuty() },
    beaconPage: () => undefined,
    address: () => undefined,
  })
  const journey = new FakeJourney()
  journey.links.set(peer('a'), { hello: {} } as unknown as Session)
  const step = new OpenStep({ monoMs: 0, wallMs: 0 }, config, new StepCounter(), () => {})
  const [release, ranges] = [hex('1') as string as ReleaseId, [0, MAX_PLACES]]
  const message = { type: 'holds', release, whole: false, ranges } as const
  const request = { protocol: 'blocks', message } as const
  const event = { kind: 'request', id: 1, peer: peer('a'), request } as unknown as EventOf<'request'>
  for (let times = 0; times < 2; times += 1) serve.onRequest(step, journey, event)
  expect(heard).toHaveLength(1)
  serve.onDisconnected(peer('a'))
  serve.onRequest(step, journey, event)
  expect(heard).toHaveLength(2)
})

test('what is missing does not come while the disk takes nothing: nobody waits for it here', () => {
  const node = fetcher({ blocks: 20, gateways: [SELF] })
  for (const page of node.started) node.give(page)
  const digest = node.own.at(-1) as Digest
  expect(node.isComing(digest)).toBe(true)
  node.storeMode(true)
  expect(node.isComing(digest)).toBe(false)
  node.storeMode(false)
  expect(node.isComing(digest)).toBe(true)
})

test('nothing of a release that was given up comes any more', () => {
  const node = fetcher({ sizeLie: -1 })
  const [page] = node.started.length > 0 ? node.started : node.announce(OTHER, [0])
  const [block] = page === undefined ? [] : node.give(page)
  expect(node.digests.map(node.isComing)).toContain(true)
  if (block !== undefined) node.give(block)
  expect(node.failures).toEqual(['LIMIT_CONTENT'])
  expect(node.digests.map(node.isComing)).not.toContain(true)
})
