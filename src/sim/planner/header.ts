/** When each node hears of a large release: its header travels as a small release does. */
import { NO_FAILURES, type Question } from './question.ts'
import { SmallRelease } from './small.ts'

const NEVER = 0x7fffffff

export interface Heard {
  /** By node, from the origin's acceptance. */
  readonly ticks: Int32Array
  /** What it costs a node, gossip's control messages included. */
  readonly bytesPerNode: number
}

/** Whoever dies later on has heard of it all the same. */
export function hearOf(question: Question): Heard {
  const release = new SmallRelease({ ...question, bytes: 0, failures: NO_FAILURES })
  const { receivedBytesPerNode, controlBytesPerNode } = release.run(() => {})
  return {
    ticks: release.verifiedAt.map((tick) => (tick === -1 ? NEVER : tick)),
    bytesPerNode: receivedBytesPerNode + controlBytesPerNode,
  }
}
