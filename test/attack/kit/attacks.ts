/**
 * Each attack is one function: it sends one burst and counts the hostile messages that went out. A row's test calls it
 * once; `bench/attack.ts` calls all of them as fast as they go.
 */
import { randomBytes } from 'node:crypto'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { encode } from '../../../src/codec/cbor.ts'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import { encodeReleaseGossip } from '../../../src/codec/gossip.ts'
import { encodeHeader } from '../../../src/codec/header.ts'
import { PAYLOAD_TYPES } from '../../../src/model/envelope.ts'
import type { Channel, FleetId, KeyId, PeerId, ReleaseId } from '../../../src/model/ids.ts'
import type {
  AnyReply,
  AnyRequest,
  Protocol,
  ShortDigest,
  ShortHash,
  SyncRequest,
} from '../../../src/model/messages.ts'
import type { Header } from '../../../src/model/release.ts'
import { PROTOCOLS } from '../../../src/net/protocols.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { CBOR_BOMBS, JSON_BOMBS, junk, LENGTH_BOMBS } from './bombs.ts'
import { BRIDGING } from './bridge-attacks.ts'
import {
  type Aim,
  type Attack,
  digest,
  drained,
  gossipOf,
  pour,
  put,
  requests,
  say,
  times,
} from './bursts.ts'

const ownKey = generatePrivateKey('ed25519').key
const short = (): ShortDigest => randomBytes(8).toString('hex') as ShortDigest
const hash = (): ShortHash => randomBytes(8).toString('hex') as ShortHash

/** Well-formed, under the names of the right keys, which made none of its signatures. */
export function forgedEnvelope(aim: Aim, change: Partial<Header> = {}): Uint8Array {
  const payload = encodeHeader({
    v: 1,
    critical: [],
    fleet: aim.fleet,
    channel: aim.channel,
    root: aim.root,
    publisher: aim.publisher,
    clock: new Map([[aim.publisher, 1_000_000 + Math.floor(Math.random() * 1e9)]]),
    pages: [digest()],
    files: 1,
    bytes: 1,
    message: 'forged',
    created: Date.now(),
    ...change,
  })
  const signatures = aim.keys.map((keyId) => ({ keyId, sig: junk(64) }))
  return encodeEnvelope({ payloadType: PAYLOAD_TYPES.release, payload, signatures })
}

const announced = (envelope: Uint8Array): Uint8Array => encodeReleaseGossip({ envelope, attached: [] })

const bombs = Object.values(CBOR_BOMBS)

const sync = (message: SyncRequest): AnyRequest => ({ protocol: 'sync', message })

/** By an admitted peer with a gossip stream. */
export const ADMITTED: Readonly<Record<string, Attack>> = {
  'forged releases': gossipOf('releases', (aim) => announced(forgedEnvelope(aim))),
  'releases of another fleet': gossipOf('releases', (aim) =>
    announced(forgedEnvelope({ ...aim, fleet: digest() as string as FleetId })),
  ),
  'channels without end': gossipOf('releases', (aim, at) =>
    announced(forgedEnvelope(aim, { channel: `pay/${Date.now()}-${at}` as Channel })),
  ),
  'roots that do not exist': gossipOf('releases', (aim) => announced(forgedEnvelope(aim, { root: 2 ** 50 }))),
  replays: (hostile, { overheard }) =>
    say(
      hostile,
      'releases',
      // one changed byte in what is attached makes a message that was not seen yet
      overheard.map((envelope) => encodeReleaseGossip({ envelope, attached: [junk(8)] })),
    ),
  'overheard releases with a byte changed': (hostile, { overheard }) =>
    say(
      hostile,
      'releases',
      overheard.map((bytes) => {
        const changed = bytes.slice()
        const at = Math.floor(Math.random() * changed.length)
        changed[at] = (changed[at] ?? 0) ^ (1 + Math.floor(Math.random() * 255))
        return announced(changed)
      }),
    ),
  'stuffed with signatures': gossipOf('releases', (aim, at) =>
    announced(
      encodeEnvelope({
        payloadType: PAYLOAD_TYPES.release,
        payload: forgedEnvelope(aim),
        signatures: times(at % 2 === 0 ? 16 : 150, () => ({
          keyId: digest() as string as KeyId,
          sig: junk(64),
        })),
      }),
    ),
  ),
  'another kind of document': gossipOf('releases', (aim) =>
    announced(encodeEnvelope(signEnvelope('beacon', forgedEnvelope(aim), [ownKey]))),
  ),
  'the same again and again': async (hostile, aim) => {
    const [same] = times(1, () => announced(forgedEnvelope(aim)))
    return say(hostile, 'releases', new Array(1_000).fill(same))
  },
  'tiny RPCs': async (hostile) => {
    hostile.tinyRpcs(5_000)
    await drained(hostile, 5_000)
  },
  'junk as gossip': gossipOf('releases', (_aim, at) => junk(10 + at * 20)),
  'bombs as gossip': gossipOf('releases', (_aim, at) =>
    Buffer.concat([bombs[at % bombs.length] as Uint8Array, junk(4)]),
  ),
  'bombs as control': gossipOf('control', (_aim, at) =>
    Buffer.concat([bombs[at % bombs.length] as Uint8Array, junk(4)]),
  ),
  'gossip beyond its bound': async (hostile) =>
    say(
      hostile,
      'releases',
      times(8, () => junk(40_000)),
    ),
  'root bombs': gossipOf('control', (_aim, at) => {
    const texts = Object.values(JSON_BOMBS)
    const payload = Buffer.from((texts[at % texts.length] ?? '').slice(0, 50_000))
    const envelope = encodeEnvelope(signEnvelope('root', payload, [ownKey]))
    return encode({ v: 1, type: 'root', envelope })
  }),
  'forged beacons': gossipOf('control', () =>
    encode({ v: 1, type: 'beacon', envelope: encodeEnvelope(signEnvelope('beacon', junk(200), [ownKey])) }),
  ),
  'subscriptions without end': async (hostile) => {
    hostile.rpc({
      subscriptions: times(1_000, (at) => ({ subscribe: true, topic: `/flood/${Date.now()}/${at}` })),
    })
    await drained(hostile, 1_000)
  },
  'control messages without end': async (hostile) => {
    const topicID = hostile.topics.releases
    hostile.rpc({
      control: {
        ihave: [{ topicID, messageIDs: times(500, () => junk(32)) }],
        iwant: [{ messageIDs: times(500, () => junk(32)) }],
        graft: times(50, () => ({ topicID })),
        prune: times(50, () => ({ topicID, peers: [], backoff: 2 ** 31 })),
        idontwant: [{ messageIDs: times(500, () => junk(32)) }],
      },
    })
    // one that tells of 500 messages, wants 500 and does not want 500, and the grafts and prunes
    await drained(hostile, 3 + 50 + 50)
  },
  'blocks that nobody has': requests(() => ({
    protocol: 'blocks',
    message: { type: 'want', digest: digest() },
  })),
  'lies of having': requests(({ channel }) => ({
    protocol: 'blocks',
    message: { type: 'have', release: digest() as string as ReleaseId, channel, whole: true },
  })),
  'holdings without end': requests(({ channel }, at) => ({
    protocol: 'blocks',
    message: {
      type: 'holds',
      release: digest() as string as ReleaseId,
      channel,
      whole: at % 2 === 0,
      bitmap: junk(1_000),
    },
  })),
  'comparisons without end': requests(({ root }) =>
    sync({
      type: 'digests',
      salt: junk(16),
      root,
      beacons: [],
      digest: short(),
      buckets: times(64, short),
    }),
  ),
  'entries without end': requests(() =>
    sync({
      type: 'entries',
      subBuckets: [0],
      subs: 1,
      entries: times(500, () => ({ channel: hash(), entry: short() })),
    }),
  ),
  'forged envelopes by sync': requests((aim) =>
    sync({ type: 'push', envelopes: times(20, () => forgedEnvelope(aim)) }),
  ),
  'forged peer records': requests(() => sync({ type: 'peers', records: times(20, () => junk(300)) })),
  ...BRIDGING,
}

/** By anybody who reaches the port. */
export const STRANGER: Readonly<Record<string, Attack>> = {
  'lengths that lie': async (hostile) => {
    for (const protocol of PROTOCOLS)
      for (const bytes of Object.values(LENGTH_BOMBS))
        await put(hostile, await hostile.stream(protocol), [bytes])
  },
  'bombs as requests': async (hostile) => {
    for (const protocol of PROTOCOLS) for (const bomb of bombs) await pour(hostile, protocol, [bomb])
  },
  'junk as requests': async (hostile) => {
    for (const protocol of PROTOCOLS)
      await pour(
        hostile,
        protocol,
        times(10, () => junk(200)),
      )
  },
  'half messages': async (hostile) => {
    for (const protocol of PROTOCOLS)
      await put(hostile, await hostile.stream(protocol), [Buffer.from([100, 1, 2])])
  },
  'streams without end': async (hostile) => {
    const opened = await Promise.allSettled(
      times(200, (at) => hostile.stream(PROTOCOLS[at % PROTOCOLS.length] as Protocol)),
    )
    // those that were refused are no streams
    hostile.written += opened.filter(({ status }) => status === 'fulfilled').length
  },
  'admission without end': requests(() => ({
    protocol: 'admit',
    message: { type: 'open', version: 1, digest: digest() },
  })),
  'roots asked without end': requests(() => ({ protocol: 'admit', message: { type: 'root', since: 1 } })),
  forks: requests((aim) => ({
    protocol: 'admit',
    message: { type: 'fork', root: forgedEnvelope(aim) },
  })),
  'forged submissions': requests((aim) => ({
    protocol: 'publish',
    message: { type: 'submit', envelope: forgedEnvelope(aim) },
  })),
  'blocks nobody asked for': requests((_aim, at) => ({
    protocol: 'publish',
    message: {
      type: at % 2 === 0 ? 'block' : 'page',
      release: digest() as string as ReleaseId,
      bytes: junk(1_000),
    },
  })),
  'questions without end': requests(({ channel }) => ({
    protocol: 'publish',
    message: { type: 'state', channel },
  })),
  'forged leases': requests((aim) => ({
    protocol: 'publish',
    message: { type: 'lease', envelope: forgedEnvelope(aim) },
  })),
  'root bombs by hand': requests((_aim, at) => ({
    protocol: 'publish',
    message: {
      type: 'root',
      root: encodeEnvelope(
        signEnvelope('root', Buffer.from(Object.values(JSON_BOMBS)[at % 7] ?? ''), [ownKey]),
      ),
    },
  })),
}

/** Wrong bytes for whatever the node wants of it. */
export const corruptBlocks = (request: AnyRequest): AnyReply | undefined => {
  if (request.protocol !== 'blocks') return { protocol: 'sync', message: { type: 'noted' } }
  if (request.message.type === 'have') return { protocol: 'blocks', message: { type: 'noted' } }
  return { protocol: 'blocks', message: { type: 'block', bytes: junk(64) } }
}

const NOBODY = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN' as PeerId

/** Sends whoever wants a block of it to a peer that is not there. */
export const sendsOn = (request: AnyRequest): AnyReply | undefined =>
  request.protocol === 'blocks' && request.message.type === 'want'
    ? { protocol: 'blocks', message: { type: 'redirect', peer: NOBODY, addresses: [] } }
    : corruptBlocks(request)

/** Those whose name has this in it. */
export const kindsOf = (attacks: Readonly<Record<string, Attack>>, only: string): readonly string[] =>
  Object.keys(attacks).filter((name) => name.includes(only))
