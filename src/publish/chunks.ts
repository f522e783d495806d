/**
 * Content-defined chunking: blocks end where the bytes say so, so that an insertion moves the cuts with it and all blocks
 * behind it stay what they were. FastCDC: a gear hash, no cut below a least size, and two masks (normalised chunking),
 * the harder one below the wanted size, the easier one above.
 *
 * Source: W. Xia, X. Zou, H. Jiang, Y. Zhou, C. Liu, D. Feng, Y. Hua, Y. Hu, Y. Zhang, "The Design of Fast
 * Content-Defined Chunking for Data Deduplication Based Storage Systems", IEEE TPDS 31(9), 2020. Own here: 32 bits instead
 * of 64, which JavaScript adds without boxing, hence masks of the highest bits, where a bit depends on the most bytes; and
 * the gears come from SHA-256, so that anyone can make the table anew.
 *
 * The cuts are no part of the protocol: a node takes any blocks. But two publishers cut the same file alike only with the
 * same gears, sizes and masks, so these stay as they are (golden test).
 */
import { createHash } from 'node:crypto'
import type { Limits } from '../limits.ts'

/** Read at once: far more than a block, so that few bytes are moved to the window's front. */
const WINDOW_BLOCKS = 8

/**
 * Bits by which the masks are harder and easier than the wanted size asks: NC1 of the paper. Its NC2 has sizes closer to
 * the wanted one, but after a change it takes far longer to find the old cuts again: 1.2 MB at the worst of 3,000 places,
 * 0.9 MB with this.
 */
const NORMAL_BITS = 1

/** One random number for each byte: the first 4 bytes of SHA-256 over a name and the byte. */
export const GEARS: Int32Array = Int32Array.from({ length: 256 }, (_, byte) =>
  createHash('sha256').update(`confmesh gear ${byte}`).digest().readInt32BE(0),
)

/** The highest `count` bits. */
const mask = (count: number): number => -1 << (32 - count)

export interface ChunkSizes {
  readonly minBytes: number
  /** A power of two: the size around which blocks lie. */
  readonly wantedBytes: number
  readonly maxBytes: number
}

/**
 * Blocks around 150 KiB, chosen by `bench/chunking.ts` among 16 to 128 KiB wanted: half of that sends a fifth less of a
 * dump with changes all over it, 0.2 MiB less of a package of 2 MiB and little less of anything else, but every block is
 * a request, a record and 48 bytes of the manifest.
 */
export const chunkSizes = ({ maxBlockBytes }: Pick<Limits, 'maxBlockBytes'>): ChunkSizes => ({
  minBytes: maxBlockBytes / 8,
  wantedBytes: maxBlockBytes / 2,
  maxBytes: maxBlockBytes,
})

/** Where the first block of `bytes[from … to)` ends: at most `maxBytes` on, `to` where nothing cuts. */
export function cutOf(bytes: Uint8Array, from: number, to: number, sizes: ChunkSizes): number {
  const { minBytes, wantedBytes, maxBytes } = sizes
  if (to - from <= minBytes) return to
  const bits = 31 - Math.clz32(wantedBytes)
  const end = Math.min(to, from + maxBytes)
  const wanted = Math.min(end, from + wantedBytes)
  const hard = mask(bits + NORMAL_BITS)
  const easy = mask(bits - NORMAL_BITS)
  let hash = 0
  let at = from + minBytes
  for (; at < wanted; at += 1) {
    hash = ((hash << 1) + (GEARS[bytes[at] as number] as number)) | 0
    if ((hash & hard) === 0) return at + 1
  }
  for (; at < end; at += 1) {
    hash = ((hash << 1) + (GEARS[bytes[at] as number] as number)) | 0
    if ((hash & easy) === 0) return at + 1
  }
  return end
}

/** Fills as much of the buffer as there is, from this position of the file. */
export type Fill = (buffer: Uint8Array, position: number) => Promise<number>

/**
 * Blocks of a file, in order, each valid until the next one is asked for: memory is one window whatever the file's size.
 * @param fileBytes what the file is expected to have; a small one gets a small window
 */
export async function* chunks(fill: Fill, fileBytes: number, sizes: ChunkSizes): AsyncIterable<Uint8Array> {
  const window = new Uint8Array(Math.min(WINDOW_BLOCKS * sizes.maxBytes, fileBytes + 1))
  let position = 0
  let held = 0
  for (;;) {
    const got = await fill(window.subarray(held), position + held)
    held += got
    const isEnd = held < window.length || got === 0
    let from = 0
    // Short of the end a block needs all the bytes it could have, or the window's end would cut.
    while (from < held && (isEnd || held - from >= sizes.maxBytes)) {
      const cut = cutOf(window, from, held, sizes)
      yield window.subarray(from, cut)
      from = cut
    }
    if (isEnd && got === 0) return
    window.copyWithin(0, from, held)
    position += from
    held -= from
  }
}
