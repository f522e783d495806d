import { describe, expect, it } from 'vitest'
import { REOFFER_MAX_MS, REOFFER_MS } from '../../../src/core/sync/peer.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel } from '../../../src/model/ids.ts'
import type { SyncRequest } from '../../../src/model/messages.ts'
import { idOf, join, later, ToyNode, talk } from './dialogue.ts'
import { acts, asked, codes, peer, replies, requestOf } from './fakes.ts'

const channel = (number: number) => `team-${number % 97}/app-${number}` as Channel
const fill = (node: ToyNode, count: number, counter = 1) => {
  for (let number = 0; number < count; number += 1) node.order({ channel: channel(number), counter })
}

describe('a comparison', () => {
  it('of equal nodes costs one request of about 600 bytes and moves nothing', () => {
    const [a, b] = [new ToyNode('a'), new ToyNode('b')]
    for (const node of [a, b]) fill(node, 2_000)
    const said = join(a, b)
    expect(said.requests).toEqual(['digests'])
    expect(said.envelopes).toBe(0)
    expect(said.digestBytes).toBeLessThan(900)
    expect([a.sync.comparedPeers(), b.sync.comparedPeers()]).toEqual([1, 0])
  })

  it('makes two nodes equal, whoever has more', () => {
    const [a, b] = [new ToyNode('a'), new ToyNode('b')]
    for (const node of [a, b]) fill(node, 300)
    for (let number = 0; number < 30; number += 1) a.order({ channel: channel(number), counter: 2 })
    for (let number = 30; number < 60; number += 1) b.order({ channel: channel(number), counter: 2 })
    a.order({ channel: 'only/a' as Channel, counter: 5 })
    b.order({ channel: 'only/b' as Channel, counter: 5 })
    expect(join(a, b).requests).toEqual(['digests', 'entries', 'push'])
    expect(a.seen()).toEqual(b.seen())
    expect(a.seen()).toHaveLength(302)
  })

  it('fills an empty node, in runs within their bounds', () => {
    const [empty, full] = [new ToyNode('a'), new ToyNode('b')]
    fill(full, 3_000)
    const said = join(empty, full)
    expect(empty.seen()).toEqual(full.seen())
    expect(said.largest).toBeLessThanOrEqual(LIMITS.maxSyncMessageBytes)
    expect(said.envelopes).toBe(3_000)
    expect(Math.max(...said.runs)).toBeLessThanOrEqual(LIMITS.maxSyncRunBytes)
    expect(Math.max(...said.runs)).toBeGreaterThan(LIMITS.maxSyncRunBytes * 0.9)
  })

  it('fills an empty node with envelopes of which only one fits each message, in runs within their bounds', () => {
    const [empty, full] = [new ToyNode('a'), new ToyNode('b')]
    for (let number = 10; number < 70; number += 1) {
      const toy = { channel: `long/app-${number}` as Channel, counter: 1, text: '' }
      full.order({ ...toy, text: 'x'.repeat(30_830 - JSON.stringify(toy).length) })
    }
    const said = join(empty, full)
    expect(empty.seen()).toEqual(full.seen())
    expect(Math.max(...said.runs)).toBeLessThanOrEqual(LIMITS.maxSyncRunBytes)
  })

  /**
   * Requests and bytes beside the envelopes, exactly: digests 650 B with their answer; for each bucket that differs 32 sub-digests; for
   * each sub-bucket 16 B for each of its about five channels; and 8 B for each channel in the answer.
   */
  it.each([
    [0, ['digests'], 649],
    [1, ['digests', 'entries'], 1_117],
    [10, ['digests', 'entries'], 4_044],
    [100, ['digests', 'entries'], 23_434],
    [500, ['digests', 'entries'], 64_633],
  ])('finds %i stale of 10,000 channels in at most two round trips', (count, requests, bytes) => {
    const [stale, fresh] = [new ToyNode('a'), new ToyNode('b')]
    for (const node of [stale, fresh]) fill(node, 10_000)
    for (let at = 0; at < count; at += 1)
      fresh.order({ channel: channel(at * Math.floor(10_000 / Math.max(count, 1))), counter: 2 })
    const said = join(stale, fresh)
    expect(stale.seen()).toEqual(fresh.seen())
    expect(said.requests).toEqual(requests)
    expect(said.envelopes).toBe(count)
    expect(said.digestBytes).toBe(bytes)
    expect(said.largest).toBeLessThanOrEqual(LIMITS.maxSyncMessageBytes)
  })

  it('touches only channels that both store', () => {
    const [a, b] = [new ToyNode('a', ['team-1/**', 'team-2/**']), new ToyNode('b')]
    fill(b, 97)
    join(a, b)
    expect(a.seen()).toEqual(b.seen().filter((line) => /^team-[12]\//.test(line)))
  })

  it('hands over both twins, so that both hold', () => {
    const [a, b] = [new ToyNode('a'), new ToyNode('b')]
    a.order({ channel: channel(1), counter: 3, text: 'one' })
    b.order({ channel: channel(1), counter: 3, text: 'other' })
    join(a, b)
    expect(a.seen()).toEqual(b.seen())
    expect([...a.bench.journey.facts.values()][0]?.held).toBe(true)
  })

  it('offers nothing that is not on disk yet', () => {
    const [a, b] = [new ToyNode('a'), new ToyNode('b')]
    b.order({ channel: channel(1), counter: 1 }, false)
    expect(join(a, b).envelopes).toBe(0)
    expect(a.seen()).toEqual([])
  })

  it('fetches an envelope that only the floor remembers', () => {
    const [a, b] = [new ToyNode('a'), new ToyNode('b')]
    for (const node of [a, b]) fill(node, 3)
    a.bench.journey.envelopes.clear()
    expect(join(a, b).envelopes).toBe(3)
  })
})

it('does not offer again what was not taken, until something changes', () => {
  const [a, b] = [new ToyNode('a'), new ToyNode('b')]
  b.order({ channel: channel(1), counter: 1 })
  const refuse = a.bench.journey.onIngest
  a.bench.journey.onIngest = () => ({ verdict: 'UNAUTHORISED', provable: false, relayable: false })
  expect(join(a, b).envelopes).toBe(1)
  expect(later(a, b).envelopes).toBe(0)
  a.bench.journey.onIngest = refuse
  b.order({ channel: channel(1), counter: 2 })
  expect(later(a, b).envelopes).toBe(1)
  expect(a.seen()).toEqual(b.seen())
})

it('offers again all the same after ten seconds, twice as long each time, and at last each hour', () => {
  const [a, b] = [new ToyNode('a'), new ToyNode('b')]
  b.order({ channel: channel(1), counter: 1 })
  a.bench.journey.onIngest = () => ({ verdict: 'UNAUTHORISED', provable: false, relayable: false })
  expect(join(a, b).envelopes).toBe(1)
  const doubled = Array.from({ length: 9 }, (_, times) => REOFFER_MS * 2 ** times)
  for (const pauseMs of [...doubled, REOFFER_MAX_MS, REOFFER_MAX_MS]) {
    const early = later(a, b, pauseMs - 5_000)
    expect([early.requests, early.envelopes]).toEqual([['digests', 'entries'], 0])
    expect(later(a, b, 5_000).envelopes).toBe(1)
  }
})

it('offers what sync brought to the neighbours that store it, once it is on disk', () => {
  const [a, b] = [new ToyNode('a'), new ToyNode('b')]
  b.order({ channel: channel(1), counter: 1 })
  for (const [name, patterns] of [
    ['near', '**'],
    ['far', 'elsewhere/**'],
  ] as const) {
    a.bench.link(peer(name), { direction: 'inbound' }, { patterns: [patterns as never] })
    a.bench.run((step, journey) => a.sync.onAdmitted(step, journey, peer(name)))
  }
  join(a, b)
  const toy = { channel: channel(1), counter: 1 }
  const release = { id: idOf(toy), header: { channel: toy.channel } } as never
  const ordered = { release, envelope: new Uint8Array(), verdict: 'NEW', stored: true } as const
  const source = { via: 'sync', peer: b.id } as const
  a.bench.run((step, journey) => a.sync.onOrdered(step, journey, { ...ordered, source }))
  const effects = a.bench.run((step, journey) => a.sync.onDurable(step, journey, toy.channel))
  expect(asked(effects).map(({ peer: to, request }) => [to, request.message.type])).toEqual([
    ['near', 'push'],
  ])
  expect(a.bench.run((step, journey) => a.sync.onDurable(step, journey, toy.channel))).toEqual([])
})

describe('a peer that does not answer', () => {
  it('is asked once more, with longer to answer, then its connection ends', () => {
    const [a, b] = [new ToyNode('a'), new ToyNode('b')]
    a.bench.link(b.id)
    const [first] = asked(a.bench.run((step, journey) => a.sync.onAdmitted(step, journey, b.id)))
    const again = a.bench.run((step, journey) => {
      a.sync.onRequestFailed(step, journey, first?.id ?? 0, 'NET_TIMEOUT', false)
    })
    expect(asked(again).map(({ request, timeoutMs }) => [request.message.type, timeoutMs])).toEqual([
      ['digests', 10_000 - LIMITS.syncDeadlineMs],
    ])
    const end = a.bench.run((step, journey) => {
      a.sync.onRequestFailed(step, journey, asked(again)[0]?.id ?? 0, 'NET_TIMEOUT', false)
    })
    expect(acts(end)).toEqual([{ kind: 'hangUp', peer: b.id, code: 'NET_TIMEOUT' }])
    expect(codes(end)).toEqual(['NET_TIMEOUT'])
  })

  it.each([
    [LIMITS.syncDeadlineMs, [3_000, 7_000, 14_000, 20_000, 20_000]],
    [6_000, [6_000, 6_000, 12_000, 20_000, 20_000]],
    [12_000, [12_000, 12_000, 20_000, 20_000, 20_000]],
    [30_000, [30_000, 30_000, 30_000, 30_000, 30_000]],
  ])(
    'but of whom other things come, is asked ever more patiently: %i ms at first',
    (syncDeadlineMs, most) => {
      const [a, b] = [new ToyNode('a', ['**'], { syncDeadlineMs }), new ToyNode('b')]
      a.bench.link(b.id)
      let effects = a.bench.run((step, journey) => a.sync.onAdmitted(step, journey, b.id))
      const waited: number[] = []
      for (let [out] = asked(effects); out !== undefined; [out] = asked(effects)) {
        const { id, timeoutMs } = out
        waited.push(timeoutMs)
        effects = a.bench.run((step, journey) => {
          a.sync.onRequestFailed(step, journey, id, 'NET_TIMEOUT', true)
        })
      }
      expect(waited).toEqual(most)
      expect(acts(effects)).toEqual([{ kind: 'hangUp', peer: b.id, code: 'NET_TIMEOUT' }])
    },
  )

  it('is trusted again after an answer', () => {
    const [a, b] = [new ToyNode('a'), new ToyNode('b')]
    join(a, b)
    const fail = () => {
      const effects = a.bench.run((step, journey) => a.sync.onTick(step, journey))
      return a.bench.run((step, journey) => {
        a.sync.onRequestFailed(step, journey, asked(effects)[0]?.id ?? 0, 'NET_TIMEOUT', false)
      })
    }
    for (let times = 0; times < 3; times += 1) {
      a.bench.pass(6_000)
      b.bench.pass(6_000)
      const retry = fail()
      expect(acts(retry).map(({ kind }) => kind)).toEqual(['request'])
      talk(a, b, retry)
    }
  })
})

it('answers a stranger with a code', () => {
  const node = new ToyNode('a')
  const message = { type: 'push', envelopes: [] } as const
  const effects = node.bench.run((step, journey) => {
    node.sync.onRequest(step, journey, requestOf(3, peer('stranger'), { protocol: 'sync', message }))
  })
  expect(replies(effects)).toMatchObject([{ type: 'refused', code: 'ADMIT_REFUSED' }])
})

it('refuses to compare as often as a peer likes', () => {
  const [a, b] = [new ToyNode('a'), new ToyNode('b')]
  join(a, b)
  const digests = {
    type: 'digests',
    salt: new Uint8Array(16),
    root: 1,
    beacons: [],
    digest: '0'.repeat(16) as never,
    buckets: Array.from({ length: 64 }, () => '0'.repeat(16) as never),
  } as const
  const said = Array.from({ length: LIMITS.syncBurst + 1 }, (_, at) =>
    b.bench.run((step, journey) => {
      b.sync.onRequest(step, journey, requestOf(at, a.id, { protocol: 'sync', message: digests }))
    }),
  ).flatMap(replies)
  expect(said.filter(({ type }) => type === 'refused')).toMatchObject([
    { code: 'LIMIT_RATE' },
    { code: 'LIMIT_RATE' },
  ])
})

describe('a comparison of what has not changed', () => {
  it('reads nothing of the channels', () => {
    const [a, b] = [new ToyNode('a'), new ToyNode('b')]
    for (const node of [a, b]) fill(node, 500)
    join(a, b)
    let read = 0
    for (const { bench } of [a, b]) {
      const { channel: one, channels: all } = bench.journey
      bench.journey.channel = (name) => {
        read += 1
        return one(name)
      }
      bench.journey.channels = () => {
        read += 500
        return all()
      }
    }
    b.order({ channel: channel(7), counter: 2 })
    expect(later(a, b).envelopes).toBe(1)
    const changed = read
    // Of the 500 only the one that changed, a few times on each side.
    expect(changed).toBeLessThan(20)
    read = 0
    expect(later(a, b).requests).toEqual(['digests'])
    expect(read).toBe(0)
    expect(a.seen()).toEqual(b.seen())
  })

  it('finds within a minute what nobody told of', () => {
    const [a, b] = [new ToyNode('a'), new ToyNode('b')]
    for (const node of [a, b]) fill(node, 20)
    join(a, b)
    b.orderSilently({ channel: channel(7), counter: 2 })
    expect(later(a, b).envelopes).toBe(0)
    expect(later(a, b, 61_000).envelopes).toBe(1)
  })

  it('keeps to the patterns of each peer', () => {
    const full = new ToyNode('full')
    fill(full, 970)
    const parts = Array.from({ length: 30 }, (_, at) => new ToyNode(`p${at}`, [`team-${at}/**`]))
    for (const part of parts) join(part, full)
    full.order({ channel: channel(3), counter: 2 })
    for (const part of parts) later(part, full)
    for (const [at, part] of parts.entries())
      expect(part.seen()).toEqual(full.seen().filter((line) => line.startsWith(`team-${at}/`)))
  })
})

describe('a hostile peer', () => {
  const linked = () => {
    const [a, b] = [new ToyNode('a'), new ToyNode('b')]
    join(a, b)
    return { a, b }
  }
  const ask = (node: ToyNode, from: ToyNode, at: number, message: SyncRequest) =>
    node.bench.run((step, journey) =>
      node.sync.onRequest(step, journey, requestOf(900 + at, from.id, { protocol: 'sync', message })),
    )

  it('that hands over forgeries is cut off after a few', () => {
    const { a, b } = linked()
    let checks = 0
    a.bench.journey.onIngest = () => {
      checks += 1
      return { verdict: 'UNAUTHORISED', provable: true, relayable: false }
    }
    const envelopes = Array.from({ length: 40 }, (_, at) => Uint8Array.of(at))
    const effects = ask(a, b, 0, { type: 'push', envelopes })
    expect(checks).toBe(17)
    expect(acts(effects).filter(({ kind }) => kind === 'hangUp')).toEqual([
      { kind: 'hangUp', peer: b.id, code: 'TRUST_UNAUTHORISED' },
    ])
  })

  it('that hands over what comes to nothing is not listened to for a while, and nobody is blamed', () => {
    const { a, b } = linked()
    let checks = 0
    a.bench.journey.onIngest = () => {
      checks += 1
      return { verdict: 'UNSUPPORTED', provable: false, relayable: false }
    }
    const envelopes = Array.from({ length: 400 }, (_, at) => Uint8Array.of(at))
    const push = (at: number) =>
      acts(ask(a, b, at, { type: 'push', envelopes })).filter(({ kind }) => kind === 'hangUp')
    expect([push(0), checks]).toEqual([[], 201])
    a.bench.pass(999)
    expect([push(1), checks]).toEqual([[], 201])
    a.bench.pass(1)
    expect([push(2), checks]).toEqual([[], 302])
  })

  it('that asks for entries without end is told to wait, and costs no more', () => {
    const { a, b } = linked()
    ask(a, b, 0, {
      type: 'digests',
      salt: new Uint8Array(16),
      root: 1,
      beacons: [],
      digest: '' as never,
      buckets: [],
    })
    const answers = Array.from({ length: 400 }, (_, at) =>
      replies(ask(a, b, at + 1, { type: 'entries', subBuckets: [], subs: 1, entries: [] })),
    )
    const refused = answers.filter(([one]) => one?.type === 'refused' && one.code === 'LIMIT_RATE')
    expect(refused).toHaveLength(400 - 8 * LIMITS.syncBurst)
  })
})
