/**
 * Frames of yamux that have begun to come. Its decoder waits for the whole of one, however long that says it is, and asks
 * for the window of its stream only then.
 */
import { Uint8ArrayList } from 'uint8arraylist'
import { MeshError } from '../errors.ts'

const HEADER_BYTES = 12
/** Where in it stands how much follows. */
const LENGTH_AT = 8
/**
 * What came in so many reads, and is no frame yet, is joined: each part costs a hundred bytes, and a list of very many is
 * slow to shorten. The longest frame of an honest peer comes in nine.
 */
const JOINED_AFTER = 256

/** What we use of yamux 8.0.3 beyond its exported types, as in muxer.ts. What is thrown in it ends the connection. */
export interface Decoding {
  readonly decoder: { buffer: Uint8ArrayList; readFrame(): object | undefined }
}
interface Carrier {
  readonly status: string
  addEventListener(type: 'close', listener: () => void): void
}

/**
 * @param maxBytes the most that follows a header
 * @param held told how much more, or less, is there of a frame that is not whole
 */
export function boundBegun(
  { decoder }: Decoding,
  carrier: Carrier,
  maxBytes: number,
  held: (bytes: number) => void,
): void {
  let counted = 0
  const count = (bytes: number) => {
    held(bytes - counted)
    counted = bytes
  }
  let reads = 0
  const read = decoder.readFrame.bind(decoder)
  decoder.readFrame = () => {
    const frame = read()
    if (frame !== undefined) {
      reads = 0
      // what its stream holds of it counts there
      count(0)
      return frame
    }
    const { buffer } = decoder
    // other frames than those with data are whole with their header
    if (buffer.byteLength >= HEADER_BYTES && buffer.getUint32(LENGTH_AT) > maxBytes)
      throw new MeshError('LIMIT_BYTES', `a frame of more than ${maxBytes} bytes is announced`)
    reads += 1
    if (reads > JOINED_AFTER) {
      decoder.buffer = new Uint8ArrayList(buffer.subarray())
      reads = 0
    }
    if (carrier.status === 'open') count(buffer.byteLength)
    return undefined
  }
  carrier.addEventListener('close', () => count(0))
}
