/** Which releases of a channel are fetched beside its target, for how long, and what is said of it. */
import type { Code } from '../errors.ts'
import type { Channel, ReleaseId } from '../model/ids.ts'
import { isNamed, targetOf } from './channel.ts'
import { fallbackOf } from './settle.ts'
import { type Cell, type NodeState, servedOf } from './state.ts'
import type { Step } from './step.ts'

/**
 * The target, what is active, or served without being it, and what would be gone back to from there: of an ended epoch, or
 * failed, nothing ever is.
 */
export function fetchedOf(cell: Cell): ReadonlySet<ReleaseId | undefined> {
  const { state, epoch } = cell
  const { floor, active } = state
  const back = active === undefined ? undefined : fallbackOf(state, active.release, epoch)
  return new Set([targetOf(floor), active?.release, servedOf(cell)?.release, back])
}

/** Asked for until it comes: order names it, or applications read it. Others may be nowhere any more. */
export const isAwaited = (cell: Cell, release: ReleaseId): boolean =>
  isNamed(cell.state, release) || isRead(cell, release)

/** Applications read it, or do once more after a start. */
const isRead = (cell: Cell, release: ReleaseId): boolean =>
  release === cell.state.active?.release || release === servedOf(cell)?.release

/** Of a channel's state what concerns the newest, or what applications see, is said; the rest by a log line. */
export function sayFailed(
  { cells }: NodeState,
  step: Step,
  channel: Channel,
  release: ReleaseId,
  code: Code,
  text: string,
): void {
  const cell = cells.get(channel)
  const isShown = cell !== undefined && (cell.state.floor.ids.includes(release) || isRead(cell, release))
  if (isShown) cell.lastError = { code, text, at: step.now.wallMs, release }
  step.emit({ kind: 'note', level: isShown ? 'error' : 'warn', code, text, channel, release })
}
