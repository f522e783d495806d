import type { Limits } from '../limits.ts'
import type { Digest, ReleaseId } from '../model/ids.ts'
import { blocksOf, pagesOf } from './content.ts'
import type { Operation } from './database.ts'
import type { StoreIndex } from './index-in-memory.ts'
import { PREFIX } from './keys.ts'
import { operationsOf, putSize } from './operations.ts'
import type { StoreContent } from './read-all.ts'
import { type BlocksOnDisk, isBlock, StrayBlocks } from './stray-blocks.ts'

export interface WholeCheck {
  /** Releases whose every page and block is in the index. */
  readonly whole: readonly ReleaseId[]
  readonly lacking: readonly ReleaseId[]
  /** Brings the records to what was found; to be written with those that set the damaged ones aside, or behind them. */
  readonly operations: readonly Operation[]
}

/**
 * A record `whole` is believed for ever, so that a block it counts on and that is gone would never be missed: after
 * damage or an unclean end it is held against the index. Each page is read and checked, blocks only looked up: what each
 * collection reads as well.
 *
 * Blocks that the index does not know are looked for where one is missed, where an entry of the index is damaged, and where
 * the store was set aside, since what was saved of it may lack entries.
 */
export async function checkWhole(
  content: Pick<StoreContent, 'whole' | 'envelopes' | 'damaged'>,
  index: StoreIndex,
  disk: BlocksOnDisk & { readonly wasSetAside: boolean },
  limits: Limits,
): Promise<WholeCheck> {
  const operations: Operation[] = []
  const strays = new StrayBlocks(index, disk)
  /** Also where only its entry in the index was lost, which is written anew. */
  const read = async (digest: Digest): Promise<Uint8Array | undefined> => {
    const key = index.keyOf(digest)
    if (key !== undefined) {
      const bytes = await disk.get(key)
      return bytes !== undefined && isBlock(digest, bytes) ? bytes : undefined
    }
    const stray = await strays.find(digest)
    if (stray === undefined) return undefined
    const { bytes, number } = stray
    const entry = { bytes: bytes.length, number }
    index.addBlock(digest, entry)
    operations.push(putSize(digest, entry))
    return bytes
  }
  const isHere = async (digest: Digest): Promise<boolean> =>
    index.blocks.has(digest) || (await read(digest)) !== undefined
  const isPageComplete = async (page: Digest): Promise<boolean> => {
    const bytes = await read(page)
    if (bytes === undefined) return false
    for (const digest of blocksOf(bytes, limits)) if (!(await isHere(digest))) return false
    return true
  }
  /** By page: most releases of a channel share most of theirs. */
  const complete = new Map<Digest, boolean>()
  const isComplete = async (envelope: Uint8Array): Promise<boolean> => {
    const pages = pagesOf(envelope, limits)
    for (const page of pages) if (!complete.has(page)) complete.set(page, await isPageComplete(page))
    return pages.every((page) => complete.get(page))
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
  for (const release of lacking) operations.push(...operationsOf({ kind: 'unwhole', release }, index))
  if (disk.wasSetAside || content.damaged.some(({ key }) => key.startsWith(PREFIX.size))) await strays.look()
  return { whole, lacking, operations: [...operations, ...(await strays.drop())] }
}
