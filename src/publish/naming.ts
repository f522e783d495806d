import { isMeshError, MeshError } from '../errors.ts'

/** What is wrong with a document is said with the file that it was read from. */
export function naming<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw isMeshError(error) ? named(path, error) : error
  }
}

export const named = (path: string, error: MeshError): MeshError =>
  new MeshError(error.code, `${path}: ${error.message}`, { ...error.details, path }, { cause: error })
