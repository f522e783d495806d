import type { FileView } from '../api/node-view.ts'
import { decodePage } from '../codec/page.ts'
import { LatestMap } from '../core/latest.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { ManifestEntry } from '../model/manifest.ts'
import type { Release } from '../model/release.ts'
import type { StorePort } from '../runtime/ports.ts'

/** Reads what the store holds of a release: its manifest, its files, every block checked on the way. */
export interface Content {
  /** @throws MeshError CONTENT_GONE where a page is no longer stored */
  manifest(release: Release): Promise<readonly ManifestEntry[]>
  files(release: Release): Promise<readonly FileView[]>
  /** Bytes `start`…`end` (inclusive) of a file. @throws MeshError CONTENT_GONE */
  bytes(
    release: Release,
    path: string,
    range?: { readonly start: number; readonly end: number },
  ): AsyncGenerator<Uint8Array>
}

interface Listed {
  readonly manifest: readonly ManifestEntry[]
  readonly files: readonly FileView[]
}

/** Manifests kept decoded: enough for the channels being read right now. */
const KEPT_MANIFESTS = 8

export function createContent(store: StorePort, limits: Limits): Content {
  const kept = new LatestMap<string, Listed>(KEPT_MANIFESTS)
  const reading = new Map<string, Promise<Listed>>()

  /** Decoded once for all who ask: a thousand of them at once would hold a thousand manifests. */
  async function listed(release: Release): Promise<Listed> {
    const known = kept.get(release.id) ?? reading.get(release.id)
    if (known !== undefined) return known
    const begun = read(release).finally(() => reading.delete(release.id))
    reading.set(release.id, begun)
    return begun
  }

  async function read(release: Release): Promise<Listed> {
    const entries: ManifestEntry[] = []
    for (const digest of release.header.pages) {
      const bytes = await store.readBlock(digest)
      if (bytes === undefined) throw gone(release)
      entries.push(...decodePage(bytes, limits))
    }
    const manifest = joinParts(entries)
    const files = manifest.map(({ path, mode, size, digest }) => ({ path, mode, size, digest }))
    const whole = { manifest, files }
    kept.set(release.id, whole)
    return whole
  }

  const manifest = async (release: Release): Promise<readonly ManifestEntry[]> =>
    (await listed(release)).manifest

  return {
    manifest,
    files: async (release) => (await listed(release)).files,
    async *bytes(release, path, range) {
      const entry = (await manifest(release)).find((candidate) => candidate.path === path)
      if (entry === undefined)
        throw new MeshError(
          'API_NOT_FOUND',
          `no file ${JSON.stringify(path)} in release ${release.id.slice(0, 12)}`,
        )
      const { start, end } = range ?? { start: 0, end: entry.size - 1 }
      let offset = 0
      for (const block of entry.blocks) {
        const from = Math.max(start - offset, 0)
        const to = Math.min(end - offset + 1, block.size)
        offset += block.size
        if (from >= to) continue
        const bytes = await store.readBlock(block.digest)
        if (bytes === undefined) throw gone(release)
        yield bytes.subarray(from, to)
      }
    },
  }
}

const gone = (release: Release): MeshError =>
  new MeshError(
    'CONTENT_GONE',
    `release ${release.id.slice(0, 12)}: its content is no longer whole here; newer releases are, see 'confmesh log'`,
  )

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
