/** Row 46: a node that the root removes. */
import { expect, test } from 'vitest'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import { removeNode } from '../../src/trust/edit.ts'
import { stage } from './kit/stage.ts'
import { runningMs } from './kit/victim.ts'

const { fleet: aFleet, victim: aVictim, joined } = stage()

test('its connection ends within 5 s of the root, and it does not get in again', async () => {
  const fleet = aFleet()
  // it answers, so that the time that it has for this is not what ends the connection
  const victim = await aVictim(fleet, { limits: { refuseDeadlineMs: 10_000 } })
  const [removed, other] = [await joined(fleet, victim), await joined(fleet, victim)]
  const next = removeNode(fleet.root, removed.id)
  other.control('root', encodeEnvelope(fleet.signedRoot(next)))
  await victim.rootVersion(2)
  expect(await runningMs('cut off', () => removed.connections === 0)).toBeLessThan(5_000)
  const why = { type: 'refuse', code: 'ADMIT_REMOVED' }
  expect(removed.asked.filter(({ protocol }) => protocol === 'admit')).toMatchObject([{ message: why }])
  fleet.root = next
  const answer = await removed.enter(victim.address)
  expect(answer).toMatchObject({ type: 'refused', code: 'ADMIT_REMOVED' })
})

test('who hears it from a peer that had admitted it says so in its own log, and lets go', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const peer = await joined(fleet, victim)
  const text = 'the connection ends'
  await peer.ask('admit', { type: 'refuse', code: 'ADMIT_REMOVED', text })
  await victim.refusedAtLeast('ADMIT_REMOVED')
  await peer.until('let go', () => peer.connections === 0)
})
