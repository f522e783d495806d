/** Row 76: pages of a manifest that nobody asked for, by a peer that says it is a seed and hence may send them. */
import { expect, test } from 'vitest'
import { sha256 } from '../../src/codec/digest.ts'
import { MAX_PAGES } from '../../src/core/fetch/handed.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Digest, Name } from '../../src/model/ids.ts'
import type { AnyReply, AnyRequest, BridgeReply } from '../../src/model/messages.ts'
import type { AttackedFleet, MadeRelease } from './kit/fleet.ts'
import type { Hostile } from './kit/hostile.ts'
import { stage } from './kit/stage.ts'
import type { Victim } from './kit/victim.ts'

const { fleet: aFleet, victim: aVictim, hostile: aHostile } = stage()

const serving =
  (release: MadeRelease) =>
  ({ protocol, message }: AnyRequest): AnyReply | undefined => {
    if (protocol !== 'blocks') return undefined
    if (message.type !== 'want') return { protocol, message: { type: 'noted' } }
    const bytes = release.content.get(message.digest)
    return { protocol, message: bytes === undefined ? { type: 'gone' } : { type: 'block', bytes } }
  }

async function seedInName(fleet: AttackedFleet, victim: Victim): Promise<Hostile> {
  const peer = await aHostile(fleet)
  peer.submits = true
  await peer.join(victim.address)
  return peer
}

const hand = (peer: Hostile, { id }: MadeRelease, pages: readonly Uint8Array[]): Promise<BridgeReply> =>
  peer.ask('bridge', {
    type: 'announce',
    item: { topic: 'releases', id: id as string as Digest, home: 'default' as Name },
    pages,
  }) as Promise<BridgeReply>

const wanted = ({ asked }: Hostile, digest: Digest): boolean =>
  asked.some(({ message }) => message.type === 'want' && message.digest === digest)
/** What a node answers to whoever wants a block of it. */
const answered = async (peer: Hostile, bytes: Uint8Array) =>
  (await peer.ask('blocks', { type: 'want', digest: sha256(bytes) })).type

test('false pages for a release count for nothing: the true one is asked for, and the release runs', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const [honest, hostile] = [await seedInName(fleet, victim), await seedInName(fleet, victim)]
  const [release, other] = [fleet.release({ counter: 1 }), fleet.release({ counter: 2 })]
  const digest = sha256(release.pages[0] as Uint8Array)
  expect(await hand(hostile, release, other.pages)).toEqual({ type: 'noted' })
  honest.answers = serving(release)
  honest.announceBare(release)
  await victim.runs(release)
  expect(wanted(honest, digest)).toBe(true)
  expect(await answered(hostile, other.pages[0] as Uint8Array)).toBe('gone')
})

test('the true ones, handed over by whomever, spare the question for them', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const [honest, hostile] = [await seedInName(fleet, victim), await seedInName(fleet, victim)]
  const release = fleet.release({ counter: 1 })
  expect(await hand(hostile, release, release.pages)).toEqual({ type: 'noted' })
  honest.answers = serving(release)
  honest.announceBare(release)
  await victim.runs(release)
  expect(wanted(honest, sha256(release.pages[0] as Uint8Array))).toBe(false)
})

test('a flood of pages of releases that nobody knows is bounded, kept from disk, and stops nobody', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { limits: { bridgePerSecond: 1, bridgeBurst: 50 } })
  const [honest, hostile] = [await seedInName(fleet, victim), await seedInName(fleet, victim)]
  const [release, unknown] = [fleet.release({ counter: 1 }), fleet.release({ counter: 9 })]
  // The true ones came first, and are driven out: whoever needs them asks.
  await hand(honest, release, release.pages)
  const answers: string[] = []
  for (let n = 0; n < 60; n += 1) {
    const pages = Array.from({ length: MAX_PAGES }, (_, at) => Buffer.alloc(3_000, `${n} ${at}`))
    const reply = await hand(hostile, unknown, pages)
    answers.push(reply.type === 'refused' ? reply.code : reply.type)
  }
  expect(new Set(answers)).toEqual(new Set(['noted', 'LIMIT_RATE']))
  expect(
    await hand(hostile, unknown, [Buffer.alloc(LIMITS.maxHandedBytes + 1)]).catch(() => 'ended'),
  ).not.toEqual({
    type: 'noted',
  })
  honest.answers = serving(release)
  honest.announceBare(release)
  await victim.runs(release)
  expect(wanted(honest, sha256(release.pages[0] as Uint8Array))).toBe(true)
  expect(await answered(honest, Buffer.alloc(3_000, '0 0'))).toBe('gone')
})

test('whoever is neither gateway nor seed hands over nothing', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const honest = await seedInName(fleet, victim)
  const peer = await aHostile(fleet)
  await peer.join(victim.address)
  const release = fleet.release({ counter: 1 })
  expect(await hand(peer, release, release.pages)).toMatchObject({ type: 'refused', code: 'NET_PROTOCOL' })
  honest.answers = serving(release)
  honest.announceBare(release)
  await victim.runs(release)
  expect(wanted(honest, sha256(release.pages[0] as Uint8Array))).toBe(true)
})
