import { setImmediate } from 'node:timers/promises'
import type { Limits } from '../limits.ts'
import type { Digest, ReleaseId } from '../model/ids.ts'
import { type CacheBound, cachedBytes, type LogPort, RECORD_BYTES } from '../runtime/ports.ts'
import { type Collection, planCollection } from './collect.ts'
import type { CommitQueue } from './commit-queue.ts'
import { type ContentSource, Contents } from './content.ts'
import type { Operation } from './database.ts'
import { storeError } from './faults.ts'
import type { GuardedDatabase } from './guarded-database.ts'
import type { StoreIndex } from './index-in-memory.ts'
import { envelopeKey, sizeKey, wholeKey } from './keys.ts'
import { ENVELOPE, readRecord } from './records.ts'
import { isBlock } from './stray-blocks.ts'

export interface CollectedStore {
  readonly dir: string
  readonly index: StoreIndex
  readonly queue: CommitQueue
  readonly limits: Limits
  readonly log: LogPort
  /** Records while commits go on. */
  readonly beside: ContentSource
  readonly database: Pick<GuardedDatabase, 'get' | 'write'>
}

/** Records as they lie, for work in the queue: to set a damaged one aside takes a turn of its own. */
const recordsAlone = ({ index, database, limits }: CollectedStore): ContentSource => ({
  hasBlock: (digest) => index.blocks.has(digest),
  async readBlock(digest) {
    const key = index.keyOf(digest)
    const bytes = key === undefined ? undefined : await database.get(key)
    return bytes !== undefined && isBlock(digest, bytes) ? bytes : undefined
  },
  async readEnvelope(release) {
    const key = envelopeKey(release)
    const sealed = await database.get(key)
    return sealed === undefined ? undefined : readRecord(ENVELOPE, key, sealed, limits)?.bytes
  },
})

/**
 * Reading what the releases are made of and planning what goes take long in a store of many, so commits go on meanwhile.
 * They wait only for the removal, before which it is looked at what they brought: `keep` knows nothing of that.
 *
 * @param stop ends it before the removal begins
 */
export async function collectFrom(
  store: CollectedStore,
  keep: readonly ReleaseId[],
  bound: CacheBound,
  stop?: AbortSignal,
): Promise<readonly Digest[]> {
  const { index, limits, queue, beside } = store
  // Before anything is awaited: what comes from now on may be of an upload that begins now.
  index.keepFresh(bound.uploads)
  if (cachedBytes(index.blockBytes, index.blocks.size) <= bound.maxCacheBytes) return []
  const { newest } = index
  const isEnding = (): boolean => stop?.aborted === true
  const contents = new Contents(limits)
  await contents.read(index.byArrival(), beside, stop)
  if (isEnding()) return []
  const plan = await inTurns(
    planCollection({
      releases: contents.releases,
      named: contents.named,
      keep: new Set(keep),
      awaited: bound.awaited,
      sizes: index.blocks,
      fresh: index.fresh,
      maxCacheBytes: bound.maxCacheBytes,
    }),
  )
  if (isEnding()) return []
  return queue.run(async () => {
    if (isEnding()) return []
    const left = await withoutLate(store, contents, plan, newest)
    return remove(store, left, new Set(bound.envelopes))
  })
}

/** Others have their turn in between. */
async function inTurns<T>(work: Generator<undefined, T>): Promise<T> {
  for (;;) {
    const { done, value } = work.next()
    if (done === true) return value
    await setImmediate()
  }
}

/** Nothing goes that is of a release that came since, or of one whose pages did. */
async function withoutLate(
  store: CollectedStore,
  contents: Contents,
  plan: Collection,
  newest: number,
): Promise<Collection> {
  const { index } = store
  const arrived = new Set(index.arrivedSince(newest))
  const releases = plan.releases.filter((release) => !arrived.has(release))
  const going = new Set(releases)
  const late = new Set([...arrived, ...contents.lacking].filter((release) => !going.has(release)))
  await contents.read(late, recordsAlone(store))
  const needed = new Set<Digest>()
  for (const release of late)
    for (const page of contents.releases.get(release) ?? [])
      for (const digest of [page, ...(contents.named.get(page) ?? [])]) needed.add(digest)
  const goes = (digest: Digest): boolean =>
    index.blocks.has(digest) && !index.fresh.has(digest) && !needed.has(digest)
  // As long as one of them lacks a page, a block that none names may be its own.
  const hasUnread = [...arrived].some((release) => contents.lacking.has(release))
  return {
    releases,
    blocks: plan.blocks.filter(goes),
    orphans: hasUnread ? [] : plan.orphans.filter(goes),
  }
}

interface Removal {
  readonly keys: readonly string[]
  readonly done: () => void
}

/**
 * In batches, as many as it takes. Releases go first: a kill in between leaves some that are not whole, and blocks that none
 * names, which the next collection finds; never a release that counts as whole and is not.
 *
 * @param named those whose envelopes stay
 * @returns the blocks that are gone, also where the disk takes no further batch
 */
async function remove(
  { dir, index, limits, log, database }: CollectedStore,
  { releases, blocks, orphans }: Collection,
  named: ReadonlySet<ReleaseId>,
): Promise<readonly Digest[]> {
  const gone: Digest[] = []
  function* removals(): Generator<Removal> {
    for (const release of releases) yield { keys: [wholeKey(release)], done: () => {} }
    for (const release of releases)
      if (!named.has(release))
        yield { keys: [envelopeKey(release)], done: () => index.removeEnvelope(release) }
    for (const digest of [...orphans, ...blocks]) {
      const done = (): void => {
        index.removeBlock(digest)
        gone.push(digest)
      }
      yield { keys: [sizeKey(digest), index.keyOf(digest) ?? []].flat(), done }
    }
  }
  try {
    for (const batch of batches(removals(), limits.maxStoreBatchBytes)) {
      const operations = batch.flatMap(({ keys }) => keys.map((key): Operation => ({ type: 'del', key })))
      await database.write(operations, false)
      for (const { done } of batch) done()
    }
  } catch (error) {
    if (gone.length === 0) throw error
    const { code, message } = storeError(error, dir)
    log.note({ kind: 'note', level: 'warn', code, text: `cache collected in part: ${message}` })
  }
  return gone
}

function* batches(removals: Iterable<Removal>, maxBytes: number): Generator<readonly Removal[]> {
  let batch: Removal[] = []
  let bytes = 0
  for (const removal of removals) {
    const more = removal.keys.length * RECORD_BYTES
    if (batch.length > 0 && bytes + more > maxBytes) {
      yield batch
      batch = []
      bytes = 0
    }
    batch.push(removal)
    bytes += more
  }
  if (batch.length > 0) yield batch
}
