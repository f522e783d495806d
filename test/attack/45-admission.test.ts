/** Rows 45 to 47: who is let in, what strangers get, what ends an admission, whose labels count. */
import { expect, test } from 'vitest'
import { generatePrivateKey } from '../../src/cli/generate-key.ts'
import { sha256 } from '../../src/codec/digest.ts'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import type { Labels } from '../../src/model/certificate.ts'
import type { Name, PeerId } from '../../src/model/ids.ts'
import { issueNodeCertificate, issuePool } from '../../src/trust/certificates.ts'
import { removeNode, removePool, renew } from '../../src/trust/edit.ts'
import type { PrivateKey } from '../../src/trust/private-key.ts'
import { AttackedFleet } from './kit/fleet.ts'
import type { Hostile } from './kit/hostile.ts'
import { stage } from './kit/stage.ts'
import { runningMs, until, type Victim } from './kit/victim.ts'

const { fleet: aFleet, victim: aVictim, joined, hostile: stranger } = stage()

const HOUR = 3_600_000
const second = (ms: number): number => Math.floor(ms / 1_000) * 1_000
const valid = () => ({ notBefore: second(Date.now() - HOUR), notAfter: second(Date.now() + HOUR) })

const poolKey = generatePrivateKey('ed25519').key
const poolOf = (
  fleet: AttackedFleet,
  labels: Labels = new Map([['region', '*']]),
  key = fleet.admissionKey,
) => encodeEnvelope(issuePool({ name: 'hosts' as Name, key: poolKey.public, labels, ...valid() }, key))
const memberOf = (peer: PeerId, labels: Labels = new Map(), times = valid(), key: PrivateKey = poolKey) =>
  encodeEnvelope(issueNodeCertificate({ peer, labels, ...times }, key))

async function enters(victim: Victim, peer: Hostile, chain: Uint8Array[]): Promise<string> {
  const answer = await peer.enter(victim.address, chain)
  return answer.type === 'refused' ? answer.code : answer.type
}

test('45: a certificate that does not hold lets nobody in, and the node says so', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const peer = await stranger(fleet)
  const pool = poolOf(fleet)
  const other = new AttackedFleet()
  const past = { notBefore: second(Date.now() - 500 * HOUR), notAfter: second(Date.now() - 49 * HOUR) }
  const nearly = { notBefore: past.notBefore, notAfter: second(Date.now() - 47 * HOUR) }
  const third = [memberOf(peer.id), pool, pool]
  const refused: readonly [string, Uint8Array[], string][] = [
    ['none', [], 'ADMIT_REFUSED'],
    ['of another fleet', other.chainFor(peer.id).map(encodeEnvelope), 'ADMIT_REFUSED'],
    ['of a pool of another fleet', [memberOf(peer.id), poolOf(other)], 'ADMIT_REFUSED'],
    ['of another peer', [memberOf(victim.id), pool], 'ADMIT_REFUSED'],
    ['the pool itself', [pool], 'ADMIT_REFUSED'],
    [
      'signed by nobody who may',
      [memberOf(peer.id, new Map(), valid(), fleet.rootKey), pool],
      'ADMIT_REFUSED',
    ],
    ['ended', [memberOf(peer.id, new Map(), past), pool], 'ADMIT_EXPIRED'],
    [
      'with a label that its pool may not give',
      [memberOf(peer.id, new Map([['zone', 'a']])), pool],
      'ADMIT_LABELS',
    ],
  ]
  for (const [what, chain, code] of refused)
    expect([what, await enters(victim, peer, chain)]).toEqual([what, code])
  // Longer than a message may say: not even read as one.
  expect(await enters(victim, peer, third).catch(() => 'cut off')).not.toBe('hello')
  await victim.refusedAtLeast('ADMIT_REFUSED', 6)
  await victim.refusedAtLeast('ADMIT_EXPIRED', 1)
  await victim.refusedAtLeast('ADMIT_LABELS', 1)
  expect(await enters(victim, peer, [memberOf(peer.id, new Map(), nearly), pool])).toBe('hello')
})

test('45: a stranger gets no gossip, sync, block or bridge, however it asks', async () => {
  const fleet = aFleet()
  // less than the kit waits for an answer: one that never comes is no refusal
  const victim = await aVictim(fleet, { seed: true, limits: { admitDeadlineMs: 8_000 } })
  const release = fleet.release()
  await victim.submit(release)
  await victim.runs(release)
  const peer = await stranger(fleet)
  await peer.dial(victim.address)
  const block = sha256(release.blocks[0] as Uint8Array)
  const answers = await Promise.allSettled([
    peer.ask('blocks', { type: 'want', digest: block }),
    peer.ask('sync', { type: 'peers', records: [] }),
  ])
  // those that are not refused are cut off
  for (const answer of answers) if (answer.status === 'fulfilled') expect(answer.value.type).toBe('refused')
  await until('the stranger that asks is cut off', () => peer.connections === 0)
  await peer.dial(victim.address)
  const bridge = await peer.stream('bridge').catch(() => undefined)
  bridge?.send(new Uint8Array([1, 0xa0]))
  await peer.openGossip()
  const next = fleet.release({ counter: 2 })
  await victim.submit(next)
  await victim.runs(next)
  const theirs = fleet.release({ counter: 3 })
  peer.announce(theirs)
  await until('the stranger is cut off', () => peer.connections === 0)
  expect(peer.heard).toEqual([])
  expect(await victim.active()).toBe(next.id)
})

test('46: a removed node and a removed pool are cut off within 5 s of the root, live connections too', async () => {
  for (const what of ['node', 'pool'] as const) {
    const fleet = aFleet()
    const victim = await aVictim(fleet, { seed: true })
    const [gone, stays] = [await stranger(fleet), await joined(fleet, victim)]
    const chain = [memberOf(gone.id), poolOf(fleet)]
    expect(await enters(victim, gone, chain)).toBe('hello')
    const next = what === 'node' ? removeNode(fleet.root, gone.id) : removePool(fleet.root, poolKey.id)
    const root = encodeEnvelope(fleet.signedRoot(next))
    expect(await stays.ask('publish', { type: 'root', root })).toEqual({ type: 'noted' })
    expect(await runningMs(`the ${what} is cut off`, () => gone.connections === 0)).toBeLessThan(5_000)
    await victim.refusedAtLeast('ADMIT_REMOVED', 1)
    fleet.root = next
    const again = await enters(victim, gone, chain)
    expect(again).toBe('ADMIT_REMOVED')
    expect(stays.connections).toBe(1)
  }
})

test('47: the region of a peer is that of its certificate, whatever it says', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet)
  const peer = await stranger(fleet)
  peer.region = 'default'
  expect(await enters(victim, peer, [memberOf(peer.id, new Map([['region', 'far']])), poolOf(fleet)])).toBe(
    'hello',
  )
  await until('it is counted where its certificate says', async () => {
    const { peers } = await victim.client.status()
    return peers.byRegion.far === 1 && peers.byRegion.default === undefined
  })
  await victim.refusedAtLeast('ADMIT_LABELS', 1)
})

test('a node thirty roots behind gets in, and a stranger with their help does not', async () => {
  const fleet = aFleet()
  const behind = fleet.root
  const seed = await aVictim(fleet, { seed: true })
  const helper = await joined(fleet, seed)
  for (let version = 2; version <= 31; version += 1) {
    fleet.root = renew(fleet.root, fleet.root.expires + version * 1_000)
    const root = encodeEnvelope(fleet.signedRoot())
    expect(await helper.ask('publish', { type: 'root', root })).toEqual({ type: 'noted' })
  }
  const newest = fleet.root
  fleet.root = behind
  const late = await aVictim(fleet, { seeds: [seed.address] })
  await late.rootVersion(newest.version)
  await until('it is connected', async () => (await late.client.status()).peers.connected === 1)
  const peer = await stranger(fleet)
  expect(await enters(seed, peer, [])).toBe('ADMIT_REFUSED')
})

test('an upload opens for a valid envelope that is news, and for nothing else', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { seed: true })
  const peer = await stranger(fleet)
  await peer.dial(victim.address)
  const submit = async (bytes: Uint8Array) => {
    const reply = await peer.ask('publish', { type: 'submit', envelope: bytes })
    return reply.type === 'refused' ? reply.code : reply.type
  }
  const good = fleet.release({ counter: 2 })
  const [block] = good.blocks as [Uint8Array]
  const unasked = await peer.ask('publish', { type: 'block', release: good.id, bytes: block })
  expect(unasked).toMatchObject({ code: 'BLOCK_UNWANTED' })
  const forged = fleet.release({ counter: 9, keys: [fleet.rootKey, fleet.admissionKey] })
  expect(await submit(forged.bytes)).toBe('TRUST_UNAUTHORISED')
  expect(await submit(good.bytes)).toBe('need')
  await victim.submit(good)
  await victim.runs(good)
  expect(await submit(fleet.release({ counter: 1 }).bytes)).toBe('ORDER_STALE')
  expect(await submit(good.bytes)).toBe('done')
})
