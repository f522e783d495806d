/**
 * What each write under way will have made durable. Every stage's `persist` effects pass here, so what may be
 * served, offered and activated follows from `persisted` alone, whoever wrote it.
 */
import type { Channel, Digest, ReleaseId } from '../model/ids.ts'
import { durableBy } from './durable.ts'
import type { EffectOf } from './effects.ts'
import type { EventOf, Ticket } from './events.ts'
import type { NodeState } from './state.ts'

/** Digests and names only: bytes belong to the effect. */
export interface Entry {
  readonly blocks: readonly Digest[]
  readonly whole: readonly ReleaseId[]
  /** Channels whose floor or record is in the batch. */
  readonly channels: readonly Channel[]
  /** Other writes in the same batch that must not get lost: roots. */
  readonly roots: boolean
  /** A stored block was lost while this was being written: `whole` may say too much. */
  doubtful: boolean
}

export interface Ledger {
  open(effect: EffectOf<'persist'>): void
  /** @returns what is durable now, undefined for a ticket unknown here. */
  close(event: EventOf<'persisted'>): Entry | undefined
  fail(event: EventOf<'persistFailed'>): Entry | undefined
  /** A stored block is gone: what is being written as whole may have counted on it. */
  doubt(): void
}

export function createLedger(node: NodeState): Ledger {
  const entries = new Map<Ticket, Entry>()

  function take(ticket: Ticket): Entry | undefined {
    const entry = entries.get(ticket)
    entries.delete(ticket)
    for (const channel of entry?.channels ?? []) {
      const cell = node.cells.get(channel)
      if (cell !== undefined) cell.writing -= 1
    }
    return entry
  }

  return {
    open(effect) {
      const entry = entryOf(effect)
      entries.set(effect.ticket, entry)
      for (const channel of entry.channels) {
        const cell = node.cells.get(channel)
        if (cell !== undefined) cell.writing += 1
      }
    },
    close(event) {
      const entry = take(event.ticket)
      for (const digest of entry?.blocks ?? []) node.blocks.add(digest)
      // What was replaced meanwhile has been dropped behind this very record.
      const whole = entry?.doubtful === false ? entry.whole.filter((release) => node.kept.has(release)) : []
      for (const release of whole) node.whole.set(release, durableBy(event))
      return entry
    },
    doubt() {
      for (const entry of entries.values()) if (entry.whole.length > 0) entry.doubtful = true
    },
    fail(event) {
      const entry = take(event.ticket)
      for (const channel of entry?.channels ?? []) {
        const cell = node.cells.get(channel)
        if (cell !== undefined) cell.unsaved = true
      }
      return entry
    },
  }
}

function entryOf(effect: EffectOf<'persist'>): Entry {
  const blocks: Digest[] = []
  const whole: ReleaseId[] = []
  const channels = new Set<Channel>()
  let roots = false
  for (const write of effect.writes) {
    if (write.kind === 'block') blocks.push(write.digest)
    else if (write.kind === 'whole') whole.push(write.release)
    else if (write.kind === 'floor') channels.add(write.floor.channel)
    else if (write.kind === 'channel') channels.add(write.record.channel)
    else if (write.kind === 'root') roots = true
  }
  return { blocks, whole, channels: [...channels], roots, doubtful: false }
}
