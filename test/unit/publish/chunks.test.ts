import { expect, test } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import { LIMITS } from '../../../src/limits.ts'
import { chunkSizes, chunks, cutOf, GEARS } from '../../../src/publish/chunks.ts'
import { stream } from '../../../src/sim/random.ts'

const KIB = 1024
const MIB = 1024 * KIB
const sizes = chunkSizes(LIMITS)

function noise(bytes: number, name: string): Uint8Array {
  const random = stream(1, name)
  const words = Uint32Array.from({ length: bytes / 4 }, () => Math.floor(random() * 2 ** 32))
  return new Uint8Array(words.buffer)
}

const blocksOf = (bytes: Uint8Array): Uint8Array[] => {
  const blocks: Uint8Array[] = []
  for (let from = 0; from < bytes.length; ) {
    const to = cutOf(bytes, from, bytes.length, sizes)
    blocks.push(bytes.subarray(from, to))
    from = to
  }
  return blocks
}
const newBytes = (before: Uint8Array, after: Uint8Array): number => {
  const known = new Set(blocksOf(before).map(sha256))
  return blocksOf(after)
    .filter((block) => !known.has(sha256(block)))
    .reduce((sum, { length }) => sum + length, 0)
}

/** What two publishers must have in common to cut a file alike: these change with a reason, never by chance. */
test('gears, sizes and cuts are what they were', () => {
  expect(sha256(new Uint8Array(GEARS.buffer))).toBe(
    'ecae448876c02bf0c5641999603df80bd9a38789acad8abac08a6b6d51d210cf',
  )
  expect(sizes).toEqual({ minBytes: 32 * KIB, wantedBytes: 128 * KIB, maxBytes: 256 * KIB })
  expect(blocksOf(noise(MIB, 'golden')).map(({ length }) => length)).toEqual([
    155_375, 155_151, 209_886, 142_512, 175_040, 86_354, 111_626, 12_632,
  ])
})

test('blocks are within their bounds, and around the wanted size', () => {
  const blocks = blocksOf(noise(16 * MIB, 'sizes'))
  for (const { length } of blocks.slice(0, -1)) {
    expect(length).toBeGreaterThan(sizes.minBytes)
    expect(length).toBeLessThanOrEqual(sizes.maxBytes)
  }
  const mean = (16 * MIB) / blocks.length
  expect(mean).toBeGreaterThan(sizes.wantedBytes)
  expect(mean).toBeLessThan(1.5 * sizes.wantedBytes)
})

test('what nothing cuts has blocks of the greatest size', () => {
  expect(blocksOf(new Uint8Array(MIB).fill(7)).map(({ length }) => length)).toEqual(
    new Array(4).fill(256 * KIB),
  )
})

test('a change, an insertion and a removal of 1 KiB cost the blocks around them', () => {
  const plain = noise(4 * MIB, 'plain')
  for (let times = 0; times < 12; times += 1) {
    const at = Math.floor((stream(2, 'at', times)() * plain.length) / 4) * 4
    const [head, tail] = [plain.subarray(0, at), plain.subarray(at)]
    const more = noise(KIB, `more ${times}`)
    for (const after of [
      Buffer.concat([head, more, tail]),
      Buffer.concat([head, tail.subarray(KIB)]),
      Buffer.concat([head, more, tail.subarray(KIB)]),
    ])
      expect(newBytes(plain, after)).toBeLessThan(MIB)
  }
})

test('a file is cut alike, in whatever pieces it is read', async () => {
  for (const bytes of [0, 1, 64 * KIB, 256 * KIB, 2 * MIB, 2 * MIB + 1, 5 * MIB + 4]) {
    const file = noise(Math.ceil(bytes / 4) * 4, 'file').subarray(0, bytes)
    for (const most of [700, 64 * KIB, 100 * MIB]) {
      const found: string[] = []
      // As a handle reads: as much as the buffer holds, in pieces.
      const fill = async (buffer: Uint8Array, position: number) => {
        let got = 0
        while (got < buffer.length && position + got < file.length) {
          const piece = file.subarray(position + got, position + Math.min(got + most, buffer.length))
          buffer.set(piece, got)
          got += piece.length
        }
        return got
      }
      for await (const block of chunks(fill, bytes, sizes)) found.push(sha256(block))
      expect(found).toEqual(blocksOf(file).map(sha256))
    }
  }
})

test('a file that is longer or shorter than expected is read to its end', async () => {
  const file = noise(3 * MIB, 'grown')
  const fill = async (buffer: Uint8Array, position: number) => {
    const piece = file.subarray(position, position + buffer.length)
    buffer.set(piece)
    return piece.length
  }
  for (const expected of [2 * MIB, 4 * MIB]) {
    let read = 0
    for await (const { length } of chunks(fill, expected, sizes)) read += length
    expect(read).toBe(file.length)
  }
})
