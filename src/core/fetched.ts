/** Which releases of a channel are fetched beside its target, for how long, and what is said of it. */
import type { Code } from '../errors.ts'
import type { Channel, ReleaseId } from '../model/ids.ts'
import { isNamed, targetOf } from './channel.ts'
import { fallbackOf } from './settle.ts'
import type { Cell, NodeState } from './state.ts'
import type { Step } from './step.ts'

/** The target, what is active, and what would be gone back to from there: of an ended epoch, or failed, nothing ever is. */
export function fetchedOf({ state, epoch }: Cell): ReadonlySet<ReleaseId | undefined> {
  const { floor, active } = state
  const back = active === undefined ? undefined : fallbackOf(state, active.release, epoch)
  return new Set([targetOf(floor), active?.release, back])
}

/** Asked for until it comes: order names it, or applications read it. Others may be nowhere any more. */
export const isAwaited = ({ state }: Cell, release: ReleaseId): boolean =>
  isNamed(state, release) || release === state.active?.release

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
  const isShown =
    cell !== undefined && (cell.state.floor.ids.includes(release) || release === cell.state.active?.release)
  if (isShown) cell.lastError = { code, text, at: step.now.wallMs, release }
  step.emit({ kind: 'note', level: isShown ? 'error' : 'warn', code, text, channel, release })
}
