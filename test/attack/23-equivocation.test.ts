/** Row 23: two releases in one place. */
import { expect, test } from 'vitest'
import { stage } from './kit/stage.ts'

const { fleet: aFleet, victim: aVictim, joined } = stage()

test('twins from two peers hold the channel at what it ran, and the next release ends it', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const [left, right] = [await joined(fleet, victim), await joined(fleet, victim)]
  const before = fleet.release({ counter: 1 })
  left.announce(before)
  await victim.runs(before)
  const [a, b] = ['a', 'b'].map((text) => fleet.release({ counter: 2, files: { 'app.yaml': text } })) as [
    typeof before,
    typeof before,
  ]
  left.announce(a)
  right.announce(b)
  await victim.refusedAtLeast('ORDER_EQUIVOCATION')
  const held = await victim.client.channel('pay/prod')
  expect(held.state).toBe('held')
  // the first may have been active before its twin came: neither is chosen after
  expect([before.id, a.id, b.id]).toContain(held.active?.release)
  const after = fleet.release({ counter: 3 })
  left.announce(after)
  await victim.runs(after)
  expect((await victim.client.channel('pay/prod')).state).toBe('active')
})
