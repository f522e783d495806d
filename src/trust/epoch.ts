import type { Channel } from '../model/ids.ts'
import { matches } from '../model/pattern.ts'
import type { TrustRoot } from '../model/root.ts'

/** Epoch of a channel: the root version that last raised it, 1 where none did. */
export function epochOf(root: TrustRoot, channel: Channel): number {
  let epoch = 1
  for (const { pattern, value } of root.epochs) {
    if (value > epoch && matches(pattern, channel)) epoch = value
  }
  return epoch
}
