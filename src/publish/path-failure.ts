/** Why a file or folder that was named could not be read or written: its disk has no room or fails, or the path is not right. */
import { isForbiddenCode, isFullCode, MeshError } from '../errors.ts'

/**
 * @param doing such as "cannot write FILE", with the name that whoever runs the command knows
 * @param advice said where it is the path that is not right
 */
export function pathFailure(doing: string, path: string, error: unknown, advice = ''): MeshError {
  const { code, message } = error as NodeJS.ErrnoException
  const what = `${doing}: ${code === 'ENOENT' ? 'no such file or folder' : (code ?? message)}`
  const [details, options] = [{ path }, { cause: error }]
  if (code === 'EIO') {
    const look = 'look at the disk, or name a file on another'
    return new MeshError('STORE_FAILED', `${what}; ${look}`, details, options)
  }
  // A read-only file system is no matter of room.
  if (isFullCode(code) && !isForbiddenCode(code)) {
    const free = 'free space or quota there, or name a file on another disk'
    return new MeshError('STORE_FULL', `${what}; ${free}`, details, options)
  }
  return new MeshError('INPUT_PATH', `${what}${advice}`, details, options)
}
