import { gossipsub, TopicValidatorResult } from '@chainsafe/libp2p-gossipsub'
import type { PeerScore } from '@chainsafe/libp2p-gossipsub/score'
import type { Connection } from '@libp2p/interface'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import type { FleetId, PeerId } from '../../../src/model/ids.ts'
import { Gate } from '../../../src/net/gate.ts'
import { Gossip, gossipOptions, type Pubsub, topicNames } from '../../../src/net/gossip.ts'
import { Misconduct } from '../../../src/net/misconduct.ts'
import { Pace } from '../../../src/net/pace.ts'
import type { EffectOf } from '../../../src/runtime/ports.ts'

/** Where gossipsub judges what came, and who brought it. */
interface Receiver {
  validateReceivedMessage(from: object, message: object): Promise<{ readonly code: string }>
  readonly score: PeerScore
}

const FLEET = 'f1ee7'.padEnd(64, '0') as FleetId

const options = (seed: boolean, gate = new Gate()) =>
  gossipOptions({
    fleetId: FLEET,
    region: 'default',
    seed,
    gate,
    pace: new Pace(LIMITS),
    limits: LIMITS,
  })

function gossipOn(pubsub: Pubsub, seed: boolean, gate = new Gate(), note = vi.fn()): Gossip {
  const [log, sink] = [{ note }, vi.fn()]
  const misconduct = new Misconduct(log, { count: vi.fn(), observe: vi.fn() }, sink)
  return new Gossip({
    pubsub,
    gate,
    seed,
    fleetId: FLEET,
    region: 'default',
    limits: LIMITS,
    misconduct,
    log,
    sink,
  })
}

/** Of peers, where no gossipsub keeps it. */
const kept = { score: { addPeer: vi.fn() }, doAddBackoff: vi.fn() }

/** What a real gossipsub makes of messages. */
function judged() {
  const log = Object.assign(() => {}, { error() {}, trace() {} })
  const gate = new Gate()
  const real = gossipsub(options(false, gate))({ logger: { forComponent: () => log } } as never)
  const pubsub = Object.assign(real, { subscribe: vi.fn(), addEventListener: vi.fn() })
  gossipOn(pubsub as unknown as Pubsub, false, gate).start()
  const { releases: topic } = topicNames(FLEET, 'default')
  const says = async (peer: object, text: string): Promise<string> => {
    const message = { topic, data: new TextEncoder().encode(text) }
    return (await (pubsub as unknown as Receiver).validateReceivedMessage(peer, message)).code
  }
  return { pubsub, gate, says }
}

test('a small release leaves its origin in six copies at most, in a large fleet too', () => {
  const { D, Dhi, floodPublish, doPX } = options(true)
  expect({ D, Dhi, floodPublish, doPX }).toEqual({ D: 6, Dhi: 6, floodPublish: false, doPX: false })
})

test('a node that is no seed takes a few neighbours more, so that newcomers find a place', () => {
  expect(options(false).Dhi).toBe(9)
})

test.each([
  { seed: true, told: ['before'] },
  { seed: false, told: ['news'] },
])('of what came in this heartbeat a node tells at once, a seed not yet: $seed', ({ seed, told }) => {
  const mcache = {
    msgs: new Map(),
    history: [[{ msgIdStr: 'news' }], [{ msgIdStr: 'before' }]],
    getGossipIDs() {
      return new Map([['releases', this.history[0]?.map(({ msgIdStr }) => msgIdStr)]])
    },
    validate: vi.fn(),
  }
  const noted = { ...kept, gossipTracer: { getBrokenPromises: vi.fn() } }
  const said = { subscribe: vi.fn(), addEventListener: vi.fn(), sendIDontWants: vi.fn() }
  const pubsub = { topicValidators: new Map(), ...said, mcache, ...noted }
  gossipOn(pubsub as unknown as Pubsub, seed).start()
  expect(mcache.getGossipIDs().get('releases')).toEqual(told)
})

/** A peer that comes and goes. */
function scored(name: string) {
  const { pubsub, gate } = judged()
  const { score } = pubsub as unknown as Receiver
  const remotePeer = { toString: () => name }
  return {
    score,
    admit: () => {
      gate.admit({ remotePeer } as unknown as Connection)
      score.addPeer(name)
    },
    revoke: () => {
      gate.revoke(remotePeer as never)
      score.removePeer(name)
    },
  }
}

test('what a peer was blamed for it is not rid of by coming back, and from many addresses nothing adds up', () => {
  const { score, admit } = scored('blamed')
  admit()
  for (let count = 0; count < 10; count += 1)
    score.rejectInvalidMessage('blamed', topicNames(FLEET, 'default').releases)
  score.addPenalty('blamed', 3, 'graft_backoff' as never)
  for (let life = 0; life < 3; life += 1) {
    score.addIP('blamed', `10.0.0.${life}`)
    score.removePeer('blamed')
    score.addPeer('blamed')
    expect(score.score('blamed')).toBeLessThan(-1_900)
  }
  score.addIP('blamed', '10.0.0.9')
  expect([...score.peerIPs.keys()]).toEqual(['10.0.0.9'])
  // It counts as one that is here: nobody forgets it.
  expect(score.peerStats.get('blamed')).toMatchObject({ connected: true, behaviourPenalty: 3 })
})

test('a peer that is back within a second is heard at once: that it was not admitted meanwhile is forgotten', () => {
  const { score, admit, revoke } = scored('honest')
  admit()
  revoke()
  expect(score.score('honest')).toBeLessThan(0)
  admit()
  expect(score.score('honest')).toBe(0)
})

test.each([
  ['nobody is there to hear it', 'PublishError.NoPeersSubscribedToTopic', 0],
  ['it was said before', 'PublishError.Duplicate', 0],
  ['gossip is not up', 'PublishError.Uninitialized', 1],
])('of a message that is not sent, as %s, so much is noted', async (_why, message, notes) => {
  const publish = () => Promise.reject(new Error(message))
  const note = vi.fn()
  await gossipOn({ publish } as unknown as Pubsub, false, new Gate(), note).publish({
    ...{ kind: 'publish', topic: 'control', bytes: new Uint8Array(1) },
  })
  expect(note).toHaveBeenCalledTimes(notes)
})

describe('a verdict', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** What gossipsub hears of a verdict, by the time at which it hears it. */
  function judge(said: Pick<EffectOf<'verdict'>, 'topic' | 'verdict' | 'urgent'>): readonly string[] {
    const heard: string[] = []
    const pubsub = {
      reportMessageValidationResult: (id, from, as) => {
        heard.push(`${id} ${from} ${as}`)
      },
    } satisfies Partial<Pubsub>
    const gossip = gossipOn(pubsub as unknown as Pubsub, false)
    gossip.verdict({ kind: 'verdict', id: 'm', from: 'p' as PeerId, ...said })
    return heard
  }

  test.each(['releases', 'control'] as const)(
    'to accept on %s waits for neighbours to say that they have it',
    (topic) => {
      const heard = judge({ topic, verdict: 'accept' })
      vi.advanceTimersByTime(1)
      expect(heard).toEqual([])
      vi.runAllTimers()
      expect(heard).toEqual(['m p accept'])
    },
  )

  test('on what is urgent, or that passes nothing on, is heard at once', () => {
    expect(judge({ topic: 'control', verdict: 'accept', urgent: true })).toEqual(['m p accept'])
    expect(judge({ topic: 'releases', verdict: 'ignore' })).toEqual(['m p ignore'])
    expect(judge({ topic: 'control', verdict: 'reject' })).toEqual(['m p reject'])
  })
})

describe('a flood', () => {
  const noted = { ...kept, gossipTracer: { getBrokenPromises: vi.fn() } }
  const forgetful = { seenCache: { entries: new Map() }, msgIdToStrFn: () => '', ...noted }
  const hears = (gate: Gate) => {
    const topicValidators: Pubsub['topicValidators'] = new Map()
    const said = { subscribe: vi.fn(), addEventListener: vi.fn(), sendIDontWants: vi.fn() }
    const pubsub = { topicValidators, mcache: { validate: vi.fn() }, ...said, ...forgetful }
    gossipOn(pubsub as unknown as Pubsub, false, gate).start()
    const [validator] = topicValidators.values()
    return (peer: object) => validator?.(peer as never, { data: Uint8Array.of(1) })
  }
  /** A connection to it. */
  const linkTo = (of: object) =>
    Object.assign(new EventTarget(), { remotePeer: of, status: 'open' }) as unknown as Connection
  /** What it may say at once. */
  const AT_ONCE = 2 * LIMITS.gossipBurst
  const remotePeer = { toString: () => 'flooder' }
  const honest = { toString: () => 'honest' }
  beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
  afterEach(() => void vi.useRealTimers())

  test('that outlasts its connection is not waited for, though its sender has come back', async () => {
    const gate = new Gate()
    const validate = hears(gate)
    // what it said before it went, and was in time for, is its word
    for (let count = 0; count < AT_ONCE; count += 1)
      expect(await validate(remotePeer)).toBe(TopicValidatorResult.Accept)
    gate.admit(linkTo({ ...remotePeer }))
    expect(await validate(remotePeer)).toBe(TopicValidatorResult.Ignore)
  })

  test('whose connection is being closed is not waited for either', async () => {
    const gate = new Gate()
    const validate = hears(gate)
    const link = linkTo(remotePeer)
    gate.admit(link)
    for (let count = 0; count < AT_ONCE; count += 1) await validate(remotePeer)
    Object.assign(link, { status: 'closing' })
    expect(await validate(remotePeer)).toBe(TopicValidatorResult.Ignore)
  })

  test('that outlasts its connection hides nothing that others say as well', async () => {
    const { gate, says } = judged()
    gate.admit(linkTo(honest))
    for (let count = 0; count < AT_ONCE; count += 1)
      expect(await says(remotePeer, `rubbish ${count}`)).toBe('valid')
    expect(await says(remotePeer, 'release')).toBe('invalid')
    expect(await says(honest, 'release')).toBe('valid')
    expect(await says(honest, 'release')).toBe('duplicate')
  })

  test('whose sender goes while it waits counts still: what others said of it meanwhile was no news', async () => {
    const { gate, says } = judged()
    gate.admit(linkTo(remotePeer))
    for (let count = 0; count < AT_ONCE; count += 1) await says(remotePeer, `rubbish ${count}`)
    const waiting = says(remotePeer, 'release')
    expect(await says(honest, 'release')).toBe('duplicate')
    gate.revoke(remotePeer as never)
    expect(await waiting).toBe('valid')
  })

  test('of a peer that is here waits, and is heard', async () => {
    const gate = new Gate()
    const validate = hears(gate)
    gate.admit(linkTo(remotePeer))
    for (let count = 0; count < AT_ONCE + 2; count += 1)
      expect(await validate(remotePeer)).toBe(TopicValidatorResult.Accept)
  })
})
