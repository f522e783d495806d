/** Small real releases for tests of the store and the activator. */
import { sha256 } from '../../src/codec/digest.ts'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import { encodeHeader } from '../../src/codec/header.ts'
import { encodePage } from '../../src/codec/page.ts'
import { PAYLOAD_TYPES } from '../../src/model/envelope.ts'
import type { Floor } from '../../src/model/floor.ts'
import type { Channel, Digest, FleetId, KeyId, Name, ReleaseId } from '../../src/model/ids.ts'
import type { BlockRef, FileMode } from '../../src/model/manifest.ts'
import type { Write } from '../../src/runtime/ports.ts'
import { type Database, levelDatabase } from '../../src/store/database.ts'
import { PREFIX } from '../../src/store/keys.ts'

const text = new TextEncoder()
export const digestOf = (what: string): Digest => sha256(text.encode(what))
export const FLEET = digestOf('fleet') as string as FleetId
export const OTHER_FLEET = digestOf('another fleet') as string as FleetId
export const CHANNEL = 'payments/prod' as Channel
const PUBLISHER = 'payments' as Name

export interface FileSpec {
  readonly path: string
  readonly content: string
  readonly mode?: FileMode
}

export interface TestRelease {
  readonly id: ReleaseId
  readonly channel: Channel
  readonly pages: readonly Digest[]
  readonly envelope: Uint8Array
  /** Pages and blocks. */
  readonly blocks: ReadonlyMap<Digest, Uint8Array>
  readonly files: readonly FileSpec[]
  /** All that makes it whole, as one batch. */
  readonly writes: readonly Write[]
}

export const block = (text: string): Extract<Write, { kind: 'block' }> => {
  const bytes = new TextEncoder().encode(text)
  return { kind: 'block', digest: sha256(bytes), bytes }
}

/** Past the store, while no store has it open. @param dir of the database */
export async function withDatabase<T>(dir: string, act: (database: Database) => Promise<T>): Promise<T> {
  const database = levelDatabase(dir)
  await database.open()
  try {
    return await act(database)
  } finally {
    await database.close()
  }
}

/** Under which keys of the database it lies: looked for, since only the store's index knows. */
export async function blockKeysOf(database: Database, digest: Digest): Promise<readonly string[]> {
  const keys: string[] = []
  for await (const key of database.keys(PREFIX.block)) if (key.endsWith(digest)) keys.push(key)
  return keys
}

/** Of a block that is there, once. */
export async function blockKeyOf(database: Database, digest: Digest): Promise<string> {
  const [key, ...more] = await blockKeysOf(database, digest)
  if (key === undefined || more.length > 0)
    throw new Error(`${key === undefined ? 'no' : 'more than one'} block ${digest}`)
  return key
}

const FILES_PER_PAGE = 500

function blocksOf(content: string, blockBytes: number): readonly Uint8Array[] {
  const bytes = text.encode(content)
  const blocks: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += blockBytes) blocks.push(bytes.slice(at, at + blockBytes))
  return blocks
}

/** @param counter the publisher's own; releases of one channel differ by it. */
export function makeRelease(
  counter: number,
  files: readonly FileSpec[],
  {
    channel = CHANNEL,
    blockBytes = 1000,
    fleet = FLEET,
    named,
    sizeLie = 0,
  }: {
    channel?: Channel
    blockBytes?: number
    fleet?: FleetId
    named?: readonly Digest[]
    /** So much more than it has the manifest says of each block. */
    sizeLie?: number
  } = {},
): TestRelease {
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1))
  const blocks = new Map<Digest, Uint8Array>()
  const entries = sorted.map(({ path, content, mode = 0o444 }) => {
    const refs = blocksOf(content, blockBytes).map((bytes): BlockRef => {
      const digest = sha256(bytes)
      blocks.set(digest, bytes)
      return { digest, size: bytes.length + sizeLie }
    })
    const bytes = text.encode(content)
    const size = refs.reduce((sum, ref) => sum + ref.size, 0)
    return { path, mode, size, digest: sha256(bytes), blocks: refs }
  })
  const pages: Digest[] = []
  for (let at = 0; at < entries.length; at += FILES_PER_PAGE) {
    const page = encodePage(entries.slice(at, at + FILES_PER_PAGE))
    blocks.set(sha256(page), page)
    pages.push(sha256(page))
  }
  const payload = encodeHeader({
    v: 1,
    critical: [],
    fleet,
    channel,
    root: 1,
    publisher: PUBLISHER,
    clock: new Map([[PUBLISHER, counter]]),
    pages: named ?? pages,
    files: entries.length,
    bytes: entries.reduce((sum, { size }) => sum + size, 0),
    message: `release ${counter}`,
    created: 1_700_000_000_000 + counter,
  })
  const id = sha256(payload) as string as ReleaseId
  const signature = { keyId: digestOf('key') as string as KeyId, sig: new Uint8Array(64).fill(7) }
  const envelope = encodeEnvelope({ payloadType: PAYLOAD_TYPES.release, payload, signatures: [signature] })
  const writes: Write[] = [
    { kind: 'envelope', release: id, channel, bytes: envelope },
    { kind: 'floor', floor: makeFloor(counter, [id], channel, fleet) },
    ...[...blocks].map(([digest, bytes]): Write => ({ kind: 'block', digest, bytes })),
    { kind: 'whole', release: id },
  ]
  return { id, channel, pages, envelope, blocks, files: sorted, writes }
}

export const makeFloor = (
  counter: number,
  ids: readonly ReleaseId[],
  channel: Channel = CHANNEL,
  fleet: FleetId = FLEET,
): Floor => ({ fleet, channel, top: { epoch: 0, counter, publisher: PUBLISHER }, ids })
