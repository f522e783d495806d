import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { MeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Address } from '../../../src/model/ids.ts'
import { askSeed, reachSeeds, redialGone, type Seed } from '../../../src/publish/seeds.ts'
import { FakeSeed } from './fake-seed.ts'

const limits = { ...LIMITS, otherSeedsMs: 20 }
const [near, down, silent] = ['near', 'down', 'silent'] as unknown as [Address, Address, Address]

test('A seed that is down and one that is silent are both told; the silent one is dialled no longer', async () => {
  let ended = false
  const dial = async (address: Address, signal: AbortSignal) => {
    if (address === near) return new FakeSeed('a')
    if (address === silent) {
      await once(signal, 'abort')
      ended = true
    }
    throw new MeshError('NET_UNREACHABLE', `${address}: refused`)
  }
  const seeds = await reachSeeds([silent, near, down], limits, dial)
  expect(seeds.reached).toHaveLength(1)
  await expect.poll(() => ended).toBe(true)
  expect(seeds.missed.map(({ address, error }) => [address, error.code])).toEqual([
    [down, 'NET_UNREACHABLE'],
    [silent, 'NET_TIMEOUT'],
  ])
})

test('A seed that takes a connection up and cuts it is full for a moment: dialled a few times more, where none is reached', async () => {
  const cut = new MeshError('NET_UNREACHABLE', 'cut', { cut: true })
  const reach = async (addresses: readonly Address[], failures: number) => {
    const dialled: Address[] = []
    const dial = async (address: Address) => {
      dialled.push(address)
      if (address === near && dialled.length > failures) return new FakeSeed('a')
      // After the others.
      if (address === silent) await delay(5)
      throw address === down ? new MeshError('NET_UNREACHABLE', 'refused') : cut
    }
    const seeds = await reachSeeds(addresses, { ...limits, redialMinMs: 1 }, dial).catch(({ code }) => code)
    return [seeds.reached?.length ?? seeds, dialled]
  }
  expect(await reach([near, down], 4)).toEqual([1, [near, down, near, near, near]])
  expect(await reach([near], 99)).toEqual(['NET_UNREACHABLE', [near, near, near, near]])
  expect(await reach([near, silent], 0)).toEqual([1, [near, silent]])
})

describe('A seed that ends a connection behind the handshake, before it answered anything', () => {
  /** Of the first seed so many connections are cut. */
  const reach = async (cuts: number, others: Record<string, FakeSeed> = {}) => {
    const dialled: Address[] = []
    const dial = async (address: Address) => {
      dialled.push(address)
      // Longer than pauses differ.
      if (address === near && dialled.length > 1) await delay(10)
      const seed = others[address] ?? new FakeSeed('a')
      if (others[address] === undefined) seed.isGone = dialled.filter((one) => one === near).length <= cuts
      return seed
    }
    const addresses = [near, ...Object.keys(others)] as Address[]
    const seeds = await reachSeeds(addresses, { ...limits, redialMinMs: 1 }, dial)
    const [seed] = seeds.reached
    const ask = () =>
      askSeed(seed as Seed, { type: 'roots', since: 0 }, ['root'], limits).then(
        ({ type }) => type,
        ({ code }) => code,
      )
    return { seed, seeds, dialled, ask }
  }

  test('is dialled and asked three times more, and not so again', async () => {
    const some = await reach(3)
    expect([await some.ask(), some.dialled.length]).toEqual(['root', 4])
    const all = await reach(99)
    expect([await all.ask(), all.dialled.length]).toEqual(['NET_UNREACHABLE', 4])
    expect([await all.ask(), all.dialled.length]).toEqual(['NET_UNREACHABLE', 4])
  })

  test('is told with all that is known of it', async () => {
    const { seed } = await reach(99)
    const details = { peer: 'a' }
    const lost = new MeshError('NET_UNREACHABLE', 'the connection is gone', details)
    const one = await reachSeeds([near], { ...limits, redialMinMs: 1 }, async () =>
      Object.assign(new FakeSeed('a'), { isGone: true, ask: () => Promise.reject(lost) }),
    )
    const request = { type: 'roots', since: 0 } as const
    await expect(one.reached[0]?.ask(request, 1)).rejects.toMatchObject({
      details: { ...details, cut: true },
    })
    await seed?.close()
  })

  test('is dialled once for all that it is asked at the same time', async () => {
    const { ask, dialled } = await reach(1)
    expect([await Promise.all([ask(), ask()]), dialled.length]).toEqual([['root', 'root'], 2])
  })

  test('is left where another is there', async () => {
    const other = new FakeSeed('b')
    const { ask, dialled } = await reach(1, { [down]: other })
    expect([await ask(), dialled]).toEqual(['NET_UNREACHABLE', [near, down]])
    other.isGone = true
    const both = await reach(1, { [down]: other })
    expect([await both.ask(), both.dialled]).toEqual(['root', [near, down, near]])
  })

  test('is dialled no more once it was closed', async () => {
    const { ask, seed, dialled } = await reach(99)
    const asked = ask()
    await seed?.close()
    expect([await asked, dialled.length]).toEqual(['NET_UNREACHABLE', 1])
  })
})

test('A seed that has answered is not dialled again by itself when its connection ends', async () => {
  let dialled = 0
  const first = new FakeSeed('a')
  const seeds = await reachSeeds([near], { ...limits, redialMinMs: 1 }, async () => {
    dialled += 1
    return first
  })
  const [seed] = seeds.reached
  await seed?.ask({ type: 'roots', since: 0 }, 1)
  first.isGone = true
  await expect(seed?.ask({ type: 'roots', since: 0 }, 1)).rejects.toMatchObject({ code: 'NET_UNREACHABLE' })
  expect(dialled).toBe(1)
})

test('A seed that is full is not waited for once another is reached, and is told as what it is', async () => {
  const cut = new MeshError('NET_UNREACHABLE', 'cut', { cut: true })
  const dialled: Address[] = []
  const dial = async (address: Address) => {
    dialled.push(address)
    if (address === down) throw cut
    await delay(5)
    return new FakeSeed('a')
  }
  const startMs = performance.now()
  const seeds = await reachSeeds([down, near], { ...LIMITS, redialMinMs: 1_000 }, dial)
  expect([seeds.reached.length, seeds.missed]).toEqual([1, [{ address: down, error: cut }]])
  expect(dialled).toEqual([down, near])
  expect(performance.now() - startMs).toBeLessThan(450)
})

test('A seed that answers too late is closed, and stays among those that were not reached', async () => {
  const late = new FakeSeed('b')
  let closed = false
  late.close = async () => {
    closed = true
  }
  const dial = async (address: Address, signal: AbortSignal) => {
    if (address === near) return new FakeSeed('a')
    await once(signal, 'abort')
    return late
  }
  const seeds = await reachSeeds([near, silent], limits, dial)
  await expect.poll(() => closed).toBe(true)
  expect([seeds.reached.length, seeds.missed.map(({ address }) => address)]).toEqual([1, [silent]])
})

test('One seed by two addresses is one seed: the second connection is closed', async () => {
  let closed = 0
  const seeds = await reachSeeds([near, silent], limits, async () =>
    Object.assign(new FakeSeed('a'), {
      close: async () => {
        closed += 1
      },
    }),
  )
  expect([seeds.reached.length, seeds.missed, closed]).toEqual([1, [], 1])
})

test('A seed is dialled again at the address where it was reached; what is left of the old connection is closed', async () => {
  const [first, second] = [new FakeSeed('a'), new FakeSeed('a')]
  let closed = 0
  first.close = async () => {
    closed += 1
  }
  const dialled: Address[] = []
  const seeds = await reachSeeds([near], limits, async (address) => {
    dialled.push(address)
    return dialled.length === 1 ? first : second
  })
  const [seed] = seeds.reached
  await seed?.redial?.()
  await seed?.ask({ type: 'roots', since: 0 }, 1)
  expect([dialled, closed, first.asked, second.asked]).toEqual([[near, near], 1, [], ['roots']])
})

test('A connection that is made anew while the seed is closed is closed, too', async () => {
  const reached = Promise.withResolvers<Seed>()
  const closed: string[] = []
  const at = (name: string) => Object.assign(new FakeSeed('a'), { close: async () => void closed.push(name) })
  let dialled = 0
  const seeds = await reachSeeds([near], limits, async () => {
    dialled += 1
    return dialled === 1 ? at('first') : reached.promise
  })
  const redialled = seeds.reached[0]?.redial?.()
  await expect.poll(() => dialled).toBe(2)
  await seeds.close()
  reached.resolve(at('second'))
  await redialled
  expect(closed).toEqual(['first', 'first', 'second'])
})

test('Seeds whose connections have ended are dialled again, and it is no matter who does not come back while one is left', async () => {
  const refused = new MeshError('NET_UNREACHABLE', 'refused')
  const at = (isGone: boolean, isBack: boolean) => {
    const seed = Object.assign(new FakeSeed('a'), {
      isGone,
      redial: async () => {
        if (!isBack) throw refused
        seed.isGone = false
      },
    })
    return seed
  }
  const [back, lost, here] = [at(true, true), at(true, false), at(false, false)]
  await redialGone([back, lost])
  await redialGone([here, lost])
  expect([back.isGone, lost.isGone]).toEqual([false, true])
  await expect(redialGone([lost])).rejects.toBe(refused)
})

test('A seed whose first address stops working is dialled at the second', async () => {
  const dialled: Address[] = []
  let isDown = false
  const back = new FakeSeed('a')
  const seeds = await reachSeeds([near, silent], limits, async (address) => {
    dialled.push(address)
    if (!isDown) return new FakeSeed('a')
    if (address === near) throw new MeshError('NET_UNREACHABLE', 'refused')
    return back
  })
  isDown = true
  const [seed] = seeds.reached
  await seed?.redial?.()
  await seed?.ask({ type: 'roots', since: 0 }, 1)
  expect([seeds.reached.length, dialled, back.asked]).toEqual([1, [near, silent, near, silent], ['roots']])
})
