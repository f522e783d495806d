import { isMeshError } from '../../../src/errors.ts'

/** The code with which bad input is refused, or `accepted`. Anything but a `MeshError` fails the test. */
export function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (isMeshError(error)) return error.code
    throw error
  }
  return 'accepted'
}
