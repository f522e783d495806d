/** When each node hears of a large release: its header travels as a small release does. */
import { NO_FAILURES, type Question } from './question.ts'
import type { RunResult } from './run-result.ts'
import { SharedCores } from './shared-cores.ts'
import { SmallRelease } from './small.ts'

const NEVER = 0x7fffffff

type Sent = Pick<RunResult, 'originBytes' | 'enteredBytes' | 'leftHomeBytes'>

export interface Heard {
  /** By node, from the origin's acceptance. */
  readonly ticks: Int32Array
  /** What it costs a node, gossip's control messages included. */
  readonly bytesPerNode: number
  /** Copies of it that left the origin and crossed borders. */
  readonly sent: Sent
  /** Where nodes share a machine, what the header leaves of it to the blocks. */
  readonly cores: SharedCores | undefined
}

/** Whoever dies later on has heard of it all the same. */
export function hearOf(question: Question): Heard {
  const { machine } = question
  const header = { ...question, bytes: 0, failures: NO_FAILURES }
  const release = new SmallRelease(
    // a piece of the release like any other: what one message takes is for the whole of a release
    machine === undefined ? header : { ...header, machine: { ...machine, messageMs: machine.blockMs } },
  )
  const { receivedBytesPerNode, controlBytesPerNode, originBytes, enteredBytes, leftHomeBytes } = release.run(
    () => {},
  )
  return {
    ticks: release.verifiedAt.map((tick) => (tick === -1 ? NEVER : tick)),
    bytesPerNode: receivedBytesPerNode + controlBytesPerNode,
    sent: { originBytes, enteredBytes, leftHomeBytes },
    cores: machine && new SharedCores(machine.cores, machine.blockMs, release.cores),
  }
}

/** What was sent of the blocks, and of the header before them. */
export const withHeader = ({ sent }: Heard, ofBlocks: Sent): Sent => ({
  originBytes: ofBlocks.originBytes + sent.originBytes,
  enteredBytes: ofBlocks.enteredBytes.map((bytes, at) => bytes + (sent.enteredBytes[at] ?? 0)),
  leftHomeBytes: ofBlocks.leftHomeBytes + sent.leftHomeBytes,
})
