import { beforeEach, describe, expect, it } from 'vitest'
import { roomFor } from '../../../src/core/admit/room.ts'
import { type Admit, createAdmit } from '../../../src/core/admit.ts'
import type { Effect } from '../../../src/core/effects.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { KeyId, Name, PeerId } from '../../../src/model/ids.ts'
import type { AdmitReply, AdmitRequest, Hello } from '../../../src/model/messages.ts'
import {
  acts,
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
  rootOf,
} from './fakes.ts'

const OTHER = peer('other')
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

const asks = (id: number, message: AdmitRequest, from = OTHER): Effect[] =>
  bench.run((step, journey) =>
    admit.onRequest(step, journey, requestOf(id, from, { protocol: 'admit', message })),
  )
const answers = (id: number, message: AdmitReply): Effect[] =>
  bench.run((step, journey) => admit.onReply(step, journey, id, { protocol: 'admit', message }))
const adopt = (more: Parameters<typeof rootOf>[1]): Effect[] => {
  const root = rootOf(2, more)
  bench.journey.current = root
  return bench.run((step, journey) => admit.onRoot(step, journey, root))
}

/** A dialler comes and says hello. */
function comes(from = OTHER, hello: Hello = helloOf()): Effect[] {
  bench.run((step, journey) => admit.onConnected(step, journey, connected(from, 'inbound')))
  asks(7, { type: 'open', version: 1, digest: hex('1') }, from)
  return asks(8, hello, from)
}

/** We dial, and the other answers with its hello. */
function goes(hello: Hello = helloOf()): Effect[] {
  bench.run((step, journey) => admit.onConnected(step, journey, connected(OTHER, 'outbound')))
  answers(1, { type: 'opened', version: 1, digest: hex('1') })
  return answers(2, hello)
}

const hungUp = (code: string, id = OTHER) => ({ kind: 'hangUp', peer: id, code })
const judged = (code: string, id = OTHER) => ({ ...hungUp(code, id), judged: true })

describe('a certificate that does not hold', () => {
  for (const code of ['ADMIT_REFUSED', 'ADMIT_EXPIRED', 'ADMIT_LABELS'] as const) {
    it(`${code}: the listener answers it, logs it and hangs up`, () => {
      judge.refused.set(OTHER, code)
      const effects = comes()
      expect(replies(effects)).toMatchObject([{ type: 'refused', code }])
      expect(codes(effects)).toEqual([code])
      expect(acts(effects)[1]).toEqual(judged(code))
      expect(admit.session(OTHER)).toBeUndefined()
    })

    it(`${code}: the dialler says it, waits until it was heard, and hangs up`, () => {
      judge.refused.set(OTHER, code)
      const effects = goes()
      expect(asked(effects).map(({ request }) => request.message)).toMatchObject([{ type: 'refuse', code }])
      expect(effects.some(({ kind }) => kind === 'admit')).toBe(false)
      expect(acts(answers(3, { type: 'noted' }))).toEqual([judged(code)])
    })
  }

  it('ends by the deadline where the other does not listen', () => {
    judge.refused.set(OTHER, 'ADMIT_EXPIRED')
    goes()
    const effects = bench.run((step, journey) => admit.onRequestFailed(step, journey, 3, 'NET_TIMEOUT'))
    expect(acts(effects)).toEqual([judged('ADMIT_EXPIRED')])
  })

  it('is logged by the one that is refused, under the same code', () => {
    comes()
    const effects = asks(9, { type: 'refuse', code: 'ADMIT_EXPIRED', text: 'ended' })
    expect(codes(effects)).toEqual(['ADMIT_EXPIRED'])
    expect(acts(effects)[1]).toEqual(judged('ADMIT_EXPIRED'))
  })

  it('cannot put words of its own among our codes', () => {
    comes()
    expect(codes(asks(9, { type: 'refuse', code: 'STORE_CORRUPT', text: 'x' }))).toEqual(['ADMIT_REFUSED'])
  })
})

describe('a node that is let go', () => {
  const { linkSwapMs, redialIdleMaxMs } = LIMITS
  const refuse = { type: 'refuse', code: 'ADMIT_REFUSED', text: 'makes room for another node' } as const

  it.each([
    ['a seed', true, 'eu', linkSwapMs],
    ['a node', false, 'eu', redialIdleMaxMs],
    ['a node of another region', false, 'us', linkSwapMs],
  ])('by %s comes back as if that had refused it for want of room', (_, submit, region, retryAfterMs) => {
    judge.admissions.set(OTHER, { labels: new Map([['region', region]]) })
    goes(helloOf({ submit, region }))
    expect(acts(asks(9, refuse))[1]).toEqual({ ...hungUp('ADMIT_REFUSED'), retryAfterMs })
  })

  it('for another reason, by whom it did not dial or before it was admitted is not told when to come back', () => {
    goes()
    expect(acts(asks(9, { ...refuse, code: 'ADMIT_EXPIRED' }))[1]).toEqual(judged('ADMIT_EXPIRED'))
    comes()
    expect(acts(asks(9, refuse))[1]).toEqual(judged('ADMIT_REFUSED'))
    bench.run((step, journey) => admit.onConnected(step, journey, connected(OTHER, 'outbound')))
    expect(acts(asks(9, refuse))[1]).toEqual(judged('ADMIT_REFUSED'))
  })

  it('for want of room before it was admitted is not judged: another connection may end otherwise', () => {
    bench.run((step, journey) => admit.onConnected(step, journey, connected(OTHER, 'outbound')))
    expect(acts(asks(9, { ...refuse, code: 'LIMIT_STREAMS' }))[1]).toEqual(hungUp('ADMIT_REFUSED'))
  })
})

it('region and zone are those of the certificate, whatever a hello says', () => {
  judge.admissions.set(OTHER, { labels: new Map([['region', 'ap']]) })
  const effects = comes(OTHER, helloOf({ region: 'eu', zone: 'b' }))
  expect(codes(effects)).toEqual(['ADMIT_LABELS', 'PEER_ADMITTED'])
  expect(effects).toContainEqual({ kind: 'admit', peer: OTHER, region: 'ap' })
  expect(admit.session(OTHER)?.hello).toMatchObject({ region: 'ap', zone: 'default' })
})

it('the dialler is judged under the root that came last, not the one of before', () => {
  judge.refused.set(OTHER, 'ADMIT_REFUSED')
  bench.run((step, journey) => admit.onConnected(step, journey, connected(OTHER, 'inbound')))
  asks(7, { type: 'open', version: 2, digest: hex('2') })
  expect(acts(asks(8, helloOf()))).toEqual([])
  judge.refused.clear()
  const effects = answers(1, { type: 'root', root: new TextEncoder().encode('root 2') })
  expect(effects).toContainEqual({ kind: 'admit', peer: OTHER, region: 'eu' })
})

describe('a new root', () => {
  it('cuts off the members of a pool that it removes, and nobody else', () => {
    const pool = { name: 'p' as Name, key: hex('b') as string as KeyId, notAfter: 1 }
    const [mine, free] = [peer('mine'), peer('free')]
    judge.admissions.set(mine, { pool })
    for (const id of [mine, free]) comes(id)
    judge.refused.set(mine, 'ADMIT_REFUSED')
    const effects = adopt({ removed: { peers: [], pools: [{ key: pool.key }] } })
    expect(acts(effects)).toEqual([judged('ADMIT_REFUSED', mine)])
  })

  it('cuts off what a key admitted that admits no more', () => {
    comes()
    judge.refused.set(OTHER, 'ADMIT_REFUSED')
    expect(acts(adopt({ admission: { keys: [] } }))).toEqual([judged('ADMIT_REFUSED')])
  })

  it('leaves those alone whom it still names: an end of their certificate is no reason', () => {
    comes()
    judge.refused.set(OTHER, 'ADMIT_EXPIRED')
    expect(acts(adopt({}))).toEqual([])
  })
})

describe('room', () => {
  const member = (id: string, at: number, direction: 'inbound' | 'outbound' = 'inbound') => ({
    ...bench.link(peer(id), { direction, sinceMonoMs: at }),
    admission: {
      ...judge.admission(peer(id)),
      pool: { name: 'p' as Name, key: 'pool' as KeyId, notAfter: 1 },
    },
  })

  it('is refused to one more of the same pool in a full node', () => {
    expect(roomFor('pool', [member('a', 1), member('b', 2)], 2)).toEqual({ kind: 'none' })
    expect(roomFor('pool', [member('a', 1), member('b', 2)], 3)).toEqual({ kind: 'free' })
  })

  it('is made for another identity by the newest of the largest pool that came to us', () => {
    const full = [member('a', 1), member('b', 3), member('c', 2), member('d', 9, 'outbound')]
    expect(roomFor('x', full, 4)).toEqual({ kind: 'instead', of: 'b' })
    expect(roomFor('x', full.slice(0, 1), 1)).toEqual({ kind: 'none' })
  })

  it('in a full node costs that one its connection', () => {
    start({ limits: limitsOf({ hardDegree: 2 }) })
    const pool = { name: 'p' as Name, key: 'k' as KeyId, notAfter: 1 }
    for (const id of ['a', 'b']) {
      judge.admissions.set(id as PeerId, { pool })
      comes(peer(id))
      bench.pass(1)
    }
    const effects = comes()
    expect(acts(effects)[0]).toEqual(hungUp('ADMIT_REFUSED', peer('b')))
    expect(effects).toContainEqual({ kind: 'admit', peer: OTHER, region: 'eu' })
  })
})

describe('a full node with peers of another region', () => {
  const from = (region: string, id = OTHER): Effect[] => {
    judge.admissions.set(id, { labels: new Map([['region', region]]) })
    return comes(id, helloOf({ region }))
  }
  beforeEach(() => {
    start({ limits: limitsOf({ hardDegree: 2 }) })
    for (const id of ['a', 'b']) {
      from('us', peer(id))
      bench.pass(1)
    }
  })

  it('lets go of one for one of its own region', () => {
    const effects = acts(from('eu'))
    expect(effects.map(({ kind }) => kind)).toEqual(['hangUp', 'reply', 'admit'])
    expect(effects[0]).toEqual(hungUp('ADMIT_REFUSED', peer('b')))
    expect(effects[2]).toEqual({ kind: 'admit', peer: OTHER, region: 'eu' })
  })

  it('tells one more of them to come back in an hour: a large region has many that would', () => {
    const effects = from('us')
    expect(replies(effects)).toMatchObject([{ code: 'ADMIT_REFUSED', retryAfterMs: LIMITS.linkSwapMs }])
    expect(acts(effects)[1]).toEqual(hungUp('ADMIT_REFUSED'))
  })
})

describe('the own certificate', () => {
  const look = (): Effect[] => bench.run((step, journey) => admit.onStarted(step, journey))
  const nextDay = (): Effect[] => {
    bench.pass(24 * 3_600_000)
    return bench.run((step, journey) => admit.onTick(step, journey))
  }

  it('is not spoken of while it is good for more than 30 days', () => {
    judge.admissions.set(peer('self'), { notAfter: bench.now.wallMs + LIMITS.expiryWarnMs + 1 })
    expect(codes(look())).toEqual([])
    expect(codes(nextDay())).toEqual(['CERTIFICATE_EXPIRES'])
    expect(codes(nextDay())).toEqual(['CERTIFICATE_EXPIRES'])
  })

  it('names the pool where that ends first, and says what has ended', () => {
    const notAfter = bench.now.wallMs + 1_000
    const texts = (effects: readonly Effect[]) =>
      effects.flatMap((effect) => (effect.kind === 'note' ? [`${effect.code} ${effect.text}`] : []))
    const pool = (poolEnds: number) => ({ name: 'web' as Name, key: 'k' as KeyId, notAfter: poolEnds })
    judge.admissions.set(peer('self'), { notAfter, pool: pool(notAfter) })
    expect(texts(look())).toEqual([expect.stringMatching(/^CERTIFICATE_EXPIRES pool web /)])
    judge.admissions.set(peer('self'), { notAfter, pool: pool(notAfter + 1) })
    // Peers admit it for two days yet: nothing is said here that is only true then.
    expect(texts(nextDay())).toEqual([
      expect.stringMatching(
        /^CERTIFICATE_EXPIRES this node's certificate ended on 2023-11-14T22:13:21Z; 48 h/,
      ),
    ])
  })

  it('is refused aloud, once a day and not once a root', () => {
    judge.refused.set(peer('self'), 'ADMIT_REFUSED')
    expect(codes(look())).toEqual(['ADMIT_REFUSED'])
    expect(codes(adopt({}))).toEqual([])
    expect(codes(nextDay())).toEqual(['ADMIT_REFUSED'])
    expect(admit.own()).toMatchObject({ kind: 'refused', code: 'ADMIT_REFUSED' })
  })

  const tick = (passMs: number): Effect[] => {
    bench.pass(passMs)
    return bench.run((step, journey) => admit.onTick(step, journey))
  }

  it('is looked at every minute while peers would refuse it, and the same is not said again', () => {
    judge.refused.set(peer('self'), 'ADMIT_EXPIRED')
    expect(codes(look())).toEqual(['ADMIT_EXPIRED'])
    expect(codes(tick(60_000))).toEqual([])
    judge.refused.clear()
    expect([codes(tick(59_999)), admit.own()?.kind]).toEqual([[], 'refused'])
    expect([codes(tick(1)), admit.own()?.kind]).toEqual([[], 'admitted'])
  })

  it('is shown and judged as it is at that moment', () => {
    const shown: number[] = []
    const chain = (wallMs: number) => {
      shown.push(wallMs)
      return [Uint8Array.of(shown.length)]
    }
    start({ chain })
    look()
    expect(judge.chains.at(-1)).toEqual([Uint8Array.of(1)])
    bench.pass(5_000)
    expect(replies(comes()).at(-1)).toMatchObject({ type: 'hello', chain: [Uint8Array.of(2)] })
    expect(shown).toEqual([bench.now.wallMs - 5_000, bench.now.wallMs])
  })

  it.each([1, -1])('is looked at once the clock was set by more than an hour (%i)', (sign) => {
    look()
    judge.refused.set(peer('self'), 'ADMIT_EXPIRED')
    const set = (ms: number) => {
      bench.now = { ...bench.now, wallMs: bench.now.wallMs + sign * ms }
    }
    set(3_600_000)
    expect(codes(tick(1))).toEqual([])
    set(1)
    expect(codes(tick(1))).toEqual(['ADMIT_EXPIRED'])
    expect(codes(tick(1))).toEqual([])
  })
})
