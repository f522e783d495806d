/**
 * A stage of the way of a message: a set of links, each serving first come, first served at its own rate. A message
 * passes a stage as a train of packets: the next stage sees its first byte as soon as this one has sent it ("cut-through"),
 * and its last one no sooner than the slowest stage so far allows. Each stage is entered at the time at which the first
 * byte is there, never earlier: a receiver's link is not taken while the sender still queues.
 */
export class FifoLinks {
  /** When the message that passed last began to leave this stage. */
  startNs = 0
  /** By how much its last byte follows its first. */
  lagNs = 0
  readonly #nsPerByte: Float64Array
  readonly #freeNs: Float64Array

  /** @param nsPerByte by link; 8 is 1 Gbit/s, 0 no limit */
  constructor(nsPerByte: Float64Array) {
    this.#nsPerByte = nsPerByte
    this.#freeNs = new Float64Array(nsPerByte.length)
  }

  /** Whole nanoseconds that this many bytes take the link. */
  serviceNs(link: number, bytes: number): number {
    return Math.round(bytes * (this.#nsPerByte[link] as number))
  }

  /** When the link is through with all that it has taken. */
  freeNs(link: number): number {
    return this.#freeNs[link] as number
  }

  /** Sends a message over the link; what came of it is in `startNs` and `lagNs`. */
  pass(link: number, firstNs: number, lagNs: number, bytes: number): void {
    const serviceNs = this.serviceNs(link, bytes)
    const freeNs = this.#freeNs[link] as number
    const startNs = Math.max(freeNs, firstNs)
    this.#freeNs[link] = startNs + serviceNs
    this.startNs = startNs
    const upstreamNs = firstNs + lagNs - startNs
    this.lagNs = Math.max(upstreamNs, serviceNs)
  }
}
