/** Bytes near those that are right, from a seed: what a grammar alone does not reach. */
import { randomOf } from '../../scripts/chaos/random.ts'

/** CBOR and JSON heads, lengths and ends that decoders trip over. */
const SPICE = [
  [0x81],
  [0x9f],
  [0xbf],
  [0xff],
  [0x5f],
  [0x1b, 255, 255, 255, 255, 255, 255, 255, 255],
  [0x9a, 255, 255, 255, 255],
  [0x5a, 127, 255, 255, 255],
  [0xf9, 0x7e, 0],
  [0xfb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0],
  [0xc0],
  [0xd8, 0x2a],
  [0xa1, 0x69, 0x5f, 0x5f, 0x70, 0x72, 0x6f, 0x74, 0x6f, 0x5f, 0x5f],
  [0x22, 0x5c, 0x75, 0x64, 0x38, 0x30, 0x30, 0x22],
  [0x5b],
  [0x7b],
  [0],
]
const MAX_BYTES = 400_000

export function mutator(seed: number, corpus: readonly Uint8Array[]): () => Uint8Array {
  const random = randomOf(seed)
  const at = (length: number): number => Math.floor(random() * length)
  const change = (bytes: Uint8Array): Uint8Array => {
    const copy = Buffer.from(bytes)
    const place = at(copy.length + 1)
    switch (at(7)) {
      case 0:
        copy[at(copy.length)] = at(256)
        return copy
      case 1: {
        const index = at(copy.length)
        copy[index] = (copy[index] ?? 0) ^ (1 << at(8))
        return copy
      }
      case 2:
        return copy.subarray(0, place)
      case 3:
        return Buffer.concat([copy.subarray(0, place), Buffer.from(random.pick(SPICE)), copy.subarray(place)])
      case 4:
        return Buffer.concat([copy.subarray(0, place), copy.subarray(Math.min(copy.length, place + at(9)))])
      case 5: {
        const other = random.pick(corpus)
        return Buffer.concat([copy.subarray(0, place), other.subarray(at(other.length + 1))])
      }
      default: {
        const piece = copy.subarray(place, place + at(64))
        const times = random() < 0.05 ? 2_000 : 1 + at(4)
        return Buffer.concat([
          copy.subarray(0, place),
          ...new Array<Buffer>(times).fill(piece),
          copy.subarray(place),
        ])
      }
    }
  }
  return () => {
    let bytes: Uint8Array = random.pick(corpus)
    for (let rounds = 1 + at(4); rounds > 0; rounds--) bytes = change(bytes)
    return new Uint8Array(bytes.subarray(0, MAX_BYTES))
  }
}
