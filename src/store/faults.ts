import { isFullCode, isLockHeld, isMeshError, MeshError } from '../errors.ts'

export type Fault = 'locked' | 'full' | 'corrupt' | 'missing' | 'other'

/** LevelDB passes on only the text of the system's error. */
const FULL_TEXT = /no space left|quota exceeded|read-only file system|file too large/i

/** What kind of trouble this error of LevelDB or the file system is; LevelDB's own codes are in `cause`. */
export function faultOf(error: unknown): Fault {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const code = 'code' in at ? String(at.code) : ''
    if (code === 'STORE_FULL' || isFullCode(code) || FULL_TEXT.test(at.message)) return 'full'
    if (code === 'STORE_LOCKED' || isLockHeld(at)) return 'locked'
    // What it maps beyond the end of a table that was cut short.
    const isShort = code === 'LEVEL_IO_ERROR' && /\.(ldb|sst): Invalid argument/.test(at.message)
    if (code === 'LEVEL_CORRUPTION' || isShort) return 'corrupt'
    if (code === 'ENOENT' || /does not exist|no such file/i.test(at.message)) return 'missing'
  }
  return 'other'
}

/** There is no such file or folder: all else that the system says leaves open whether there is. */
export const isAbsent = (error: unknown): boolean =>
  ['ENOENT', 'ENOTDIR'].includes(String((error as NodeJS.ErrnoException).code))

/** With which the reader of a damaged store ends where another process has that open: EX_TEMPFAIL. */
export const LOCKED_OUT = 75

/** LevelDB says it cannot read its own files, or one of them is gone. */
export const isDamage = (error: unknown): boolean => ['corrupt', 'missing'].includes(faultOf(error))

/** One line for people: which folder, what is wrong, what to do. */
export function storeError(error: unknown, dir: string): MeshError {
  if (isMeshError(error)) return error
  const options = { cause: error }
  switch (faultOf(error)) {
    case 'locked':
      return new MeshError(
        'STORE_LOCKED',
        `${dir} is in use by another process; stop the other node or give this one its own folder`,
        { dir },
        options,
      )
    case 'full':
      return new MeshError(
        'STORE_FULL',
        `${dir} takes no more bytes; free space, inodes or quota, or remount it writable`,
        { dir },
        options,
      )
    case 'corrupt':
      return new MeshError(
        'STORE_CORRUPT',
        `${dir} is damaged; it is set aside at the next start`,
        { dir },
        options,
      )
    case 'missing':
      return new MeshError(
        'STORE_MISSING',
        `${dir} holds no store; check the path, and restart the node if the folder was taken from it`,
        { dir },
        options,
      )
    default: {
      const deepest = error instanceof Error && error.cause instanceof Error ? error.cause : error
      const text = deepest instanceof Error ? deepest.message : String(deepest)
      return new MeshError(
        'STORE_FAILED',
        `${dir}: ${text}; check the disk and its permissions`,
        { dir },
        options,
      )
    }
  }
}
