/** Row 19: what pretends to be a root. Row 20: roots that do not exist. */
import { expect, test } from 'vitest'
import { encode } from '../../src/codec/cbor.ts'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import { encodeReleaseGossip } from '../../src/codec/gossip.ts'
import { renew } from '../../src/trust/edit.ts'
import { signEnvelope } from '../../src/trust/signing.ts'
import { JSON_BOMBS } from './kit/bombs.ts'
import { say } from './kit/bursts.ts'
import { agreeing } from './kit/hostile.ts'
import { stage } from './kit/stage.ts'
import { until } from './kit/victim.ts'

const { fleet: aFleet, victim: aVictim, joined } = stage()
const PER_RPC = 100

test('bombs signed by the root key itself are refused by gossip and by hand, and the node goes on', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { seed: true })
  for (const text of Object.values(JSON_BOMBS)) {
    const peer = await joined(fleet, victim)
    const payload = Buffer.from(text.slice(0, 50_000))
    const envelope = encodeEnvelope(signEnvelope('root', payload, [fleet.rootKey]))
    peer.gossip('control', encode({ v: 1, type: 'root', envelope }))
    expect((await peer.ask('publish', { type: 'root', root: envelope })).type).toMatch(/^(refused|noted)$/)
    await peer.stop()
  }
  await victim.refusedAtLeast('TRUST_ROOT_INVALID', Object.keys(JSON_BOMBS).length)
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  expect((await victim.client.status()).root.version).toBe(1)
  const release = fleet.release()
  await victim.submit(release)
  await victim.runs(release)
})

test('roots beyond what a peer may send in a minute are not read; that of another peer counts', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { limits: { maxRootBytesPerMinute: 100 * 1_024 } })
  const [flooder, honest] = [await joined(fleet, victim), await joined(fleet, victim)]
  for (let at = 0; at < 10; at += 1) flooder.control('root', Buffer.alloc(50_000, at))
  await victim.refusedAtLeast('LIMIT_RATE', 8)
  expect(await victim.refused('TRUST_ROOT_INVALID')).toBe(2)
  const next = renew(fleet.root, fleet.root.expires + 86_400_000)
  honest.control('root', encodeEnvelope(fleet.signedRoot(next)))
  await victim.rootVersion(2)
})

test('10,000 releases of roots that do not exist cost the sender one question, and nothing is kept', async () => {
  const fleet = aFleet()
  const all = 10_000
  // before anybody is connected: it takes seconds, and both sides live in this process
  const made = Array.from({ length: all }, (_, at) => {
    const { bytes } = fleet.release({ counter: at + 1, header: { root: 2 ** 50 } })
    return encodeReleaseGossip({ envelope: bytes, attached: [] })
  })
  // as wide as it takes for each of them to be looked at, by an eighth of all: no bucket spares the node the question
  const [gossipBurst, verifiesBurst] = [all, 16 * all]
  const victim = await aVictim(fleet, { limits: { gossipBurst, verifiesBurst } })
  const peer = await joined(fleet, victim)
  // on a slow machine the flood takes longer than a node keeps a peer that answers nothing
  peer.answers = agreeing
  for (let at = 0; at < all; at += PER_RPC) await say(peer, 'releases', made.slice(at, at + PER_RPC))
  await until('each is looked at', async () => (await victim.refused('ORDER_AHEAD')) >= all, 40_000)
  const honest = await joined(fleet, victim)
  const good = fleet.release()
  honest.announce(good)
  await victim.runs(good)
  expect(peer.asked.filter(({ message }) => message.type === 'root')).toHaveLength(1)
  expect((await victim.client.status()).channels).toHaveLength(1)
})
