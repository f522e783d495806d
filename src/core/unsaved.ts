/**
 * What is in memory only: a write of it failed, or it follows a root that raised it. Submissions are not among it: they come in
 * batches of their own.
 */
import { stateWrites, submissions } from './cell-writes.ts'
import type { Cell, NodeState } from './state.ts'
import { bytesOf, type Write } from './writes.ts'

/** Floors are files of their own, each synced: so many at a time, or what is written next waits for all of them. */
export const MOST_CHANNELS = 64

/** Goes into one batch. */
interface Unsaved {
  readonly writes: readonly Write[]
  readonly cell?: Cell
}

/**
 * As much of it as one batch should have, one channel at least: after a spell of a full disk it may be all that a seed keeps.
 * A channel is never split, and counts as being written from now on. Empty: nothing is left.
 */
export function sliceOf(node: NodeState): readonly Write[] {
  const { maxStoreBatchBytes } = node.config.limits
  const slice: Write[] = []
  let bytes = 0
  let channels = 0
  for (const { writes, cell } of unsaved(node)) {
    bytes += bytesOf(writes)
    if (slice.length > 0 && bytes > maxStoreBatchBytes) break
    if (cell !== undefined) channels += 1
    if (channels > MOST_CHANNELS) break
    slice.push(...writes)
    if (cell !== undefined) cell.unsaved = false
  }
  return slice
}

/**
 * Roots first: no floor is on disk in an epoch of which no root there tells. Nor does one come beside a root on its way there,
 * which whoever hands it out waits for.
 */
function* unsaved({ cells, kept, roots, unsavedRoots }: NodeState): Generator<Unsaved> {
  for (const [version, { envelope }] of roots.all())
    if ((unsavedRoots.get(version) ?? 'writing') !== 'writing')
      yield { writes: [{ kind: 'root', version, envelope }] }
  if ([...unsavedRoots.values()].includes('writing')) return
  for (const cell of cells.values()) {
    if (!cell.unsaved) continue
    const writes: Write[] = []
    const theirOwn = submissions(cell)
    for (const id of cell.unsaved === 'state' ? [] : cell.envelopes) {
      const entry = kept.get(id)
      if (entry !== undefined && !theirOwn.has(id))
        writes.push({ kind: 'envelope', release: id, channel: entry.channel, bytes: entry.envelope })
    }
    yield { writes: [...writes, ...stateWrites(cell)], cell }
  }
}
