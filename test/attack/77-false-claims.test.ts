/** Row 77: claims and announcements that bring nothing, while a release is to come over the border. */
import { expect, test } from 'vitest'
import { sha256 } from '../../src/codec/digest.ts'
import type { AnyRequest, BridgeReply } from '../../src/model/messages.ts'
import { bridge, FAR, giving, itemOf, pulls, stand } from './kit/gateway.ts'
import { agreeing, type Hostile } from './kit/hostile.ts'
import { stage } from './kit/stage.ts'
import { until } from './kit/victim.ts'

const { fleet: aFleet, victim: aVictim, hostile: aHostile } = stage()

/** A claim is void soon, and whoever announced nothing four times is not asked any more. */
const limits = {
  ...{ claimVoidMs: 200, claimVoidStepMs: 100 },
  ...{ bridgeDudsPerSecond: 0, bridgeDudsBurst: 4, maxBridgePullsOfOne: 2 },
}
const nothing = (n: number) => itemOf(sha256(Buffer.from(`nothing ${n}`)))
const NOTED = { type: 'noted' } as const

async function bordered() {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { limits })
  const far = await stand(await aHostile(fleet, { region: FAR }), victim)
  const release = fleet.release()
  far.answers = giving(release)
  return { fleet, victim, far, release }
}

const isPull = ({ protocol, message }: AnyRequest) => protocol === 'bridge' && message.type === 'pull'
const isClaim = ({ protocol, message }: AnyRequest) => protocol === 'bridge' && message.type === 'claim'

/** An honest gateway that ranks behind the first has it: it says so, and waits to be asked. */
const offer = async (far: Hostile, id: string) =>
  expect(await bridge(far, { type: 'announce', item: itemOf(id) })).toEqual(NOTED)

test('a claim that brings nothing holds a release off for a moment, however often it is said', async () => {
  const { fleet, victim, far, release } = await bordered()
  const liar = await stand(await aHostile(fleet), victim)
  const claim = { type: 'claim', item: itemOf(release.id) } as const
  expect(await bridge(liar, claim)).toEqual(NOTED)
  await offer(far, release.id)
  await until('the release runs', async () => {
    await bridge(liar, claim)
    return (await victim.active()) === release.id
  })
  expect(new Set(pulls(far))).toEqual(new Set([release.id]))
})

test.each<[string, BridgeReply | undefined]>([
  ['has nothing of it', { type: 'gone' }],
  ['answers nothing', undefined],
])('a gateway that announces and %s is soon not asked any more; others are', async (_, message) => {
  const { fleet, victim, far, release } = await bordered()
  // so slow that the liar would be asked again meanwhile
  far.answers = (request) => (isPull(request) && pulls(far).length < 3 ? undefined : giving(release)(request))
  const liar = await stand(await aHostile(fleet, { region: FAR }), victim)
  liar.answers = (request) => {
    if (request.protocol !== 'bridge') return agreeing(request)
    if (request.message.type !== 'pull') return { protocol: 'bridge', message: NOTED }
    return message && { protocol: 'bridge', message }
  }
  for (const n of [1, 2]) await bridge(liar, { type: 'announce', item: nothing(n) })
  // four times for nothing, once too often, and the one that was under way
  await until('it is asked in vain', () => pulls(liar).length >= 5)
  await bridge(liar, { type: 'have', items: Array.from({ length: 200 }, (_, n) => nothing(10 + n)) })
  await offer(far, release.id)
  await victim.runs(release)
  expect(pulls(liar).length).toBeLessThanOrEqual(6)
})

test('for what one claims no other gateway is asked, and none hears of it', async () => {
  const { fleet, victim, far, release } = await bordered()
  const liar = await stand(await aHostile(fleet), victim)
  const near = await stand(await aHostile(fleet), victim)
  for (const n of [1, 2, 3]) await bridge(liar, { type: 'claim', item: nothing(n) })
  // by the time this claim is void, those before it are, too
  await bridge(liar, { type: 'claim', item: itemOf(release.id) })
  await offer(far, release.id)
  await victim.runs(release)
  expect(new Set(pulls(far))).toEqual(new Set([release.id]))
  // the release may run before it has heard
  await near.wasAsked('the claim', isClaim)
  const claimed = near.asked.flatMap(({ protocol, message }) =>
    protocol === 'bridge' && message.type === 'claim' ? [message.item.id] : [],
  )
  expect(new Set(claimed)).toEqual(new Set([release.id]))
})
