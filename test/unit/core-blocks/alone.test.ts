/** Who brings a release in, to a node that is linked with nobody of its region but a seed, while gateways are known. */
import { beforeEach, expect, test } from 'vitest'
import type { FetchJob } from '../../../src/core/fetch/job.ts'
import { OwnParts } from '../../../src/core/fetch/own-part.ts'
import { Sources } from '../../../src/core/fetch/sources.ts'
import { Views } from '../../../src/core/fetch/views.ts'
import { LIMITS } from '../../../src/limits.ts'
import { configOf, FakeJourney, peer } from '../core-peers/fakes.ts'
import { link } from './links.ts'

const SELF = peer('self')
const GATEWAY = peer('a gateway that is linked to others')
const config = configOf({ self: SELF })
const job = (sinceMonoMs: number): FetchJob =>
  ({ channel: 'app/web', digests: [], needed: 0, sinceMonoMs }) as unknown as FetchJob

let journey: FakeJourney
let parts: OwnParts
beforeEach(() => {
  journey = new FakeJourney()
  journey.gatewaysOf.set(journey.region, [GATEWAY])
  link(journey, 'seed', { region: journey.region, submit: true })
  parts = new OwnParts(config, new Sources(LIMITS), new Views(config))
})
const bringing = (one: FetchJob, monoMs: number) =>
  parts.look(journey, one, [...journey.admitted()], { monoMs, wallMs: 0 }).entrants.peers
const after = LIMITS.dialDeadlineMs

test('itself, once it has been so for as long as a dial may take, and for the next release at once', () => {
  const first = job(0)
  expect(bringing(first, 0)).toEqual([GATEWAY])
  expect(bringing(first, after - 1)).toEqual([GATEWAY])
  expect(bringing(first, after)).toEqual([SELF])
  expect(bringing(job(after), after)).toEqual([SELF])
})

test('reckoned from when the seed was linked, not from when the release was heard of', () => {
  parts.lookAround(journey, 0)
  expect(bringing(job(after), after)).toEqual([SELF])
})

test('the gateways again once a neighbour is linked, and for as long again once that one is gone', () => {
  const one = job(0)
  parts.lookAround(journey, 0)
  expect(bringing(one, after)).toEqual([SELF])
  link(journey, 'neighbour', { region: journey.region })
  parts.lookAround(journey, after)
  expect(bringing(one, after)).toEqual([GATEWAY])
  journey.links.delete(peer('neighbour'))
  expect(bringing(one, after + 1)).toEqual([GATEWAY])
  expect(bringing(one, 2 * after)).toEqual([GATEWAY])
  expect(bringing(one, 2 * after + 1)).toEqual([SELF])
})
