/** Manifest pages: lists of files, each page a block of its own and named by its digest. */
import { LIMITS, type Limits } from '../limits.ts'
import type { Digest } from '../model/ids.ts'
import type { BlockRef, FileMode, ManifestEntry, ManifestPage } from '../model/manifest.ts'
import { decodeStrict, encode } from './cbor.ts'
import { convert, type Form, int, list, malformed, open, text } from './fields.ts'
import { digest, tuple } from './ids.ts'

/** Regular files only: no links, devices or set-user-id, and nothing that is writable. */
const mode: Form<FileMode> = {
  read(value, at) {
    if (value !== 0o444 && value !== 0o555)
      throw malformed(at, 'the mode of a file is 0444 or 0555', 'CONTENT_PATH')
    return value
  },
  write: (value) => value,
}

const blockSize: Form<number> = {
  read(value, at, limits) {
    const size = int().read(value, at, limits)
    if (size < 1 || size > limits.maxBlockBytes)
      throw malformed(
        at,
        `a block has 1 to ${limits.maxBlockBytes} bytes (limits.maxBlockBytes), not ${size}`,
        'LIMIT_CONTENT',
      )
    return size
  },
  write: (value) => value,
}

/** `[digest, size]`. */
const blockRef: Form<BlockRef> = convert<readonly [Digest, number], BlockRef>(
  tuple(digest, blockSize),
  ([of, size]) => ({ digest: of, size }),
  (ref) => [ref.digest, ref.size],
)

const entry: Form<ManifestEntry> = open({
  // Of one that is only too long here `checkPath` says so: that is a limit, and no malformed page.
  path: text((limits) => Math.max(limits.maxPathBytes, LIMITS.maxPathBytes)),
  mode,
  size: int(0, (limits) => limits.maxReleaseBytes, 'LIMIT_CONTENT'),
  digest,
  // A block takes more than 32 bytes of its page, so the page's bytes bound their number first.
  blocks: list(blockRef, (limits) => limits.maxItems),
})

const page = list(entry, (limits) => limits.maxFiles, 1, 'LIMIT_CONTENT')

/**
 * One page by itself. Paths, order and sums are judged over all pages by `ManifestReader`.
 * @throws MeshError LIMIT_BYTES, CODEC_MALFORMED, CONTENT_PATH (mode), LIMIT_CONTENT
 */
export const decodePage = (encoded: Uint8Array, limits: Limits): ManifestPage =>
  page.read(decodeStrict(encoded, { maxBytes: limits.maxPageBytes, limits, what: 'page' }), 'page', limits)

export const encodePage = (value: ManifestPage): Uint8Array => encode(page.write(value))
