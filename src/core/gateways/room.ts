/** How many bytes of heartbeats go in a message: no more than others take, whose bounds are not known. */
import { LIMITS, type Limits } from '../../limits.ts'

/** They take half a hello at most. */
const SHARE = 2
/** Room for the map around the heartbeats of an answer. */
const ANSWER_OVERHEAD_BYTES = 1_024

export const helloRoom = ({ maxAdmitMessageBytes }: Limits): number =>
  Math.min(maxAdmitMessageBytes, LIMITS.maxAdmitMessageBytes) / SHARE

export const answerRoom = ({ maxBridgeMessageBytes }: Limits): number =>
  Math.min(maxBridgeMessageBytes, LIMITS.maxBridgeMessageBytes) - ANSWER_OVERHEAD_BYTES

/** In their order. */
export function thatFit(heartbeats: readonly Uint8Array[], maxBytes: number): readonly Uint8Array[] {
  const chosen: Uint8Array[] = []
  let bytes = 0
  for (const one of heartbeats) {
    bytes += one.length + 8
    if (bytes > maxBytes) break
    chosen.push(one)
  }
  return chosen
}
