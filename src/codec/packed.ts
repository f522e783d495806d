/** Lists of short elements of one size, as one byte string: a list of byte strings costs a head for each. */
import { convert, type Form, malformed } from './fields.ts'

export interface Element<T> {
  /** Bytes of one element. */
  readonly size: number
  read(bytes: Buffer): T
  write(value: T): Uint8Array
}

/** Part of a digest, hex in memory. */
export const packedHash = <T extends string>(size: number): Element<T> => ({
  size,
  read: (bytes) => bytes.toString('hex') as T,
  write: (value) => Buffer.from(value, 'hex'),
})

/** Unsigned, big endian. */
export const packedInt = (size: 1 | 2): Element<number> => ({
  size,
  read: (bytes) => bytes.readUIntBE(0, size),
  write(value) {
    const bytes = Buffer.alloc(size)
    bytes.writeUIntBE(value, 0, size)
    return bytes
  },
})

const byteString: Form<Uint8Array> = {
  read(value, at) {
    if (!(value instanceof Uint8Array)) throw malformed(at, 'expected bytes')
    return value
  },
  write: (value) => value,
}

/** The message around it bounds its length; elements are never larger in memory than twenty times their bytes. */
export const packed = <T>({ size, read, write }: Element<T>): Form<readonly T[]> =>
  convert(
    byteString,
    (bytes, at) => {
      if (bytes.length % size !== 0) throw malformed(at, `expected a multiple of ${size} bytes`)
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      return Array.from({ length: bytes.length / size }, (_, at2) =>
        read(buffer.subarray(at2 * size, (at2 + 1) * size)),
      )
    },
    (values) => new Uint8Array(Buffer.concat(values.map(write))),
  )
