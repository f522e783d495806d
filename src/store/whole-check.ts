import { sha256 } from '../codec/digest.ts'
import type { Limits } from '../limits.ts'
import type { Digest, ReleaseId } from '../model/ids.ts'
import { isDigest } from '../model/names.ts'
import { contentOf } from './content.ts'
import type { Operation } from './database.ts'
import type { StoreIndex } from './index-in-memory.ts'
import { blockKey, nameIn, PREFIX } from './keys.ts'
import { operationsOf, putSize } from './operations.ts'
import type { StoreContent } from './read-all.ts'

export interface WholeCheck {
  /** Releases whose every page and block is in the index. */
  readonly whole: readonly ReleaseId[]
  readonly lacking: readonly ReleaseId[]
  /** Brings the records to what was found; to be written with those that set the damaged ones aside, or behind them. */
  readonly operations: readonly Operation[]
}

/**
 * A record `whole` is believed for ever, so that a block it counts on and that is gone would never be missed: after
 * damage or an unclean end it is held against the index. Pages are read and checked, blocks only looked up: what each
 * collection reads as well.
 *
 * @param get what lies under a key; undefined where it cannot be read
 */
export async function checkWhole(
  content: Pick<StoreContent, 'whole' | 'envelopes' | 'damaged'>,
  index: StoreIndex,
  get: (key: string) => Promise<Uint8Array | undefined>,
  limits: Limits,
): Promise<WholeCheck> {
  const operations: Operation[] = []
  /** Also where only its entry in the index was lost, which is written anew. */
  const read = async (digest: Digest): Promise<Uint8Array | undefined> => {
    const bytes = await get(blockKey(digest))
    if (bytes === undefined || sha256(bytes) !== digest) return undefined
    if (!index.blocks.has(digest)) {
      index.addBlock(digest, bytes.length)
      operations.push(putSize(digest, bytes.length))
    }
    return bytes
  }
  const isHere = async (digest: Digest): Promise<boolean> =>
    index.blocks.has(digest) || (await read(digest)) !== undefined
  const isComplete = async (envelope: Uint8Array): Promise<boolean> => {
    const { blocks, partial } = await contentOf(envelope, read, limits)
    if (partial) return false
    for (const digest of blocks) if (!(await isHere(digest))) return false
    return true
  }

  const whole: ReleaseId[] = []
  const lacking: ReleaseId[] = []
  const envelopes = new Map(content.envelopes.map(({ release, bytes }) => [release, bytes]))
  for (const release of content.whole) {
    const envelope = envelopes.get(release)
    // Without its envelope the core takes the record back.
    if (envelope === undefined || (await isComplete(envelope).catch(() => false))) whole.push(release)
    else lacking.push(release)
  }
  for (const release of lacking) {
    index.whole.delete(release)
    operations.push(...operationsOf({ kind: 'unwhole', release }, index.next))
  }
  return { whole, lacking, operations: [...operations, ...dropOrphans(content.damaged, index)] }
}

/** A block without its entry in the index is never found again, nor collected. */
function dropOrphans(damaged: StoreContent['damaged'], index: StoreIndex): Operation[] {
  return damaged
    .filter(({ key }) => key.startsWith(PREFIX.size))
    .map(({ key }) => nameIn(PREFIX.size, key))
    .filter((name) => isDigest(name) && !index.blocks.has(name as Digest))
    .map((name) => ({ type: 'del', key: blockKey(name as Digest) }))
}
