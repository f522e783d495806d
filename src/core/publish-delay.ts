/** How long a release took to get here from when it was made, whichever way it came. */
import type { Header } from '../model/release.ts'
import type { NodeState } from './state.ts'
import type { Step } from './step.ts'

/**
 * Of releases older than this life nothing is observed: a node that joins gets what was made weeks ago, which says when it
 * joined. Told by how long it runs, time asleep not counted: a clock may be set, and where a host slept nothing says so here.
 * So of what was made while it slept nothing is observed either, where it took longer than the node has been awake.
 */
export function observeDelay(
  { started }: NodeState,
  step: Step,
  metric: 'publish_to_ordered' | 'publish_to_whole' | 'publish_to_active',
  { created }: Pick<Header, 'created'>,
): void {
  const ms = step.now.wallMs - created
  if (ms <= step.now.monoMs - started.monoMs) step.emit({ kind: 'observe', metric, ms: Math.max(0, ms) })
}
