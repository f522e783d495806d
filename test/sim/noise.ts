import { stream } from '../../src/sim/random.ts'

/** Content that no two blocks share, the same each time. */
export function noise(bytes: number, seed = 1): Uint8Array {
  const random = stream(seed, 'noise')
  return Uint8Array.from({ length: bytes }, () => Math.floor(random() * 256))
}
