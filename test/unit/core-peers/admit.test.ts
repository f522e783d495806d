import { beforeEach, describe, expect, it } from 'vitest'
import { type Admit, createAdmit } from '../../../src/core/admit.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { AdmitReply, AdmitRequest } from '../../../src/model/messages.ts'
import {
  acts,
  addressOf,
  asked,
  Bench,
  codes,
  connected,
  FakeJudge,
  helloOf,
  hex,
  limitsOf,
  peer,
  replies,
  requestOf,
  rootBytes,
  rootOf,
} from './fakes.ts'

const OTHER = peer('other')
const timeoutMs = LIMITS.admitDeadlineMs

let bench: Bench
let admit: Admit
let judge: FakeJudge
beforeEach(() => start())

function start(more: ConstructorParameters<typeof Bench>[0] = {}): void {
  bench = new Bench(more)
  judge = new FakeJudge()
  admit = createAdmit(bench.config, judge.judge)
  bench.journey.session = (id) => admit.session(id)
}

const dial = (): Effect[] =>
  bench.run((step, journey) => admit.onConnected(step, journey, connected(OTHER, 'outbound')))
const accept = (id = OTHER): Effect[] =>
  bench.run((step, journey) => admit.onConnected(step, journey, connected(id, 'inbound')))
const asks = (id: number, message: AdmitRequest, from = OTHER): Effect[] =>
  bench.run((step, journey) =>
    admit.onRequest(step, journey, requestOf(id, from, { protocol: 'admit', message })),
  )
const answers = (id: number, message: AdmitReply): Effect[] =>
  bench.run((step, journey) => admit.onReply(step, journey, id, { protocol: 'admit', message }))
const tick = (): Effect[] => bench.run((step, journey) => admit.onTick(step, journey))

const request = (id: number, message: AdmitRequest): Effect => ({
  kind: 'request',
  id,
  peer: OTHER,
  request: { protocol: 'admit', message },
  timeoutMs,
})
const answer = (id: number, message: AdmitReply): Effect => ({
  kind: 'reply',
  id,
  reply: { protocol: 'admit', message },
})
const admitted: Effect = { kind: 'admit', peer: OTHER, region: 'eu' }
const hello = helloOf()

describe('the dialler', () => {
  it('opens, says hello and is admitted by the hello that comes back', () => {
    expect(acts(dial())).toEqual([request(1, { type: 'open', version: 1, digest: hex('1') })])
    expect(acts(answers(1, { type: 'opened', version: 1, digest: hex('1') }))).toEqual([request(2, hello)])
    expect(acts(answers(2, hello))).toEqual([admitted])
    expect(admit.session(OTHER)?.hello).toEqual(hello)
  })

  it('catches up with newer roots one by one before its hello', () => {
    dial()
    expect(acts(answers(1, { type: 'opened', version: 3, digest: hex('3') }))).toEqual([
      request(2, { type: 'root', since: 1 }),
    ])
    expect(acts(answers(2, { type: 'root', root: rootBytes(2) }))).toEqual([
      request(3, { type: 'root', since: 2 }),
    ])
    expect(acts(answers(3, { type: 'root', root: rootBytes(3) }))).toEqual([request(4, hello)])
    expect(bench.journey.adopted).toEqual(['root 2', 'root 3'])
  })

  it('goes on with its own root where one fails: that ends the run, not the admission', () => {
    bench.journey.judge = () => 'unauthorised'
    dial()
    answers(1, { type: 'opened', version: 9, digest: hex('9') })
    expect(acts(answers(2, { type: 'root', root: rootBytes(2) }))).toEqual([request(3, hello)])
  })

  it('takes no more than a run of roots', () => {
    start({ limits: limitsOf({ maxRootRun: 2 }) })
    dial()
    answers(1, { type: 'opened', version: 9, digest: hex('9') })
    answers(2, { type: 'root', root: rootBytes(2) })
    expect(acts(answers(3, { type: 'root', root: rootBytes(3) }))).toEqual([request(4, hello)])
  })

  it('takes no more root bytes from one address than a minute allows', () => {
    start({ limits: limitsOf({ maxRootBytesPerMinute: 8 }) })
    dial()
    answers(1, { type: 'opened', version: 9, digest: hex('9') })
    answers(2, { type: 'root', root: rootBytes(2) })
    const effects = answers(3, { type: 'root', root: rootBytes(3) })
    expect(codes(effects)).toEqual(['LIMIT_RATE'])
    expect(acts(effects)).toEqual([request(4, hello)])
  })

  it('sends its own root once where the versions are equal and the digests differ', () => {
    dial()
    expect(acts(answers(1, { type: 'opened', version: 1, digest: hex('2') }))).toEqual([
      request(2, { type: 'fork', root: rootBytes(1) }),
    ])
    expect(acts(answers(2, { type: 'noted' }))).toEqual([request(3, hello)])
  })

  it('hangs up when it is refused, and says why', () => {
    dial()
    answers(1, { type: 'opened', version: 1, digest: hex('1') })
    const effects = answers(2, { type: 'refused', code: 'ADMIT_REMOVED', text: 'out' })
    expect(codes(effects)).toEqual(['ADMIT_REMOVED'])
    expect(acts(effects)).toEqual([{ kind: 'hangUp', peer: OTHER, code: 'ADMIT_REMOVED', judged: true }])
  })

  it('hangs up where open or hello gets no answer', () => {
    dial()
    const effects = bench.run((step, journey) => admit.onRequestFailed(step, journey, 1, 'NET_TIMEOUT'))
    expect(acts(effects)).toEqual([{ kind: 'hangUp', peer: OTHER, code: 'NET_TIMEOUT' }])
  })
})

describe('the listener', () => {
  it('answers open and hello, and admits with its hello', () => {
    expect(acts(accept())).toEqual([])
    expect(acts(asks(7, { type: 'open', version: 1, digest: hex('1') }))).toEqual([
      answer(7, { type: 'opened', version: 1, digest: hex('1') }),
    ])
    expect(acts(asks(8, hello))).toEqual([answer(8, hello), admitted])
  })

  it('holds its hello while its own run of roots goes on', () => {
    accept()
    expect(acts(asks(7, { type: 'open', version: 2, digest: hex('2') }))).toEqual([
      answer(7, { type: 'opened', version: 1, digest: hex('1') }),
      request(1, { type: 'root', since: 1 }),
    ])
    expect(acts(asks(8, hello))).toEqual([])
    expect(acts(answers(1, { type: 'root', root: rootBytes(2) }))).toEqual([answer(8, hello), admitted])
  })

  it('answers everything once, also what comes out of turn', () => {
    accept()
    const early = asks(7, hello)
    expect(replies(early)).toMatchObject([{ type: 'refused', code: 'NET_PROTOCOL' }])
    asks(8, { type: 'open', version: 1, digest: hex('1') })
    asks(9, hello)
    expect(replies(asks(10, hello))).toMatchObject([{ type: 'refused', code: 'NET_PROTOCOL' }])
    expect(acts(asks(11, { type: 'root', since: 0 }))).toEqual([
      answer(11, { type: 'root', root: rootBytes(1) }),
    ])
    expect(acts(asks(12, { type: 'root', since: 1 }))).toEqual([answer(12, { type: 'root' })])
    expect(acts(asks(13, { type: 'firstRoot' }))).toEqual([answer(13, { type: 'root', root: rootBytes(1) })])
  })

  it('takes a fork in once and notes it each time', () => {
    bench.journey.judge = () => 'fork'
    accept()
    const fork = { type: 'fork', root: rootBytes(1, ' of others') } as const
    expect(replies([...asks(7, fork), ...asks(8, fork)])).toEqual([{ type: 'noted' }, { type: 'noted' }])
    expect(bench.journey.adopted).toEqual(['root 1 of others'])
  })

  it('refuses a node that the root removes', () => {
    bench.journey.current = rootOf(1, { removed: { peers: [{ id: OTHER }], pools: [] } })
    accept()
    asks(7, { type: 'open', version: 1, digest: hex('1') })
    const effects = asks(8, hello)
    expect(replies(effects)).toMatchObject([{ type: 'refused', code: 'ADMIT_REMOVED' }])
    expect(acts(effects)[1]).toEqual({ kind: 'hangUp', peer: OTHER, code: 'ADMIT_REMOVED', judged: true })
  })

  it('says when to come back where it has its peers', () => {
    start({ limits: limitsOf({ hardDegree: 0 }) })
    accept()
    asks(7, { type: 'open', version: 1, digest: hex('1') })
    const effects = asks(8, hello)
    expect(replies(effects)).toMatchObject([{ code: 'ADMIT_REFUSED', retryAfterMs: LIMITS.redialIdleMaxMs }])
    expect(acts(effects)[1]).toEqual({ kind: 'hangUp', peer: OTHER, code: 'ADMIT_REFUSED' })
  })
})

describe('a peer out of turn', () => {
  const hungUp = (code: string): Effect => ({ kind: 'hangUp', peer: OTHER, code }) as Effect

  it('is answered and nothing more where its connection is closing', () => {
    expect(replies(asks(7, hello))).toMatchObject([{ type: 'refused', code: 'NET_UNREACHABLE' }])
    expect([...admit.sessions()]).toEqual([])
  })

  it('that answers open with anything else is hung up on', () => {
    dial()
    expect(acts(answers(1, { type: 'noted' }))).toEqual([hungUp('NET_PROTOCOL')])
  })

  it('that does not answer our hello is hung up on; that does not hand over a root is greeted all the same', () => {
    dial()
    answers(1, { type: 'opened', version: 2, digest: hex('2') })
    const fails = (id: number) =>
      bench.run((step, journey) => admit.onRequestFailed(step, journey, id, 'NET_TIMEOUT'))
    expect(acts(fails(2))).toEqual([request(3, hello)])
    expect(acts(fails(3))).toEqual([hungUp('NET_TIMEOUT')])
  })

  it('opens once: a second time is answered, and changes nothing', () => {
    accept()
    const open = { type: 'open', version: 2, digest: hex('2') } as const
    expect(asked(asks(7, open))).toHaveLength(1)
    expect(acts(asks(8, { ...open, version: 9 }))).toEqual([
      answer(8, { type: 'opened', version: 1, digest: hex('1') }),
    ])
  })

  it('gets, and has us read, so many root bytes in a minute and no more', () => {
    start({ limits: limitsOf({ maxRootBytesPerMinute: rootBytes(1).length }) })
    accept()
    expect(replies(asks(7, { type: 'root', since: 0 }))).toMatchObject([{ type: 'root', root: rootBytes(1) }])
    expect(replies(asks(8, { type: 'root', since: 0 }))).toMatchObject([
      { type: 'refused', code: 'LIMIT_RATE', retryAfterMs: 60_000 },
    ])
    expect(replies(asks(9, { type: 'fork', root: rootBytes(1, ' of others') }))).toEqual([{ type: 'noted' }])
    expect(bench.journey.adopted).toEqual([])
  })
})

describe('the deadline', () => {
  const hungUp: Effect = { kind: 'hangUp', peer: OTHER, code: 'ADMIT_REFUSED' }

  it('ends what is not admitted, and asks to be woken for it', () => {
    accept()
    expect(bench.wakeMonoMs).toBe(bench.now.monoMs + timeoutMs)
    bench.pass(timeoutMs - 1)
    expect(acts(tick())).toEqual([])
    bench.pass(1)
    expect(acts(tick())).toEqual([hungUp])
    expect([...admit.sessions()]).toEqual([])
  })

  it('leaves who is not admitted a moment more where this host stood still, to read what it said, and only once', () => {
    accept()
    bench.pass(timeoutMs + LIMITS.repairMs + 1)
    expect(acts(tick())).toEqual([])
    bench.pass(LIMITS.repairMs - 1)
    expect(acts(tick())).toEqual([])
    bench.pass(20_000)
    expect(acts(tick())).toEqual([hungUp])
  })

  it('does not touch what is admitted', () => {
    accept()
    asks(7, { type: 'open', version: 1, digest: hex('1') })
    asks(8, hello)
    bench.pass(10 * timeoutMs)
    expect(acts(tick())).toEqual([])
  })

  it('is renewed by a root that advances, on both sides', () => {
    accept()
    asks(7, { type: 'open', version: 2, digest: hex('2') })
    bench.pass(timeoutMs - 1)
    bench.journey.current = rootOf(1)
    answers(1, { type: 'root', root: rootBytes(2) })
    bench.pass(timeoutMs - 1)
    expect(acts(tick())).toEqual([])
    asks(9, { type: 'root', since: 1 })
    bench.pass(timeoutMs - 1)
    expect(acts(tick())).toEqual([])
    asks(10, { type: 'root', since: 1 })
    bench.pass(1)
    expect(acts(tick())).toEqual([hungUp])
  })

  it('spares a publisher where submissions are taken, and nobody elsewhere', () => {
    for (const submit of [true, false]) {
      start({ submit })
      accept()
      const publish = requestOf(7, OTHER, { protocol: 'publish', message: { type: 'roots', since: 1 } })
      expect(
        bench.run((step, journey) => expect(admit.onRequest(step, journey, publish)).toBe(false)),
      ).toEqual([])
      bench.pass(timeoutMs)
      expect(acts(tick())).toEqual(submit ? [] : [hungUp])
      bench.pass(LIMITS.leaseMs - timeoutMs)
      expect(acts(tick())).toEqual(submit ? [hungUp] : [])
    }
  })

  it('spares half as many as may be strangers: of more, the one that was idle longest goes', () => {
    start({ submit: true, limits: { ...LIMITS, maxUnadmitted: 6 } })
    const publishes = (name: string): Effect[] =>
      bench.run((step, journey) => {
        const message = { type: 'roots', since: 1 } as const
        admit.onRequest(step, journey, requestOf(7, peer(name), { protocol: 'publish', message }))
      })
    for (const name of ['p1', 'p2', 'p3', 'p4']) accept(peer(name))
    for (const name of ['p1', 'p2', 'p3', 'p1']) {
      bench.pass(1)
      expect(acts(publishes(name))).toEqual([])
    }
    expect(acts(publishes('p4'))).toEqual([{ kind: 'hangUp', peer: 'p2', code: 'LIMIT_STREAMS' }])
  })

  it('answers a hello that is still held before it hangs up', () => {
    accept()
    asks(7, { type: 'open', version: 2, digest: hex('2') })
    asks(8, hello)
    bench.pass(timeoutMs)
    const effects = tick()
    expect(replies(effects)).toMatchObject([{ type: 'refused', code: 'NET_TIMEOUT' }])
    expect(acts(effects)[1]).toEqual(hungUp)
  })
})

it('cuts off a removed node as soon as the root is adopted', () => {
  accept()
  asks(7, { type: 'open', version: 1, digest: hex('1') })
  asks(8, hello)
  const root = rootOf(2, { removed: { peers: [{ id: OTHER }], pools: [] } })
  const effects = bench.run((step, journey) => admit.onRoot(step, journey, root))
  expect(acts(effects)).toEqual([{ kind: 'hangUp', peer: OTHER, code: 'ADMIT_REMOVED', judged: true }])
})

it('drops the newest stranger of an address that has too many', () => {
  start({ limits: limitsOf({ maxUnadmittedPerAddress: 2 }) })
  accept(peer('a'))
  accept(peer('b'))
  expect(acts(accept(peer('c')))).toEqual([{ kind: 'hangUp', peer: 'c', code: 'LIMIT_STREAMS' }])
  const elsewhere = connected(peer('d'), 'inbound', { address: addressOf(peer('d'), '192.0.2.2') })
  expect(acts(bench.run((step, journey) => admit.onConnected(step, journey, elsewhere)))).toEqual([])
})

it('forgets a connection that is gone, its request included', () => {
  dial()
  bench.run((step, journey) => admit.onDisconnected(step, journey, { kind: 'disconnected', peer: OTHER }))
  expect(
    bench.run((step, journey) => {
      expect(admit.onRequestFailed(step, journey, 1, 'NET_UNREACHABLE')).toBe(false)
    }),
  ).toEqual([])
  expect(asked(dial())).toHaveLength(1)
})

describe('a fleet that restarts at once', () => {
  const knock = (name: string): readonly Effect[] => {
    const from = peer(name)
    accept(from)
    asks(1, { type: 'open', version: 1, digest: hex('1') }, from)
    return acts(asks(2, hello, from))
  }
  const limits = limitsOf({ admissionsPerSecond: 10, admissionsBurst: 3, redialMaxMs: 400 })

  it('is admitted so many a second, everyone else told a turn of its own', () => {
    start({ limits })
    for (const name of ['a', 'b', 'c'])
      expect(knock(name).map(({ kind }) => kind)).toEqual(['reply', 'admit'])
    const text = 'too many nodes ask for admission here at once'
    for (const [name, retryAfterMs] of [
      ['d', 100],
      ['e', 200],
      ['f', 300],
      ['g', 400],
      ['h', 400],
    ] as const)
      expect(knock(name)).toEqual([
        answer(2, { type: 'refused', code: 'LIMIT_RATE', text, retryAfterMs }),
        { kind: 'hangUp', peer: peer(name), code: 'LIMIT_RATE' },
      ])
    bench.pass(100)
    expect(knock('d').map(({ kind }) => kind)).toEqual(['reply', 'admit'])
    expect(knock('e').map(({ kind }) => kind)).toEqual(['reply', 'hangUp'])
  })

  it('takes no turn for whoever is refused anyway', () => {
    start({ limits })
    bench.journey.current = rootOf(1, { removed: { peers: [{ id: peer('x') }], pools: [] } })
    for (let times = 0; times < 5; times += 1) knock('x')
    expect(knock('a').map(({ kind }) => kind)).toEqual(['reply', 'admit'])
  })

  it('hears when to come back, for whoever dials again', () => {
    dial()
    const message = { type: 'refused', code: 'LIMIT_RATE', text: 'later', retryAfterMs: 700 } as const
    expect(acts(answers(1, message))).toEqual([
      { kind: 'hangUp', peer: OTHER, code: 'ADMIT_REFUSED', retryAfterMs: 700 },
    ])
  })
})
