import { sha256 } from '../codec/digest.ts'
import { encodeEnvelope } from '../codec/envelope.ts'
import { encodeHeader } from '../codec/header.ts'
import { encodePage } from '../codec/page.ts'
import type { Envelope } from '../model/envelope.ts'
import type { Channel, Digest, FleetId, Name, ReleaseId } from '../model/ids.ts'
import type { ManifestPage } from '../model/manifest.ts'
import type { Header } from '../model/release.ts'

/** A release with its content, ready to be submitted. */
export interface Made {
  readonly id: ReleaseId
  readonly header: Header
  readonly envelope: Uint8Array
  /** Digest → bytes, of pages and blocks. */
  readonly content: ReadonlyMap<Digest, Uint8Array>
  /** Path → digest of the file. */
  readonly files: ReadonlyMap<string, Digest>
}

export interface Order {
  readonly fleetId: FleetId
  /** Version of the root it is made under. */
  readonly root: number
  readonly channel: Channel
  readonly publisher: Name
  readonly clock: ReadonlyMap<Name, number>
  readonly files: ReadonlyMap<string, Uint8Array>
  readonly message: string
  readonly created: number
}

const BLOCK_BYTES = 16 * 1024

/** @param sign the payload, by whoever makes the release: thieves and strangers sign in their own ways */
export function makeRelease(
  order: Order,
  sign: (payload: Uint8Array) => Envelope,
  blockBytes: number = BLOCK_BYTES,
): Made {
  const content = new Map<Digest, Uint8Array>()
  const put = (bytes: Uint8Array): Digest => {
    const digest = sha256(bytes)
    content.set(digest, bytes)
    return digest
  }
  const page: ManifestPage = [...order.files]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, bytes]) => ({
      path,
      mode: 0o444,
      size: bytes.length,
      digest: sha256(bytes),
      blocks: blocksOf(bytes, blockBytes).map((block) => ({ digest: put(block), size: block.length })),
    }))
  const header: Header = {
    v: 1,
    critical: [],
    fleet: order.fleetId,
    channel: order.channel,
    root: order.root,
    publisher: order.publisher,
    clock: order.clock,
    pages: [put(encodePage(page))],
    files: order.files.size,
    bytes: [...order.files.values()].reduce((sum, bytes) => sum + bytes.length, 0),
    message: order.message,
    created: order.created,
  }
  const payload = encodeHeader(header)
  const files = new Map(page.map((entry) => [entry.path, entry.digest]))
  return {
    id: sha256(payload) as string as ReleaseId,
    header,
    envelope: encodeEnvelope(sign(payload)),
    content,
    files,
  }
}

/** Files of a release, the same for the same random numbers. */
export function filesOf(random: () => number, bytes: number): Map<string, Uint8Array> {
  const content = Buffer.alloc(bytes)
  for (let at = 0; at < bytes; at += 4)
    content.writeUInt32LE(Math.floor(random() * 2 ** 32), Math.min(at, bytes - 4))
  return new Map<string, Uint8Array>([
    ['app.conf', content],
    ['same/for/all.txt', Buffer.from('unchanged\n')],
  ])
}

function blocksOf(bytes: Uint8Array, blockBytes: number): Uint8Array[] {
  const blocks: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += blockBytes) blocks.push(bytes.subarray(at, at + blockBytes))
  return blocks
}
