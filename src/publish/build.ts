/**
 * Builds a release's content from files: blocks of a fixed 256 KiB, the manifest over them. Files are read once, a
 * block at a time, and once more for what a seed lacks, so memory stays flat whatever their size.
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { sha256 } from '../codec/digest.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Digest } from '../model/ids.ts'
import type { BlockRef, ManifestEntry } from '../model/manifest.ts'
import type { Content } from './content.ts'
import { ManifestWriter } from './manifest-writer.ts'
import { findSources, type SourceFile, unreadable } from './sources.ts'

interface Span {
  readonly file: string
  readonly offset: number
  readonly size: number
}

const EXECUTABLE = 0o111

/** A link in the file's place is refused, and a pipe does not block. */
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/**
 * @param paths one folder, or files
 * @throws MeshError INPUT_PATH, CONTENT_PATH, CONTENT_EMPTY, LIMIT_CONTENT, USAGE
 */
export async function build(
  paths: readonly string[],
  options: { readonly limits: Limits },
): Promise<Content> {
  const { limits } = options
  const sources = await findSources(paths, limits)
  const manifest = new ManifestWriter(limits)
  const spans = new Map<Digest, Span>()
  let bytes = 0
  for (const source of sources) {
    const entry = await readSource(source, limits, (digest, span) => {
      if (!spans.has(digest)) spans.set(digest, span)
    })
    bytes += entry.size
    if (bytes > limits.maxReleaseBytes)
      throw new MeshError(
        'LIMIT_CONTENT',
        `more than ${limits.maxReleaseBytes} bytes; publish in several channels`,
      )
    manifest.add(entry)
  }
  const pages = manifest.end()
  const pageBytes = new Map(pages.map((page) => [page.digest, page.bytes]))
  return {
    pages: pages.map(({ digest }) => digest),
    files: sources.length,
    bytes,
    async read(digest) {
      const page = pageBytes.get(digest)
      if (page !== undefined) return page
      const span = spans.get(digest)
      return span === undefined ? undefined : readSpan(digest, span)
    },
  }
}

async function readSource(
  { path, file }: SourceFile,
  limits: Limits,
  onBlock: (digest: Digest, span: Span) => void,
): Promise<ManifestEntry> {
  const handle = await openFile(file)
  try {
    const stats = await handle.stat()
    if (!stats.isFile())
      throw new MeshError('CONTENT_PATH', `${file} is no regular file; a release holds regular files only`)
    const whole = createHash('sha256')
    const blocks: BlockRef[] = []
    const buffer = Buffer.alloc(Math.min(limits.maxBlockBytes, Math.max(stats.size, 1)))
    let size = 0
    for (let got = await fill(handle, buffer, size); got > 0; got = await fill(handle, buffer, size)) {
      const block = buffer.subarray(0, got)
      const digest = sha256(block)
      whole.update(block)
      onBlock(digest, { file, offset: size, size: got })
      blocks.push({ digest, size: got })
      size += got
    }
    const mode = (stats.mode & EXECUTABLE) === 0 ? 0o444 : 0o555
    return { path, mode, size, digest: whole.digest('hex') as Digest, blocks }
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

/** As much as the buffer holds, for a read may bring less than is there. */
async function fill(handle: FileHandle, buffer: Buffer, position: number): Promise<number> {
  let got = 0
  while (got < buffer.length) {
    const { bytesRead } = await handle.read(buffer, got, buffer.length - got, position + got)
    if (bytesRead === 0) break
    got += bytesRead
  }
  return got
}

async function readSpan(digest: Digest, { file, offset, size }: Span): Promise<Uint8Array> {
  const handle = await openFile(file)
  try {
    const bytes = Buffer.alloc(size)
    const got = await fill(handle, bytes, offset)
    if (got !== size || sha256(bytes) !== digest)
      throw new MeshError('CONTENT_DIGEST', `${file} changed while it was being published; publish again`, {
        path: file,
      })
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  } finally {
    await handle.close()
  }
}
