import type { FileHandle } from 'node:fs/promises'
import { unreadable } from './sources.ts'

/**
 * As much as the buffer holds, or all that is there: a read may bring less than either.
 * @param file its name, in errors
 * @throws MeshError INPUT_PATH, STORE_FAILED
 */
export async function fill(
  file: string,
  handle: FileHandle,
  buffer: Uint8Array,
  position: number,
): Promise<number> {
  let got = 0
  try {
    while (got < buffer.length) {
      const { bytesRead } = await handle.read(buffer, got, buffer.length - got, position + got)
      if (bytesRead === 0) break
      got += bytesRead
    }
  } catch (error) {
    throw unreadable(file, error)
  }
  return got
}
