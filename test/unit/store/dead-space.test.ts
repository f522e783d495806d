/** Which pieces of the store are merged, and which are not. */
import { expect, test } from 'vitest'
import { MeshError } from '../../../src/errors.ts'
import type { Digest } from '../../../src/model/ids.ts'
import type { EffectOf } from '../../../src/runtime/ports.ts'
import { DeadSpace } from '../../../src/store/dead-space.ts'
import { StoreIndex } from '../../../src/store/index-in-memory.ts'

const MIB = 1024 * 1024
const PLACES = 1_024

interface Shape {
  readonly places?: number
  /** So many live, those with the first numbers. */
  readonly live: number
  readonly liveBytes: number
  /** What the tables hold of each. */
  readonly tableBytes: number
  /** The piece that begins here finds no room. */
  readonly refused?: number
}

function store({ places = PLACES, live, liveBytes, tableBytes, refused }: Shape) {
  /** By its key, at most the last. */
  const numberIn = (key: string): number =>
    Math.min(places, Number(/^block\/(\d{16})$/.exec(key)?.[1] ?? places))
  const index = new StoreIndex()
  for (let number = 0; number < live; number += 1)
    index.addBlock(`a${number}` as Digest, { bytes: liveBytes, number })
  index.keepPlace('x' as Digest, places - 1)
  const tables = Array.from({ length: places }, () => tableBytes)
  const merged: number[] = []
  const notes: EffectOf<'note'>[] = []
  const database = {
    sizeOf: async (from: string, to: string) =>
      tables
        .slice(from <= 'block/' ? 0 : numberIn(from), numberIn(to))
        .reduce((sum, bytes) => sum + bytes, 0),
    compact: async (from: string, to: string) => {
      if (numberIn(from) === refused) throw new MeshError('STORE_FULL', 'no space left')
      merged.push(numberIn(from))
      tables.fill(0, numberIn(from), numberIn(to))
    },
    check: async () => {},
  }
  const log = { note: (note: EffectOf<'note'>) => void notes.push(note) }
  return { space: new DeadSpace({ dir: '/x', database, index: () => index, log }), merged, notes }
}

const quarters = { live: 24, liveBytes: MIB / 4, tableBytes: MIB / 4 }

test('what costs least is merged first: its room may be what the others need', async () => {
  const { space, merged, notes } = store(quarters)
  await space.giveBack()
  expect([merged.length, merged.at(-1), notes]).toEqual([PLACES / 64, 0, []])
})

test('where one piece finds no room it goes on with the others, and says so', async () => {
  const { space, merged, notes } = store({ ...quarters, refused: 64 })
  await space.giveBack()
  expect(merged.length).toBe(PLACES / 64 - 1)
  expect(notes.map(({ code }) => code)).toEqual(['STORE_FULL'])
})

test('many small blocks are not dead for what an index takes of each', async () => {
  const places = 400_001
  const { space, merged } = store({ places, live: places - 1, liveBytes: 60, tableBytes: 60 + 88 })
  await space.giveBack()
  expect(merged).toEqual([])
})
