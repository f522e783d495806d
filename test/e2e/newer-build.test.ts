/**
 * Nodes of this build in one fleet with a newer one: a publisher, a root and a peer that say what this build does not
 * know. What they say is made by hand, out of this build's own forms and names that it has never heard of.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decode, encode } from '@ipld/dag-cbor'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sha256 } from '../../src/codec/digest.ts'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import { decodeEnvelopeJson } from '../../src/codec/envelope-json.ts'
import { asJson } from '../../src/codec/extra.ts'
import { encodeHeader } from '../../src/codec/header.ts'
import { encodeRequest } from '../../src/codec/messages.ts'
import { decodeRoot, encodeRoot } from '../../src/codec/root.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Address, Name, PeerId, ReleaseId } from '../../src/model/ids.ts'
import type { AnyRequest } from '../../src/model/messages.ts'
import { parseChannel } from '../../src/model/names.ts'
import type { Header } from '../../src/model/release.ts'
import type { TrustRoot } from '../../src/model/root.ts'
import { dialPublisher, type PublishConnection } from '../../src/net/dial.ts'
import { build } from '../../src/publish/build.ts'
import { submitToFirst } from '../../src/publish/submit.ts'
import { issueNodeCertificate } from '../../src/trust/certificates.ts'
import { type PrivateKey, privateKeyFromPem } from '../../src/trust/private-key.ts'
import { signEnvelope } from '../../src/trust/signing.ts'
import { agreeing, Hostile as Peer } from '../attack/kit/hostile.ts'
import { converged, type InitResult, RealFleet, type RealNode, until } from './real-fleet.ts'

const CHANNEL = parseChannel('payments/prod')
const HOUR_MS = 3_600_000
/** A peer of this process takes its time to be let in, and to gossip: as long as the machine has it stand still. */
const PATIENT = { CONFMESH_NODE_LIMITS_ADMIT_DEADLINE_MS: '30000', CONFMESH_NODE_LIMITS_WATCHDOG_MS: '60000' }
const fleet = new RealFleet()
let made: InitResult
let root: TrustRoot
let nodes: RealNode[]
let seed: RealNode
let publisher: PublishConnection
let counter = 0

const keyOf = (path: string): PrivateKey => privateKeyFromPem(readFileSync(path, 'utf8'))

beforeAll(async () => {
  made = await fleet.init()
  root = decodeRoot(decodeEnvelopeJson(readFileSync(made.root, 'utf8'), LIMITS).payload, LIMITS)
  seed = await fleet.start('seed', made.seedConfig, [], { env: PATIENT })
  nodes = [seed, ...(await Promise.all([1, 2].map((n) => fleet.startNode(`node${n}`, made))))]
  publisher = await dialPublisher(made.seedAddress as Address, { limits: LIMITS })
})
afterAll(async () => {
  await publisher.close()
  await fleet.end()
})

/** The next release of the channel, with what a newer build puts into its header. */
async function newerRelease(text: string, more: Record<string, unknown>, key = keyOf(made.publisherKey)) {
  counter += 1
  const content = await build([fleet.files('app', { 'app.yaml': text })], { limits: LIMITS })
  const header: Header = {
    ...{ v: 1, critical: [], fleet: root.fleetId, channel: CHANNEL, root: root.version },
    publisher: 'publisher' as Name,
    clock: new Map([['publisher' as Name, counter]]),
    ...{ pages: content.pages, files: content.files, bytes: content.bytes },
    ...{ message: text, created: Date.now() },
  }
  const payload = encode({ ...(decode(encodeHeader(header)) as object), ...more })
  const release = sha256(payload) as string as ReleaseId
  return { release, envelope: encodeEnvelope(signEnvelope('release', payload, [key])), content }
}

const send = async (made: Awaited<ReturnType<typeof newerRelease>>): Promise<string> => {
  await submitToFirst([publisher], made, { limits: LIMITS })
  return made.release
}

/** How often this node has refused something with the code, as its metrics say. */
async function refused(node: RealNode, code: string): Promise<number> {
  const text = await (await fetch(`${node.api}/metrics`)).text()
  return Number(new RegExp(`^confmesh_refused_total\\{code="${code}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
}

/** The log comes through a pipe, later than an answer over the network. */
const said = (node: RealNode, text: string) =>
  until(`${node.name} logs "${text}"`, 20_000, async () => node.log().includes(text))

describe('releases', () => {
  let active: string

  test('names this build does not know are carried along: activated, and the same id everywhere', async () => {
    active = await send(await newerRelease('one', { approvals: [1, 'two'], priority: 7 }))
    await converged(nodes, CHANNEL, active)
  })

  test('a critical name: ordered and relayed as ever, and what is active stays', async () => {
    const next = await send(await newerRelease('two', { critical: ['waves'], waves: 3 }))
    for (const node of nodes) {
      const channel = await until(`${node.name} has it`, 20_000, async () => {
        const view = await node.client.channel(CHANNEL)
        return view.heads[0]?.release === next && view.lastError !== null ? view : undefined
      })
      expect(channel.active?.release).toBe(active)
      expect(channel).toMatchObject({ gate: 'unsupported', lastError: { code: 'ACTIVATE_UNSUPPORTED' } })
      expect(Buffer.from(await node.client.get(CHANNEL, 'app.yaml')).toString()).toBe('one')
    }
  })

  test('a node that joins meanwhile activates nothing blindly', async () => {
    const late = await fleet.startNode('late', made)
    nodes.push(late)
    const { active: none, heads } = await until('the gate is closed', 20_000, async () => {
      const view = await late.client.channel(CHANNEL)
      return view.gate === 'unsupported' ? view : undefined
    })
    expect(none).toBeNull()
    expect(heads).toHaveLength(1)
  })

  test('the next release without it is activated by all', async () => {
    active = await send(await newerRelease('three', {}))
    await converged(nodes, CHANNEL, active)
  })

  test('another version: a coded answer on a connection that stays, and said to be one only where it is signed', async () => {
    const before = await refused(seed, 'CODEC_UNSUPPORTED')
    const stranger = await newerRelease('four', { v: 2 }, keyOf(made.rootKeys[0] as string))
    await expect(send(stranger)).rejects.toMatchObject({ code: 'CODEC_UNSUPPORTED' })
    const newer = await newerRelease('four', { v: 2, waves: 3 })
    await expect(send(newer)).rejects.toMatchObject({ code: 'CODEC_UNSUPPORTED' })
    await said(seed, 'a release of a newer format')
    expect(seed.log().split('a release of a newer format'), 'of the signed one alone').toHaveLength(2)
    expect(await refused(seed, 'CODEC_UNSUPPORTED')).toBeGreaterThan(before)
    const state = await publisher.ask({ type: 'state', channel: CHANNEL }, LIMITS.publishDeadlineMs)
    expect(state).toMatchObject({ type: 'state', target: active })
  })
})

describe('roots', () => {
  const next = (more: Partial<TrustRoot>): TrustRoot => ({ ...root, version: root.version + 1, ...more })
  const push = (of: TrustRoot, key: string) =>
    publisher.ask(
      { type: 'root', root: encodeEnvelope(signEnvelope('root', encodeRoot(of), [keyOf(key)])) },
      LIMITS.publishDeadlineMs,
    )

  test('a critical name leaves every node at its root, and is said where the root keys signed it alone', async () => {
    const newer = next({ critical: ['quorum'] })
    expect(await push(newer, made.publisherKey)).toMatchObject({ code: 'TRUST_ROOT_UNAUTHORISED' })
    expect(await push(newer, made.rootKeys[0] as string)).toMatchObject({ code: 'CODEC_UNSUPPORTED' })
    await said(seed, 'needs quorum, unknown to this build; upgrade this node')
    const told = () => seed.log().match(/"msg":"root \d+ needs quorum/g)
    expect(told(), 'of the root that its keys signed alone').toHaveLength(1)
    expect((await seed.client.status()).root.version).toBe(root.version)
    const message = `root ${newer.version} needs quorum, unknown to this build; upgrade this node`
    expect((await seed.client.status()).problems).toEqual([{ code: 'CODEC_UNSUPPORTED', message }])
  })

  test('names that are not critical are kept, and the root is adopted with them', async () => {
    const answer = await push(
      next({ extra: asJson.pack({ comment: 'from later' }) }),
      made.rootKeys[0] as string,
    )
    expect(answer).toMatchObject({ type: 'noted' })
    for (const node of nodes)
      await until(
        `${node.name} is at the new root`,
        20_000,
        async () => (await node.client.status()).root.version === root.version + 1,
      )
    expect((await seed.client.status()).problems).toEqual([])
  })
})

describe('messages', () => {
  let peer: Peer
  const admission = () => keyOf(join(fleet.dir, 'fleet/admission.key'))

  /** A request of this build with a newer one's additions. */
  const newer = (request: AnyRequest, more: object): Uint8Array =>
    encode({ ...(decode(encodeRequest(request.protocol, request.message as never)) as object), ...more })

  beforeAll(async () => {
    const notBefore = Date.now() - (Date.now() % 1_000) - HOUR_MS
    peer = await Peer.start({
      root,
      chainFor: (id: PeerId) => [
        issueNodeCertificate(
          { peer: id, labels: new Map(), notBefore, notAfter: notBefore + 9 * HOUR_MS },
          admission(),
        ),
      ],
    })
    peer.answers = agreeing
    await peer.dial(seed.address as Address)
  })
  afterAll(() => peer.stop())

  test('admission: another version or an unknown type gets its code; unknown names in hello are let in', async () => {
    const open = { type: 'open', version: root.version, digest: sha256(encodeRoot(root)) } as const
    const opening: AnyRequest = { protocol: 'admit', message: open }
    for (const more of [{ v: 2 }, { type: 'greet' }])
      expect(await peer.askBytes('admit', newer(opening, more))).toMatchObject({ code: 'CODEC_UNSUPPORTED' })
    await peer.askBytes('admit', newer(opening, { build: '9.0' }))
    const hello = newer({ protocol: 'admit', message: peer.hello() }, { speaks: ['quic'], build: '9.0' })
    expect(await peer.askBytes('admit', hello)).toMatchObject({ type: 'hello' })
  })

  test.each(['sync', 'blocks', 'publish'] as const)(
    '%s: the same, and the connection stays',
    async (protocol) => {
      for (const bytes of [encode({ v: 2, type: 'digests' }), encode({ v: 1, type: 'teleport', to: 'mars' })])
        expect(await peer.askBytes(protocol, bytes)).toMatchObject({
          type: 'refused',
          code: 'CODEC_UNSUPPORTED',
        })
      expect(peer.connections).toBe(1)
    },
  )

  test('gossip of another version or kind costs the peer nothing', async () => {
    await peer.openGossip()
    peer.gossip('control', encode({ v: 2, type: 'root', envelope: Uint8Array.of(1) }))
    peer.gossip('releases', encode({ v: 2, envelope: Uint8Array.of(1), attached: [], hops: 1 }))
    const state: AnyRequest = { protocol: 'publish', message: { type: 'state', channel: CHANNEL } }
    expect(await peer.askBytes('publish', newer(state, { trace: 'abc' }))).toMatchObject({ type: 'state' })
    expect(peer.connections).toBe(1)
    expect(await refused(seed, 'CODEC_MALFORMED')).toBe(0)
  })

  test('after all of it the fleet goes on', async () => {
    root = { ...root, version: root.version + 1 }
    counter += 1
    await converged(nodes, CHANNEL, await send(await newerRelease('last', {})))
  })
})
