/**
 * What is written down of a channel. Batches fail one by one: while a submission is on its way to disk, every batch but its
 * own is written as if it had not come. Else a floor would name what its own batch, once failed, leaves nowhere, for good.
 */
import type { ReleaseId } from '../model/ids.ts'
import { type ChannelState, recordOf, withoutRelease } from './channel.ts'
import type { Ticket } from './events.ts'
import type { Cell } from './state.ts'
import type { Write } from './writes.ts'

/** @param own the batch is that submission's own */
export const stateWrites = (cell: Cell, own?: Ticket): readonly Write[] => [
  { kind: 'floor', floor: withoutSubmissions(cell, own).floor },
  recordWrite(cell),
]

/** Heads whichever way it goes: after a start those count whose envelopes are there, less those that others replace. */
export function recordWrite(cell: Cell): Write {
  const record = recordOf(cell.state)
  if (cell.submitting.size === 0) return { kind: 'channel', record }
  const before = [...cell.submitting.values()].flatMap((upon) => recordOf(upon.before).heads)
  const heads = [...new Set([...record.heads, ...before])].sort()
  return { kind: 'channel', record: { ...record, heads } }
}

/** Submissions whose envelopes their own batches bring. */
export const submissions = (cell: Cell): ReadonlySet<ReleaseId> =>
  new Set([...cell.submitting.values()].map(({ id }) => id))

function withoutSubmissions({ state, submitting }: Cell, own: Ticket | undefined): ChannelState {
  const gone: { readonly id: ReleaseId; readonly before: ChannelState }[] = []
  const without = (of: ChannelState) =>
    gone.reduce((left, { id, before }) => withoutRelease(left, id, before), of)
  for (const [ticket, { id, before }] of submitting)
    if (ticket !== own) gone.push({ id, before: without(before) })
  return without(state)
}
