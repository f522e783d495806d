import type { ReleaseId } from '../model/ids.ts'
import type { NodeState } from './state.ts'
import type { Step } from './step.ts'

/** A block of it may be gone: nothing counts on it, after a start either, until it is whole again and that is written anew. */
export function unwhole(node: NodeState, step: Step, release: ReleaseId): void {
  node.whole.delete(release)
  const writes = [{ kind: 'unwhole', release }] as const
  step.emit({ kind: 'persist', ticket: step.nextTicket(), writes, sync: false })
}
