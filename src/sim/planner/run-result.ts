/** What one run of one release found. */
export interface RunResult {
  /** `core`: the product's own state machines; `abstract`: their rules over typed arrays. */
  readonly model: 'core' | 'abstract'
  /** From the origin's acceptance to the verified whole, of the nodes that have it: ascending, the origin left out. */
  readonly timesMs: Float64Array
  /** By node in the order of `timesMs` as a multiple of its own line time, ascending; large releases only. */
  readonly ofLine: Float64Array | undefined
  /** Living nodes that never got it. */
  readonly unfinished: number
  /** Of a release in blocks: it ended with all the time that there is. */
  readonly outOfTime?: boolean
  /** Of the blocks that were simulated, all of one size; undefined of one message, and of the product's own blocks. */
  readonly blockBytes: number | undefined
  /** One payload: what a node must receive. */
  readonly payloadBytes: number
  /** In blocks with the header that goes before them, here and over borders; of `core` blocks alone. */
  readonly originBytes: number
  /** Into each region but home. */
  readonly enteredBytes: readonly number[]
  /** Out of home into other regions. */
  readonly leftHomeBytes: number
  /** Of the payload, by the nodes that have it at the end: their mean. */
  readonly receivedBytesPerNode: number
  /** Said by all nodes, also those that died: the mean over all. */
  readonly controlBytesPerNode: number
  readonly events: number
  /** Rolling hash over all events. */
  readonly hash: string
}

/** A mean over the nodes that have it; none where nobody has. */
export const perNode = (sum: number, nodes: number): number => (nodes === 0 ? Number.NaN : sum / nodes)

/** Nearest rank. @param q 0 … 1 */
export function quantileOf(ascending: Float64Array, q: number): number {
  return ascending[Math.max(0, Math.ceil(q * ascending.length) - 1)] ?? Number.NaN
}
