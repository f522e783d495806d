/**
 * All links pass through the process of this script: where it waits its turn behind the nodes it watches, the network
 * stands still. So it goes first, and whatever it starts does not.
 */
import type { ChildProcess } from 'node:child_process'
import { getPriority, setPriority } from 'node:os'

const FIRST = -10

/** @returns why not, where this user may not */
export function goFirst(): string | undefined {
  try {
    setPriority(FIRST)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

/** At once: threads that a child starts later inherit what it has then. */
export function behind(child: ChildProcess): void {
  if (child.pid !== undefined && getPriority() < 0) setPriority(child.pid, 0)
}
