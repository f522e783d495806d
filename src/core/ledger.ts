/**
 * What each write under way will have made durable. Every stage's `persist` effects pass here, so what may be
 * served, offered and activated follows from `persisted` alone, whoever wrote it.
 */
import type { Channel, Digest, ReleaseId } from '../model/ids.ts'
import { durableBy } from './durable.ts'
import type { EffectOf } from './effects.ts'
import type { EventOf, Ticket } from './events.ts'
import type { Cell, NodeState } from './state.ts'
import type { Write } from './writes.ts'

/** Digests and names only: bytes belong to the effect. */
export interface Entry {
  readonly blocks: readonly Digest[]
  readonly whole: readonly ReleaseId[]
  /** Channels whose floor or record is in the batch. */
  readonly channels: readonly Channel[]
  /** Versions of the roots in the batch. */
  readonly roots: readonly number[]
  /** A stored block was lost while this was being written: `whole` may say too much. */
  doubtful: boolean
}

export interface Ledger {
  open(effect: EffectOf<'persist'>): void
  /** @returns what is durable now */
  close(event: EventOf<'persisted'>): Entry
  /** @returns what is not */
  fail(event: EventOf<'persistFailed'>): Entry
  /** A stored block is gone: what is being written as whole may have counted on it. */
  doubt(): void
}

export function createLedger(node: NodeState): Ledger {
  const entries = new Map<Ticket, Entry>()

  /** Every write is opened before it leaves; one that was not holds nothing. */
  function take(ticket: Ticket): Entry {
    const entry = entries.get(ticket) ?? entryOf([])
    entries.delete(ticket)
    for (const cell of cellsOf(entry)) cell.writing -= 1
    return entry
  }

  const cellsOf = ({ channels }: Entry): readonly Cell[] =>
    channels.flatMap((channel) => node.cells.get(channel) ?? [])

  return {
    open({ ticket, writes }) {
      const entry = entryOf(writes)
      entries.set(ticket, entry)
      for (const cell of cellsOf(entry)) cell.writing += 1
      for (const version of entry.roots) node.unsavedRoots.set(version, 'writing')
    },
    close(event) {
      const entry = take(event.ticket)
      for (const cell of cellsOf(entry)) cell.submitting.delete(event.ticket)
      for (const version of entry.roots) node.unsavedRoots.delete(version)
      for (const digest of entry.blocks) node.blocks.add(digest)
      // What was replaced meanwhile has been dropped behind this very record.
      const whole = entry.doubtful ? [] : entry.whole.filter((release) => node.kept.has(release))
      for (const release of whole) node.whole.set(release, durableBy(event))
      return entry
    },
    doubt() {
      for (const entry of entries.values()) if (entry.whole.length > 0) entry.doubtful = true
    },
    fail(event) {
      const entry = take(event.ticket)
      for (const cell of cellsOf(entry)) cell.unsaved = true
      for (const version of entry.roots) node.unsavedRoots.set(version, event.code)
      return entry
    },
  }
}

function entryOf(writes: readonly Write[]): Entry {
  const blocks: Digest[] = []
  const whole: ReleaseId[] = []
  const channels = new Set<Channel>()
  const roots: number[] = []
  for (const write of writes) {
    if (write.kind === 'block') blocks.push(write.digest)
    else if (write.kind === 'whole') whole.push(write.release)
    else if (write.kind === 'floor') channels.add(write.floor.channel)
    else if (write.kind === 'channel') channels.add(write.record.channel)
    else if (write.kind === 'root') roots.push(write.version)
  }
  return { blocks, whole, channels: [...channels], roots, doubtful: false }
}
