import type { FileView } from '../api/node-view.ts'
import { decodePage } from '../codec/page.ts'
import type { CoreChannelView } from '../core/view.ts'
import { isMeshError, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Channel, Digest, ReleaseId } from '../model/ids.ts'
import type { ManifestEntry } from '../model/manifest.ts'
import type { Release } from '../model/release.ts'
import type { StorePort } from '../runtime/ports.ts'

/**
 * Reads what the store holds of a release: its manifest, its files, every block checked on the way. What it lacks is
 * refused before the first byte where the store knows of it, as what `lackingOf` makes of it.
 */
export interface Content {
  manifest(release: Release): Promise<readonly ManifestEntry[]>
  files(release: Release): Promise<readonly FileView[]>
  file(release: Release, path: string): Promise<FileView | undefined>
  /** Bytes `start`…`end` (inclusive) of a file. @throws MeshError API_NOT_FOUND */
  bytes(
    release: Release,
    path: string,
    range?: { readonly start: number; readonly end: number },
  ): Promise<AsyncIterable<Uint8Array>>
  /** Pages, then blocks in manifest order, each once, and the sizes of all of them. */
  blocks(release: Release): Promise<{ sizes: Iterable<number>; blocks: AsyncIterable<Block> }>
}

export interface Block {
  readonly digest: Digest
  readonly bytes: Uint8Array
}

interface Listed {
  readonly channel: Channel
  readonly manifest: readonly ManifestEntry[]
  readonly files: readonly FileView[]
  readonly pageSizes: readonly number[]
  /** Whoever reads every file asks for each by its path. */
  readonly byPath: ReadonlyMap<string, ManifestEntry>
  /** As it is encoded, by which goes what it takes decoded: for files, blocks and fields that this build does not know. */
  readonly keptBytes: number
}

/**
 * Manifests kept decoded of one channel, of which hardly anybody reads what was replaced long ago. `maxKeptManifestBytes`
 * bounds those of all channels: of a hundred that are read in turn each would be decoded for every file.
 */
const KEPT_OF_CHANNEL = 4
/** What one counts at least: of short ones there may be thousands. */
const LEAST_KEPT_BYTES = 4 * 1024

export function createContent(
  store: StorePort,
  limits: Limits,
  lackingOf: (release: Release) => MeshError,
): Content {
  const kept = new Map<string, Listed>()
  const reading = new Map<string, Promise<Listed>>()

  /** Decoded once for all who ask: a thousand of them at once would hold a thousand manifests. */
  async function listed(release: Release): Promise<Listed> {
    const known = kept.get(release.id)
    if (known !== undefined) {
      // What is read goes last.
      kept.delete(release.id)
      kept.set(release.id, known)
      return known
    }
    const under = reading.get(release.id)
    if (under !== undefined) return under
    const begun = read(release).finally(() => reading.delete(release.id))
    reading.set(release.id, begun)
    return begun
  }

  async function read(release: Release): Promise<Listed> {
    const entries: ManifestEntry[] = []
    const pageSizes: number[] = []
    for (const digest of release.header.pages) {
      const page = await blockOf(release, digest)
      entries.push(...listedIn(release, page, limits))
      pageSizes.push(page.length)
    }
    const manifest = joinParts(entries)
    const files = manifest.map(({ path, mode, size, digest }) => ({ path, mode, size, digest }))
    const byPath = new Map(manifest.map((entry) => [entry.path, entry]))
    const { channel } = release.header
    const pageBytes = pageSizes.reduce((sum, size) => sum + size, 0)
    const keptBytes = Math.max(pageBytes, LEAST_KEPT_BYTES)
    const whole = { channel, manifest, files, byPath, pageSizes, keptBytes }
    kept.set(release.id, whole)
    dropOldest(channel)
    return whole
  }

  /** The newest stays, however long it is: whoever reads it file by file would have it decoded for each. */
  function dropOldest(ofChannel: Channel): void {
    let [bytes, count] = [0, 0]
    for (const { channel, keptBytes } of kept.values()) {
      bytes += keptBytes
      if (channel === ofChannel) count += 1
    }
    for (const [id, { channel, keptBytes }] of kept) {
      const isReplaced = channel === ofChannel && count > KEPT_OF_CHANNEL
      const isOver = bytes > limits.maxKeptManifestBytes || isReplaced
      if (!isOver || kept.size === 1) continue
      kept.delete(id)
      bytes -= keptBytes
      if (channel === ofChannel) count -= 1
    }
  }

  async function blockOf(release: Release, digest: Digest): Promise<Uint8Array> {
    const bytes = await store.readBlock(digest)
    if (bytes === undefined) throw lackingOf(release)
    return bytes
  }

  /** By the index: what is damaged on the disk shows only as it is read. */
  async function allThere(release: Release, digests: Iterable<Digest>): Promise<void> {
    // Reading what is not there tells the core, which may have counted on it.
    for (const digest of digests) if (!store.hasBlock(digest)) await blockOf(release, digest)
  }

  /** By their sizes the length of all is told before: what is longer than that would be read as the next answer. */
  async function* blocksOf(release: Release, sizes: ReadonlyMap<Digest, number>): AsyncGenerator<Block> {
    for (const [digest, size] of sizes) {
      const bytes = await blockOf(release, digest)
      if (bytes.length !== size)
        throw new MeshError(
          'LIMIT_CONTENT',
          `block ${digest.slice(0, 12)} has ${bytes.length} bytes, the manifest says ${size}`,
        )
      yield { digest, bytes }
    }
  }

  async function* partsOf(release: Release, parts: Iterable<Part>): AsyncGenerator<Uint8Array> {
    for (const { digest, from, to } of parts) yield (await blockOf(release, digest)).subarray(from, to)
  }

  return {
    manifest: async (release) => (await listed(release)).manifest,
    files: async (release) => (await listed(release)).files,
    file: async (release, path) => (await listed(release)).byPath.get(path),
    async bytes(release, path, range) {
      const entry = (await listed(release)).byPath.get(path)
      if (entry === undefined)
        throw new MeshError(
          'API_NOT_FOUND',
          `no file ${JSON.stringify(path)} in release ${release.id.slice(0, 12)}`,
        )
      const asked = range ?? { start: 0, end: entry.size - 1 }
      await allThere(
        release,
        partsIn(entry, asked).map(({ digest }) => digest),
      )
      return partsOf(release, partsIn(entry, asked))
    },
    async blocks(release) {
      const { manifest, pageSizes } = await listed(release)
      const sizes = new Map<Digest, number>()
      for (const [at, page] of release.header.pages.entries()) sizes.set(page, pageSizes[at] ?? 0)
      for (const { blocks } of manifest) for (const { digest, size } of blocks) sizes.set(digest, size)
      await allThere(release, sizes.keys())
      return { sizes: sizes.values(), blocks: blocksOf(release, sizes) }
    },
  }
}

/** What came under a higher limit than that of now is no fault of whoever asks. */
function listedIn(release: Release, page: Uint8Array, limits: Limits): readonly ManifestEntry[] {
  try {
    return decodePage(page, limits)
  } catch (error) {
    if (!isMeshError(error) || !error.code.startsWith('LIMIT_')) throw error
    const text = `release ${release.id.slice(0, 12)}: it cannot be read here any longer: ${error.message}`
    throw new MeshError('API_UNAVAILABLE', text)
  }
}

/** Of one block. */
interface Part {
  readonly digest: Digest
  readonly from: number
  readonly to: number
}

/** One after another: a list of them, of a file of many GiB, would be held by each who downloads it. */
function* partsIn(
  { blocks }: ManifestEntry,
  { start, end }: { start: number; end: number },
): Generator<Part, void> {
  let offset = 0
  for (const { digest, size } of blocks) {
    const from = Math.max(start - offset, 0)
    const to = Math.min(end - offset + 1, size)
    offset += size
    if (from < to) yield { digest, from, to }
  }
}

/**
 * What it means that something of a release is not here. Of what is active, or is gone back to, the core fetches again
 * what is lost; the target is on its way. The rest is not fetched again, nor what is active and over a limit by now.
 * @param isKept its envelope is here: what it is made of is known
 */
export function lacking(
  entry: Pick<CoreChannelView, 'active' | 'lastGood' | 'target'> | undefined,
  release: ReleaseId,
  isKept: boolean,
): MeshError {
  const name = `release ${release.slice(0, 12)}`
  if (isKept && entry !== undefined && (release === entry.active?.id || release === entry.lastGood))
    return new MeshError(
      'STORE_CORRUPT',
      `${name}: its content here is damaged; peers are asked for it again`,
    )
  if (!isKept && release === entry?.active?.id)
    return new MeshError(
      'API_UNAVAILABLE',
      `${name}: it cannot be read here any longer; 'confmesh status' or the log of the start says why`,
    )
  if (release === entry?.target)
    return new MeshError('API_UNAVAILABLE', `${name}: its content is still on its way here; try again later`)
  return new MeshError(
    'CONTENT_GONE',
    `${name}: its content is not, or no longer, whole here; newer releases are, see 'confmesh log'`,
  )
}

/** A file that goes on in the next page is one file. */
function joinParts(entries: readonly ManifestEntry[]): ManifestEntry[] {
  const joined: ManifestEntry[] = []
  for (const entry of entries) {
    const last = joined.at(-1)
    if (last?.path === entry.path)
      joined[joined.length - 1] = { ...last, blocks: [...last.blocks, ...entry.blocks] }
    else joined.push(entry)
  }
  return joined
}
