/** Row 79: peers that say they have what they have not, or send a node on to where it is not. */
import { expect, test } from 'vitest'
import type { BlocksReply } from '../../src/model/messages.ts'
import type { AttackedFleet } from './kit/fleet.ts'
import { FAR, giving, wants } from './kit/gateway.ts'
import { type Answers, agreeing, type Hostile } from './kit/hostile.ts'
import { stage } from './kit/stage.ts'

const { fleet: aFleet, victim: aVictim, hostile: aHostile, joined } = stage()

const answering =
  (reply: BlocksReply): Answers =>
  (request) => {
    const { protocol, message } = request
    if (protocol !== 'blocks') return agreeing(request)
    return { protocol, message: message.type === 'want' ? reply : { type: 'noted' } }
  }
const toward = (peer: Hostile): BlocksReply => ({
  type: 'redirect',
  peer: peer.id,
  addresses: [peer.address],
})

/** Where nobody honest is. */
const trap = (fleet: AttackedFleet) => aHostile(fleet, { listen: true })

test.each(['redirect', 'gone', 'noted', 'busy', 'refused'] as const)(
  'whoever has all by its own word, and answers wants with %s, keeps no block out of the region',
  async (type) => {
    const fleet = aFleet()
    const victim = await aVictim(fleet)
    const nowhere = await trap(fleet)
    const [liar, seed] = [await joined(fleet, victim), await aHostile(fleet, { region: FAR })]
    const replies: Readonly<Record<typeof type, BlocksReply>> = {
      redirect: toward(nowhere),
      gone: { type },
      noted: { type },
      busy: { type, retryAfterMs: 1 },
      refused: { type, code: 'LIMIT_RATE', text: 'not now' },
    } as never
    liar.answers = answering(replies[type])
    await runsPast(liar, { fleet, victim, seed })
    expect(nowhere.connections).toBe(0)
  },
)

/** It says that it has all of a release, which a seed has: the victim comes to run that. */
async function runsPast(
  liar: Hostile,
  o: {
    readonly fleet: AttackedFleet
    readonly victim: Awaited<ReturnType<typeof aVictim>>
    readonly seed: Hostile
  },
): Promise<void> {
  const release = o.fleet.release()
  const { id, header } = release
  await liar.ask('blocks', { type: 'have', release: id, channel: header.channel, whole: true })
  o.seed.submits = true
  o.seed.answers = giving(release)
  await o.seed.join(o.victim.address)
  liar.announceBare(release)
  await o.victim.runs(release)
}

test('whoever does not store the channel and has all of it by its own word keeps no block out of the region', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const [liar, seed] = [await aHostile(fleet), await aHostile(fleet, { region: FAR })]
  liar.patterns = ['other/**']
  liar.answers = answering({ type: 'gone' })
  await liar.join(victim.address)
  await runsPast(liar, { fleet, victim, seed })
  expect(wants(liar)).toBeGreaterThan(0)
})

test('nobody but a seed sends a node anywhere', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const nowhere = await trap(fleet)
  const liar = await joined(fleet, victim)
  liar.answers = answering(toward(nowhere))
  const release = fleet.release()
  liar.announceBare(release)
  await liar.until('it is asked twice', () => wants(liar) > 1)
  const honest = await joined(fleet, victim)
  honest.answers = giving(release)
  honest.announceBare(release)
  await victim.runs(release)
  expect(nowhere.connections).toBe(0)
})

test('a seed by its own word sends a node on once, not round and round', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const [liar, accomplice] = [await aHostile(fleet), await joined(fleet, victim)]
  liar.submits = true
  liar.answers = answering({ type: 'redirect', peer: accomplice.id, addresses: [] })
  accomplice.answers = answering({ type: 'gone' })
  const release = fleet.release()
  const { id, header } = release
  await accomplice.ask('blocks', { type: 'have', release: id, channel: header.channel, whole: true })
  await liar.join(victim.address)
  accomplice.announceBare(release)
  await liar.until('it is asked again', () => wants(liar) > 1)
  const honest = await joined(fleet, victim)
  honest.answers = giving(release)
  honest.announceBare(release)
  await victim.runs(release)
  expect(wants(liar)).toBeLessThan(50)
})
