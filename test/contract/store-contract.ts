/** What every store promises, whatever lies under it. */
import { describe, expect, test } from 'vitest'
import type { Limits } from '../../src/limits.ts'
import { LIMITS } from '../../src/limits.ts'
import type { Channel, KeyId, Name, PeerId, ReleaseId } from '../../src/model/ids.ts'
import type { EventOf, Snapshot, StorePort, Write } from '../../src/runtime/ports.ts'
import { COLLECTION } from './store-collection.ts'
import { block, CHANNEL, digestOf, FLEET, makeFloor, makeRelease, OTHER_FLEET } from './store-fixtures.ts'

export type StoreEvent = EventOf<'blockLost' | 'envelopeLost' | 'storeMode'>

/** One kind of disk, on which stores are opened one after another. */
export interface StoreBench {
  /** A store on the disk of this test; it is not open yet. */
  next(): StorePort
  readonly events: StoreEvent[]
  /** Flips a bit in a stored block, while no store is open. */
  damageBlock(digest: string): Promise<void>
  /** From now on writes fail as on a full disk, until told otherwise. */
  fill(full: boolean): void
  loseStore(): Promise<void>
  loseFloorFiles(): Promise<void>
  cleanUp(): Promise<void>
}

const release = makeRelease(3, [{ path: 'a.yaml', content: 'a: 1\n' }])
export const CONTRACT_LIMITS: Limits = { ...LIMITS, storeProbeMs: 20 }

/** Opens stores of one test and closes them after it. */
export class Harness {
  readonly #makeBench: () => Promise<StoreBench>
  readonly #benches: StoreBench[] = []
  readonly #stores: StorePort[] = []

  constructor(makeBench: () => Promise<StoreBench>) {
    this.#makeBench = makeBench
  }

  readonly bench = async (): Promise<StoreBench> => {
    const made = await this.#makeBench()
    this.#benches.push(made)
    return made
  }

  readonly loaded = async (on: StoreBench): Promise<{ store: StorePort; snapshot: Snapshot }> => {
    const store = on.next()
    this.#stores.push(store)
    await store.open()
    return { store, snapshot: await store.load() }
  }

  async end(): Promise<void> {
    for (const bench of this.#benches) bench.fill(false)
    for (const store of this.#stores) await store.close()
    for (const bench of this.#benches) await bench.cleanUp()
  }
}

export function storeContract(name: string, makeBench: () => Promise<StoreBench>): void {
  describe(name, () => {
    for (const [promise, check] of Object.entries({ ...PROMISES, ...COLLECTION }))
      test(promise, async () => {
        const harness = new Harness(makeBench)
        try {
          await check(harness)
        } finally {
          await harness.end()
        }
      })
  })
}

const emptyRecord = {
  channel: CHANNEL,
  heads: [],
  active: undefined,
  lastGood: undefined,
  lastGoodEpoch: 0,
  failed: [],
  history: [],
}

export type Promises = Readonly<Record<string, (harness: Harness) => Promise<void>>>

const PROMISES: Promises = {
  'an empty store holds nothing and has lost nothing': async ({ bench, loaded }) => {
    const { snapshot } = await loaded(await bench())
    expect(snapshot).toMatchObject({ roots: [], floors: [], floorLost: false, channels: [], corrupt: 0 })
    expect(snapshot.blocks.size).toBe(0)
  },

  'every kind of write is there after a restart': async ({ bench, loaded }) => {
    const on = await bench()
    const { store } = await loaded(on)
    const floor = makeFloor(3, [release.id])
    const record = {
      channel: CHANNEL,
      heads: [release.id],
      active: { release: release.id, epoch: 0, activatedAt: 5, soaked: true },
      lastGood: undefined,
      lastGoodEpoch: 0,
      failed: [],
      history: [{ release: release.id, activatedAt: 5 }],
    }
    const lease = {
      channel: CHANNEL,
      place: floor.top,
      release: release.id,
      envelope: release.envelope,
      holder: undefined,
    }
    const key = digestOf('beacon key') as string as KeyId
    const peer = '12D3KooWGRUVh5YhGvVcaG2WqUQ3J1Y3hGrp1Ue9qVQ1m5Vvvvvv' as PeerId
    await store.commit(
      [
        { kind: 'root', version: 2, envelope: Uint8Array.of(2) },
        { kind: 'root', version: 1, envelope: Uint8Array.of(1) },
        ...release.writes,
        { kind: 'channel', record },
        { kind: 'lease', lease },
        { kind: 'beacon', key, at: 9, envelope: Uint8Array.of(9) },
        { kind: 'audit', at: 1, peer, release: release.id, channel: CHANNEL, answer: 'NEW' },
      ],
      true,
    )
    await store.close()
    const { store: again, snapshot } = await loaded(on)
    expect(snapshot.roots).toEqual([
      { version: 1, envelope: Uint8Array.of(1) },
      { version: 2, envelope: Uint8Array.of(2) },
    ])
    expect(snapshot.floors).toEqual([floor, floor])
    expect(snapshot.channels).toEqual([record])
    expect(snapshot.envelopes).toEqual([{ release: release.id, channel: CHANNEL, bytes: release.envelope }])
    expect(snapshot.whole).toEqual([release.id])
    expect([...snapshot.blocks].sort()).toEqual([...release.blocks.keys()].sort())
    expect(snapshot.leases).toEqual([lease])
    expect(snapshot.beacons).toEqual([{ key, at: 9, envelope: Uint8Array.of(9) }])
    expect(await again.readEnvelope(release.id)).toEqual(release.envelope)
    for (const [digest, bytes] of release.blocks) expect(await again.readBlock(digest)).toEqual(bytes)
  },

  'what is dropped stays dropped': async ({ bench, loaded }) => {
    const on = await bench()
    const { store } = await loaded(on)
    const place = { epoch: 0, counter: 3, publisher: 'payments' as Name }
    const lease = {
      channel: CHANNEL,
      place,
      release: release.id,
      envelope: release.envelope,
      holder: undefined,
    }
    await store.commit([...release.writes, { kind: 'lease', lease }], true)
    await store.commit(
      [
        { kind: 'dropLease', release: release.id },
        { kind: 'unwhole', release: release.id },
        { kind: 'dropEnvelope', release: release.id },
      ],
      true,
    )
    expect(await store.readEnvelope(release.id)).toBeUndefined()
    await store.close()
    const { snapshot } = await loaded(on)
    expect(snapshot).toMatchObject({ leases: [], whole: [], envelopes: [] })
  },

  'commits apply in the order of the calls, also when many wait': async ({ bench, loaded }) => {
    const on = await bench()
    const { store } = await loaded(on)
    const record = (at: number): Write => ({
      kind: 'channel',
      record: { ...emptyRecord, lastGoodEpoch: at },
    })
    await Promise.all(Array.from({ length: 50 }, (_, at) => store.commit([record(at)], at % 7 === 0)))
    await store.commit([{ kind: 'floor', floor: makeFloor(1, []) }], true)
    await store.close()
    const { snapshot } = await loaded(on)
    expect(snapshot.channels[0]?.lastGoodEpoch).toBe(49)
  },

  'a damaged block is never served, said to be lost, and may come again': async ({ bench, loaded }) => {
    const on = await bench()
    const { store } = await loaded(on)
    const good = block('good')
    const bad = block('this will be damaged')
    await store.commit([good, bad], true)
    await store.close()
    await on.damageBlock(bad.digest)
    const { store: again } = await loaded(on)
    expect(again.hasBlock(bad.digest)).toBe(true)
    expect(await again.readBlock(bad.digest)).toBeUndefined()
    expect(again.hasBlock(bad.digest)).toBe(false)
    expect(on.events).toContainEqual({ kind: 'blockLost', digest: bad.digest })
    expect(await again.readBlock(good.digest)).toEqual(good.bytes)
    await again.commit([bad], true)
    expect(await again.readBlock(bad.digest)).toEqual(bad.bytes)
  },

  'a full disk refuses writes, serves reads, and takes writes again by itself': async ({ bench, loaded }) => {
    const on = await bench()
    const { store } = await loaded(on)
    const before = block('before')
    await store.commit([before], true)
    on.fill(true)
    await expect(store.commit(release.writes, true)).rejects.toMatchObject({ code: 'STORE_FULL' })
    expect(on.events).toContainEqual({ kind: 'storeMode', readOnly: true, code: 'STORE_FULL' })
    expect(await store.readBlock(before.digest)).toEqual(before.bytes)
    expect(store.hasBlock([...release.blocks.keys()][0] ?? before.digest)).toBe(false)
    on.fill(false)
    await store.commit(release.writes, true)
    expect(on.events.at(-1)).toEqual({ kind: 'storeMode', readOnly: false })
    await store.close()
    const { snapshot } = await loaded(on)
    expect(snapshot.whole).toEqual([release.id])
  },

  'a commit that fails leaves the floor where it was, in both copies': async ({ bench, loaded }) => {
    const before = {
      kind: 'floor',
      floor: makeFloor(2, [digestOf('before') as string as ReleaseId]),
    } as const
    const other = makeFloor(3, [digestOf('in its place') as string as ReleaseId])
    for (const [first, then] of [
      [[], []],
      [[before], []],
      [[], [{ kind: 'floor', floor: other } as const]],
    ] as const) {
      const on = await bench()
      const { store } = await loaded(on)
      await store.commit(first, true)
      on.fill(true)
      await expect(store.commit(release.writes, true)).rejects.toMatchObject({ code: 'STORE_FULL' })
      on.fill(false)
      if (then.length > 0) await store.commit(then, true)
      await store.close()
      const { snapshot } = await loaded(on)
      expect(snapshot.floors).toEqual([...first, ...then].flatMap(({ floor }) => [floor, floor]))
    }
  },

  'either copy of the floor is enough, and both are there again': async ({ bench, loaded }) => {
    for (const lose of ['loseStore', 'loseFloorFiles'] as const) {
      const on = await bench()
      const { store } = await loaded(on)
      await store.commit([{ kind: 'root', version: 4, envelope: Uint8Array.of(4) }, ...release.writes], true)
      await store.close()
      await on[lose]()
      const { store: again, snapshot } = await loaded(on)
      expect(snapshot.floors).toEqual([makeFloor(3, [release.id])])
      expect(snapshot.roots).toEqual([{ version: 4, envelope: Uint8Array.of(4) }])
      expect(snapshot.floorLost).toBe(false)
      await again.close()
      const third = await loaded(on)
      expect(third.snapshot.floors).toHaveLength(2)
    }
  },

  'no copy holds a lower floor after a higher one': async ({ bench, loaded }) => {
    const on = await bench()
    const { store } = await loaded(on)
    await store.commit([{ kind: 'floor', floor: makeFloor(9, [release.id]) }], true)
    await store.commit([{ kind: 'floor', floor: makeFloor(2, []) }], true)
    await store.close()
    const { snapshot } = await loaded(on)
    expect(snapshot.floors.map(({ top }) => top.counter)).toEqual([9, 9])
  },

  'both copies gone from a store that was used is said': async ({ bench, loaded }) => {
    const on = await bench()
    const { store } = await loaded(on)
    await store.commit([{ kind: 'channel', record: emptyRecord }], true)
    await store.close()
    const { snapshot } = await loaded(on)
    expect(snapshot).toMatchObject({ floors: [], floorLost: true })
  },

  'so, too, where of one channel only a release is left': async ({ bench, loaded }) => {
    const on = await bench()
    const { store } = await loaded(on)
    const elsewhere = makeFloor(1, [], 'payments/test' as Channel)
    const alone = release.writes.filter(({ kind }) => kind === 'envelope')
    await store.commit([{ kind: 'floor', floor: elsewhere }, ...alone], true)
    await store.close()
    const { snapshot } = await loaded(on)
    expect(snapshot).toMatchObject({ floors: [elsewhere, elsewhere], channels: [], floorLost: true })
  },

  "another fleet's floor counts as absent": async ({ bench, loaded }) => {
    const on = await bench()
    const { store } = await loaded(on)
    await store.commit([{ kind: 'floor', floor: makeFloor(5, [], CHANNEL, OTHER_FLEET) }], true)
    await store.close()
    const { snapshot } = await loaded(on)
    expect(snapshot.floors.filter(({ fleet }) => fleet !== FLEET)).toEqual([])
  },
}
