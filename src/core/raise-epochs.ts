import type { TrustRoot } from '../model/root.ts'
import { epochOf } from '../trust/epoch.ts'
import { raiseEpoch } from './channel.ts'
import type { NodeState } from './state.ts'

/**
 * Channels whose epoch the root raises start anew; what is active there stays. Their floors follow the root to disk, and what
 * they end goes behind them: a start in between raises by the root that it finds, and judges what was the target once more.
 */
export function raiseEpochs(node: NodeState, root: TrustRoot): void {
  for (const cell of node.cells.values()) {
    cell.epoch = epochOf(root, cell.state.channel)
    const raised = raiseEpoch(cell.state, cell.epoch)
    if (raised === cell.state) continue
    cell.state = raised
    // Of releases that count no more; what is active stays, and why it cannot be read with it.
    const active = raised.active?.release
    const isUnread = active !== undefined && !node.kept.has(active)
    if (!isUnread || cell.lastError?.release !== active) cell.lastError = undefined
    cell.unsaved ||= 'state'
  }
  node.relayed.raise((channel) => epochOf(root, channel))
}
