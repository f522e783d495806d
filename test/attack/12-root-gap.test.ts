/** Rows 11 to 14: roots that are old, skip a version, are not signed as they must be, or fork. */
import { expect, test } from 'vitest'
import { generatePrivateKey } from '../../src/cli/generate-key.ts'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import { parsePattern } from '../../src/model/names.ts'
import { addRootKey, raiseEpoch, removeRootKey, renew, setThreshold } from '../../src/trust/edit.ts'
import { stage } from './kit/stage.ts'

const { fleet: aFleet, victim: aVictim, joined } = stage()
const DAY_MS = 86_400_000

test('a root beyond the next is not adopted; what is between is asked for; old ones change nothing', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const peer = await joined(fleet, victim)
  const [one, later] = [fleet.root, fleet.root.expires + DAY_MS]
  const two = renew(one, later)
  const three = renew(two, later + DAY_MS)
  const bytesOf = (root: typeof one) => encodeEnvelope(fleet.signedRoot(root))
  peer.control('root', bytesOf(three))
  await victim.refusedAtLeast('TRUST_ROOT_GAP')
  await peer.wasAsked('what is between', ({ message }) => message.type === 'root')
  expect((await victim.client.status()).root.version).toBe(1)
  peer.control('root', bytesOf(two))
  peer.control('root', bytesOf(three))
  await victim.rootVersion(2)
  // the very bytes of three were seen already: another set of them is not
  peer.answers = ({ message }) =>
    message.type === 'root'
      ? { protocol: 'admit', message: { type: 'root', root: bytesOf(three) } }
      : undefined
  const other = await joined(fleet, victim)
  other.control('root', bytesOf(one))
  await victim.refusedAtLeast('TRUST_ROOT_OLD')
  expect((await victim.client.status()).root.version).toBeGreaterThanOrEqual(2)
})

test('a root that strangers sign is refused, whatever it says', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { seed: true })
  const peer = await joined(fleet, victim)
  const next = renew(fleet.root, fleet.root.expires + DAY_MS)
  const stranger = generatePrivateKey('ed25519').key
  const forged = [
    fleet.signedRoot(next, [stranger, ...fleet.publisherKeys]),
    // whole in itself, as it names the stranger's key: only the root before says that it is nobody's
    fleet.signedRoot(addRootKey(fleet.root, stranger.public), [stranger]),
  ].map(encodeEnvelope)
  for (const root of forged) {
    peer.control('root', root)
    await peer.ask('publish', { type: 'root', root })
  }
  await victim.refusedAtLeast('TRUST_ROOT_UNAUTHORISED', 4)
  expect((await victim.client.status()).root.version).toBe(1)
})

test('a root that only the old threshold signs, or only the new one, is refused; with both it counts', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { seed: true })
  const peer = await joined(fleet, victim)
  const fresh = generatePrivateKey('ed25519').key
  // one root from the other: of another key, and of both keys with a threshold of two
  const { version } = fleet.root
  const other = {
    ...removeRootKey(addRootKey(fleet.root, fresh.public), fleet.rootKey.id),
    version: version + 1,
  }
  const both = { ...setThreshold(addRootKey(fleet.root, fresh.public), 2), version: version + 1 }
  const lacking = [
    fleet.signedRoot(other, [fleet.rootKey]),
    fleet.signedRoot(other, [fresh]),
    fleet.signedRoot(both, [fleet.rootKey]),
    fleet.signedRoot(both, [fresh]),
  ].map(encodeEnvelope)
  for (const root of lacking) {
    peer.control('root', root)
    await peer.ask('publish', { type: 'root', root })
  }
  await victim.refusedAtLeast('TRUST_ROOT_UNAUTHORISED', 2 * lacking.length)
  expect((await victim.client.status()).root.version).toBe(version)
  peer.control('root', encodeEnvelope(fleet.signedRoot(other, [fleet.rootKey, fresh])))
  await victim.rootVersion(version + 1)
})

test('two halves of a fleet with two valid roots hear of each other, stay, and are one again with the next', async () => {
  const fleet = aFleet()
  const one = fleet.root
  const two = renew(one, one.expires + DAY_MS)
  const twin = renew(one, one.expires + 2 * DAY_MS)
  const bytesOf = (root: typeof one) => encodeEnvelope(fleet.signedRoot(root))
  const a = await aVictim(fleet)
  const before = await aVictim(fleet)
  for (const [victim, root] of [
    [a, two],
    [before, twin],
  ] as const) {
    ;(await joined(fleet, victim)).control('root', bytesOf(root))
    await victim.rootVersion(2)
  }
  await before.stop(true)
  const b = await aVictim(fleet, { dir: before.dir, seeds: [a.address] })
  const halves = [a, b]
  for (const half of halves) {
    await half.metricAtLeast('confmesh_root_fork', 1)
    expect((await half.client.status()).root.version).toBe(2)
  }
  const peer = await joined(fleet, a)
  peer.control('root', fleet.rotate(renew(two, one.expires + 3 * DAY_MS)))
  for (const half of halves) {
    await half.rootVersion(3)
    expect(await half.metric('confmesh_root_fork')).toBe(0)
  }
  const release = fleet.release()
  peer.announce(release)
  for (const half of halves) await half.runs(release)
})

test('of two valid roots of one version the first stays, the alarm is raised, and releases go on', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const peer = await joined(fleet, victim)
  const one = fleet.root
  const two = renew(one, one.expires + DAY_MS)
  peer.control('root', encodeEnvelope(fleet.signedRoot(two)))
  await victim.rootVersion(2)
  peer.control('root', encodeEnvelope(fleet.signedRoot(raiseEpoch(one, parsePattern('pay/**')))))
  await victim.refusedAtLeast('TRUST_ROOT_FORK')
  expect(await victim.metric('confmesh_root_fork')).toBe(1)
  const release = fleet.release()
  peer.announce(release)
  await victim.runs(release)
})

test('the alarm of a fork ends with the next version, and forks of older ones do not raise it again', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const peer = await joined(fleet, victim)
  const one = fleet.root
  const two = renew(one, one.expires + DAY_MS)
  const say = (root: typeof one) => peer.control('root', encodeEnvelope(fleet.signedRoot(root)))
  say(two)
  await victim.rootVersion(2)
  say(renew(one, one.expires + 2 * DAY_MS))
  await victim.refusedAtLeast('TRUST_ROOT_FORK')
  expect(await victim.metric('confmesh_root_fork')).toBe(1)
  say(renew(two, one.expires + 3 * DAY_MS))
  await victim.rootVersion(3)
  expect(await victim.metric('confmesh_root_fork')).toBe(0)
  const [forks, old] = [await victim.refused('TRUST_ROOT_FORK'), await victim.refused('TRUST_ROOT_OLD')]
  say(renew(one, one.expires + 4 * DAY_MS))
  await victim.refusedAtLeast('TRUST_ROOT_OLD', old + 1)
  expect(await victim.refused('TRUST_ROOT_FORK')).toBe(forks)
  expect(await victim.metric('confmesh_root_fork')).toBe(0)
})
