/**
 * Builds a release's content from files: blocks that end where the content says so, the manifest over them. Files are
 * read once, a window at a time, and once more for what a seed lacks: memory is 2 MiB for each file being read, the
 * manifest's pages (64 MiB at most) and a record of about 200 bytes for each block and file.
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { sha256 } from '../codec/digest.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Digest } from '../model/ids.ts'
import type { BlockRef, ManifestEntry } from '../model/manifest.ts'
import { chunkSizes, chunks } from './chunks.ts'
import type { Content } from './content.ts'
import { fill } from './fill.ts'
import { ManifestWriter } from './manifest-writer.ts'
import { findSources, type SourceFile, unreadable } from './sources.ts'

interface Span {
  readonly file: string
  readonly offset: number
  readonly size: number
}

const EXECUTABLE = 0o111

/** Files read at once: a small one is mostly waiting for the disk. */
const PARALLEL = 8

export interface BuildOptions {
  readonly limits: Limits
  /** Called as files are read, for each block: one file may be all there is. */
  readonly onProgress?: (bytes: number) => void
}

export interface Built extends Content {
  /** All pages and blocks, each once: the most that a seed can lack. */
  readonly uploadBytes: number
}

/** A link in the file's place is refused, and a pipe does not block. */
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/**
 * @param paths one folder, or files
 * @throws MeshError INPUT_PATH, CONTENT_PATH, CONTENT_EMPTY, LIMIT_CONTENT, USAGE
 */
export async function build(paths: readonly string[], options: BuildOptions): Promise<Built> {
  const { limits } = options
  const sources = await findSources(paths, limits)
  const manifest = new ManifestWriter(limits)
  const spans = new Map<Digest, Span>()
  let bytes = 0
  let uploadBytes = 0
  let readBytes = 0
  const onBlock = (size: number) => {
    readBytes += size
    options.onProgress?.(readBytes)
  }
  for await (const { entry, found } of readSources(sources, limits, onBlock)) {
    bytes += entry.size
    for (const [digest, span] of found) {
      if (spans.has(digest)) continue
      spans.set(digest, span)
      uploadBytes += span.size
    }
    manifest.add(entry)
  }
  const pages = manifest.end()
  const pageBytes = new Map(pages.map((page) => [page.digest, page.bytes]))
  for (const page of pageBytes.values()) uploadBytes += page.length
  return {
    pages: pages.map(({ digest }) => digest),
    files: sources.length,
    bytes,
    uploadBytes,
    async read(digest) {
      const page = pageBytes.get(digest)
      if (page !== undefined) return page
      const span = spans.get(digest)
      return span === undefined ? undefined : readSpan(digest, span)
    },
  }
}

interface Read {
  readonly entry: ManifestEntry
  /** Where each of its blocks lies. */
  readonly found: ReadonlyMap<Digest, Span>
}

/** Each may throw: the file is read no further. */
interface Seen {
  /** Of a file, before its first byte is read: what is too large in the end is not read first. */
  onSize(bytes: number): void
  onBlock(bytes: number): void
}

/** In order, several at once. */
async function* readSources(
  sources: readonly SourceFile[],
  limits: Limits,
  onBlock: (bytes: number) => void,
): AsyncIterable<Read> {
  const reading: Promise<Read>[] = []
  const stop = new AbortController()
  let bytes = 0
  const seen: Seen = {
    onSize(size) {
      bytes += size
      if (bytes > limits.maxReleaseBytes)
        throw new MeshError(
          'LIMIT_CONTENT',
          `more than ${limits.maxReleaseBytes} bytes; publish in several channels`,
        )
    },
    onBlock(size) {
      stop.signal.throwIfAborted()
      onBlock(size)
    },
  }
  try {
    for (const source of sources) {
      const read = readSource(source, limits, seen)
      // The first that fails ends all others, too: whichever's turn it is fails for the same reason.
      read.catch((error: unknown) => stop.abort(error))
      reading.push(read)
      if (reading.length >= PARALLEL) yield (await reading.shift()) as Read
    }
    while (reading.length > 0) yield (await reading.shift()) as Read
  } finally {
    await Promise.allSettled(reading)
  }
}

async function readSource(
  { path, file }: SourceFile,
  limits: Limits,
  { onSize, onBlock }: Seen,
): Promise<Read> {
  const handle = await openFile(file)
  try {
    const stats = await handle.stat()
    if (!stats.isFile())
      throw new MeshError('CONTENT_PATH', `${file} is no regular file; a release holds regular files only`)
    onSize(stats.size)
    const whole = createHash('sha256')
    const blocks: BlockRef[] = []
    const found = new Map<Digest, Span>()
    let size = 0
    const read = (buffer: Uint8Array, position: number) => fill(file, handle, buffer, position)
    for await (const block of chunks(read, stats.size, chunkSizes(limits))) {
      // A log that grows as fast as it is read would never end.
      if (size + block.length > stats.size) throw changed(file)
      const digest = sha256(block)
      whole.update(block)
      if (!found.has(digest)) found.set(digest, { file, offset: size, size: block.length })
      blocks.push({ digest, size: block.length })
      size += block.length
      onBlock(block.length)
    }
    // Cut short, or written over in its place: what was read never stood there as one file.
    const after = await handle.stat()
    if (size !== stats.size || after.size !== stats.size || after.mtimeMs !== stats.mtimeMs)
      throw changed(file)
    const mode = (stats.mode & EXECUTABLE) === 0 ? 0o444 : 0o555
    return { entry: { path, mode, size, digest: whole.digest('hex') as Digest, blocks }, found }
  } catch (error) {
    throw error instanceof MeshError ? error : unreadable(file, error)
  } finally {
    await handle.close()
  }
}

async function openFile(file: string): Promise<FileHandle> {
  try {
    return await open(file, READ)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOOP')
      throw new MeshError('CONTENT_PATH', `${file} is a symbolic link; a release holds regular files only`)
    throw unreadable(file, error)
  }
}

const changed = (file: string): MeshError =>
  new MeshError('CONTENT_DIGEST', `${file} changed while it was being published; publish again`, {
    path: file,
  })

async function readSpan(digest: Digest, { file, offset, size }: Span): Promise<Uint8Array> {
  const handle = await openFile(file)
  try {
    const bytes = Buffer.alloc(size)
    const got = await fill(file, handle, bytes, offset)
    if (got !== size || sha256(bytes) !== digest) throw changed(file)
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  } finally {
    await handle.close()
  }
}
