import type { Channel } from '../model/ids.ts'
import { withoutRelease } from './channel.ts'
import type { Ticket } from './events.ts'
import { type Kept, type NodeState, neededBy } from './state.ts'

/**
 * Its batch failed as a whole: a submission is ordered only once its content is on disk, so nobody hears of it.
 * @param forget what was to be said of it
 */
export function undoSubmission(
  node: NodeState,
  ticket: Ticket,
  channels: readonly Channel[],
  forget: (kept: Kept) => void,
): void {
  for (const channel of channels) {
    const cell = node.cells.get(channel)
    const undone = cell?.submitting.get(ticket)
    if (cell === undefined || undone === undefined) continue
    const { id, before } = undone
    cell.submitting.delete(ticket)
    const kept = node.kept.get(id)
    if (kept !== undefined) forget(kept)
    cell.state = withoutRelease(cell.state, id, before)
    // those upon it fail with it, or have replaced it
    for (const [other, upon] of cell.submitting)
      cell.submitting.set(other, { ...upon, before: withoutRelease(upon.before, id, before) })
    if (neededBy(cell, node.config.keepReleases).has(id)) continue
    // it would be written together with what waits for room, and lie there as if it had been ordered
    cell.envelopes.delete(id)
    node.kept.delete(id)
  }
}
