/**
 * Messages out of bytes, each with its length before it, however the bytes are cut. They are copied as they come: a list
 * of parts costs a hundred bytes for each of them, and to take from the front of a long one costs as much as it is long.
 */
import type { Uint8ArrayList } from 'uint8arraylist'
import { MeshError } from '../errors.ts'

/** Taken at once for a message: what is announced and never comes is to cost little. It grows with what does come. */
const FIRST_BYTES = 17 * 1024
/** With these two steps there is room for a block. */
const GROWTH = 4
const MORE = 0x80

export class Unframer {
  readonly #what: string
  readonly #maxBytes: number
  readonly #maxLengthBytes: number
  #lengthBytes = 0
  #length = 0
  #message: Uint8Array | undefined
  #filled = 0

  /** @param what names it in errors */
  constructor(what: string, maxBytes: number) {
    this.#what = what
    this.#maxBytes = maxBytes
    this.#maxLengthBytes = Math.ceil(Math.log2(maxBytes + 1) / 7)
  }

  /** Something of a message has come, its length at least in part, and not all of it. */
  get hasBegun(): boolean {
    return this.#lengthBytes > 0
  }

  /** Of a message that is not whole yet. */
  get heldBytes(): number {
    return this.#filled
  }

  /** Those that are whole with these bytes; all of them must be fetched. @throws MeshError LIMIT_BYTES */
  *take(data: Uint8Array | Uint8ArrayList): Generator<Uint8Array> {
    for (const part of data instanceof Uint8Array ? [data] : data) {
      for (let at = 0; at < part.byteLength; ) {
        if (this.#message === undefined) {
          this.#takeLength(part[at] as number)
          at += 1
        } else at += this.#fill(this.#message, part, at)
        const message = this.#whole()
        if (message !== undefined) yield message
      }
    }
  }

  /** An unsigned varint, seven bits a byte, the lowest first. */
  #takeLength(byte: number): void {
    this.#length += (byte & ~MORE) * 2 ** (7 * this.#lengthBytes)
    this.#lengthBytes += 1
    const isLast = byte < MORE
    if (this.#length > this.#maxBytes || (!isLast && this.#lengthBytes >= this.#maxLengthBytes))
      throw new MeshError('LIMIT_BYTES', `${this.#what}: a message is longer than ${this.#maxBytes} bytes`)
    if (isLast) this.#message = new Uint8Array(Math.min(this.#length, FIRST_BYTES))
  }

  /** @returns how many bytes were taken */
  #fill(room: Uint8Array, part: Uint8Array, at: number): number {
    let message = room
    if (this.#filled === message.byteLength) {
      message = new Uint8Array(Math.min(this.#length, GROWTH * room.byteLength))
      message.set(room)
      this.#message = message
    }
    const some = part.subarray(at, at + message.byteLength - this.#filled)
    message.set(some, this.#filled)
    this.#filled += some.byteLength
    return some.byteLength
  }

  #whole(): Uint8Array | undefined {
    const message = this.#message
    if (message === undefined || this.#filled < this.#length) return undefined
    this.#message = undefined
    this.#lengthBytes = 0
    this.#length = 0
    this.#filled = 0
    return message
  }
}
