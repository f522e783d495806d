/**
 * Releases in CAR files (https://ipld.io/specs/transport/car/carv1/), for carrying over an air gap. The one root is the
 * CID of the release's envelope, which is the first block; pages and blocks follow. No key is needed to read or to
 * inject one: what is signed proves itself.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { createWriter, headerLength } from '@ipld/car/buffer-writer'
import { CarIndexer } from '@ipld/car/indexer'
import { CID, varint } from 'multiformats'
import { fromCid, toCid } from '../codec/cid.ts'
import { sha256 } from '../codec/digest.ts'
import { decodeEnvelope } from '../codec/envelope.ts'
import { decodeHeader } from '../codec/header.ts'
import { decodePage } from '../codec/page.ts'
import { isMeshError, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Digest } from '../model/ids.ts'
import type { Release } from '../model/release.ts'
import type { Content } from './content.ts'
import { fill } from './fill.ts'
import { named } from './naming.ts'
import { unreadable } from './sources.ts'

/** A CAR header with one root takes 59 bytes; a longer one is none of ours. */
export const MAX_CAR_HEADER_BYTES = 256

/** What a page names a block by takes at least: the head of a pair, a digest behind two bytes of its head, and a size. */
const LEAST_REF_BYTES = 1 + 2 + 32 + 1

/** The envelope, the pages and every block that they can name: sizes of blocks are the publisher's choice. */
const maxCarBlocks = ({ maxPages, maxPageBytes }: Limits): number =>
  1 + maxPages * (1 + Math.floor(maxPageBytes / LEAST_REF_BYTES))

/**
 * The bytes that `CarWriter` of the library gives. But that is written on one side and read on another, so that a failure of the
 * writing has to be waited for beside each part, and what is raced against one promise is held for as long as that is.
 * @param blocks pages, then blocks, each once
 */
export async function* writeCar(
  envelope: Uint8Array,
  blocks: AsyncIterable<{ readonly digest: Digest; readonly bytes: Uint8Array }>,
): AsyncGenerator<Uint8Array> {
  const root = toCid(sha256(envelope))
  const roots = [root]
  yield createWriter(new ArrayBuffer(headerLength({ roots })), { roots }).close()
  yield* section(root, envelope)
  for await (const { digest, bytes } of blocks) yield* section(toCid(digest), bytes)
}

/** How much `writeCar` gives. @param sizes of the blocks, each once */
export function carBytes(envelope: Uint8Array, sizes: Iterable<number>): number {
  let bytes = headerLength({ roots: [toCid(sha256(envelope))] }) + sectionBytes(envelope.length)
  for (const size of sizes) bytes += sectionBytes(size)
  return bytes
}

function sectionBytes(size: number): number {
  const length = CID_BYTES + size
  return varint.encodingLength(length) + length
}

/** How long it is, as a varint, then a CID and what it names. */
function* section({ bytes: cid }: CID, bytes: Uint8Array): Generator<Uint8Array> {
  const length = cid.length + bytes.length
  yield varint.encodeTo(length, new Uint8Array(varint.encodingLength(length)))
  yield cid
  yield bytes
}

export interface OpenedCar {
  readonly release: Release
  readonly envelope: Uint8Array
  readonly content: Content
  /**
   * Reads every block once, and the pages again for what they name: nothing is damaged and nothing is missing. Memory is
   * one block and where each lies.
   * @param onProgress called after each block with the bytes read so far
   * @throws MeshError CONTENT_DIGEST, CODEC_MALFORMED (a page or block is not in it)
   */
  check(onProgress?: (bytes: number) => void): Promise<void>
  close(): Promise<void>
}

interface Place {
  readonly offset: number
  readonly size: number
}

/**
 * Reads where each block lies, then the envelope; blocks are read and checked when they are asked for.
 * @param path its name in errors, where that is another one
 * @throws MeshError INPUT_PATH, STORE_FAILED, CODEC_MALFORMED, LIMIT_*, TRUST_TYPE
 */
export async function openCar(file: string, limits: Limits, path = file): Promise<OpenedCar> {
  const handle = await openFile(file, path)
  const readAt = async ({ offset, size }: Place, digest: Digest): Promise<Uint8Array> => {
    const bytes = new Uint8Array(size)
    const read = await fill(path, handle, bytes, offset)
    if (read !== size || sha256(bytes) !== digest)
      throw new MeshError(
        'CONTENT_DIGEST',
        `${path}: block ${digest.slice(0, 12)} is damaged; take another copy`,
        { path },
      )
    return bytes
  }
  try {
    const { root, places } = await indexCar(path, handle, limits)
    const at = places.get(root)
    if (at === undefined) throw malformed(path, 'the release it names is not in it')
    if (at.size > limits.maxEnvelopeBytes) throw malformed(path, 'its first block is no release')
    const envelope = await readAt(at, root)
    const release = decodeHeader(decodeEnvelope(envelope, limits.maxEnvelopeBytes, limits).payload, limits)
    const { pages, files, bytes } = release.header
    const content: Content = {
      pages,
      files,
      bytes,
      async read(digest) {
        const place = places.get(digest)
        return place === undefined ? undefined : readAt(place, digest)
      },
    }
    const check: OpenedCar['check'] = async (onProgress) => {
      let bytes = 0
      for (const [digest, place] of places) {
        bytes += (await readAt(place, digest)).length
        onProgress?.(bytes)
      }
      await requireWhole(path, content, places, limits)
    }
    return { release, envelope, content, check, close: () => handle.close() }
  } catch (error) {
    await handle.close()
    if (isMeshError(error)) throw inFile(path, error)
    // The disk's word, not the file's.
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw unreadable(path, error)
    throw malformed(path, (error as Error).message)
  }
}

async function requireWhole(
  path: string,
  { pages, read }: Content,
  places: ReadonlyMap<Digest, Place>,
  limits: Limits,
): Promise<void> {
  const missing = (digest: Digest) => malformed(path, `block ${digest.slice(0, 12)} of it is missing`)
  for (const page of pages) {
    const bytes = await read(page)
    if (bytes === undefined) throw missing(page)
    for (const { blocks } of pageOf(path, bytes, limits))
      for (const { digest } of blocks) if (!places.has(digest)) throw missing(digest)
  }
}

function pageOf(path: string, bytes: Uint8Array, limits: Limits): ReturnType<typeof decodePage> {
  try {
    return decodePage(bytes, limits)
  } catch (error) {
    throw isMeshError(error) ? inFile(path, error) : error
  }
}

/** What names the file already stays as it is. */
function inFile(path: string, error: MeshError): MeshError {
  if (error.details.path === path) return error
  return error.code === 'CODEC_MALFORMED' ? malformed(path, error.message) : named(path, error)
}

const malformed = (path: string, reason: string): MeshError =>
  new MeshError(
    'CODEC_MALFORMED',
    `${path}: not a release as CAR: ${reason}; name a file that 'confmesh export' wrote`,
    { path },
  )

async function openFile(file: string, path: string): Promise<FileHandle> {
  try {
    // A pipe in its place does not block, and a folder can be opened but not read.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    if ((await handle.stat()).isFile()) return handle
    await handle.close()
  } catch (error) {
    throw unreadable(path, error)
  }
  throw unreadable(path, new Error('no regular file'))
}

/** How long the one thing that a version 2 of the format begins with is; a header of version 1 is longer. */
const V2_PRAGMA_BYTES = 10
/** Of a section's length: more than any block has. */
const MAX_VARINT_BYTES = 4
const CID_BYTES = 36

/**
 * The library takes every length in a file as it is, and gathers all that it claims: it is given the bytes of the header
 * alone, once those are few.
 * @returns where the first section begins, too
 */
async function readCarHeader(path: string, handle: FileHandle): Promise<{ root: Digest; end: number }> {
  const start = new Uint8Array(2 + MAX_CAR_HEADER_BYTES)
  const got = await fill(path, handle, start, 0)
  const [low = 0, high = 0] = start
  const at = low < 0x80 ? 1 : 2
  const length = at === 1 ? low : high < 0x80 ? (low & 0x7f) + high * 0x80 : Number.POSITIVE_INFINITY
  if (length === V2_PRAGMA_BYTES) throw malformed(path, 'only CAR version 1 is read')
  if (length === 0 || length > MAX_CAR_HEADER_BYTES) throw malformed(path, 'no CAR header')
  const end = at + length
  const [root] = await (await CarIndexer.fromBytes(start.subarray(0, Math.min(got, end)))).getRoots()
  if (root === undefined) throw malformed(path, 'it names no release')
  return { root: fromCid(root), end }
}

async function indexCar(
  path: string,
  handle: FileHandle,
  limits: Limits,
): Promise<{ root: Digest; places: Map<Digest, Place> }> {
  const { root, end } = await readCarHeader(path, handle)
  const places = new Map<Digest, Place>()
  const most = maxCarBlocks(limits)
  const start = new Uint8Array(MAX_VARINT_BYTES + CID_BYTES)
  for (let at = end; ; ) {
    const got = await fill(path, handle, start, at)
    if (got === 0) return { root, places }
    const [length, taken] = varint.decode(start.subarray(0, Math.min(got, MAX_VARINT_BYTES)))
    const size = length - CID_BYTES
    if (size < 0 || size > limits.maxBlockBytes) throw malformed(path, `a section has ${length} bytes`)
    const offset = at + taken + CID_BYTES
    places.set(fromCid(CID.decode(start.subarray(taken, Math.min(got, taken + CID_BYTES)))), { offset, size })
    if (places.size > most) throw malformed(path, 'too many blocks')
    at = offset + size
  }
}
