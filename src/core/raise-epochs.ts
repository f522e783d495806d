import type { TrustRoot } from '../model/root.ts'
import { epochOf } from '../trust/epoch.ts'
import { raiseEpoch, recordOf } from './channel.ts'
import { dropUnneeded } from './ingest.ts'
import type { NodeState } from './state.ts'
import type { Write } from './writes.ts'

/** Channels whose epoch the root raises start anew; what is active there stays. @returns what is to be written */
export function raiseEpochs(node: NodeState, root: TrustRoot): Write[] {
  const writes: Write[] = []
  for (const cell of node.cells.values()) {
    cell.epoch = epochOf(root, cell.state.channel)
    const raised = raiseEpoch(cell.state, cell.epoch)
    if (raised === cell.state) continue
    cell.state = raised
    // Of releases that count no more; what is active stays, and why it cannot be read with it.
    const active = raised.active?.release
    const isUnread = active !== undefined && !node.kept.has(active)
    if (!isUnread || cell.lastError?.release !== active) cell.lastError = undefined
    writes.push({ kind: 'floor', floor: raised.floor }, { kind: 'channel', record: recordOf(raised) })
    writes.push(...dropUnneeded(node, cell))
  }
  node.relayed.raise((channel) => epochOf(root, channel))
  return writes
}
