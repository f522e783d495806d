import { MeshError } from '../errors.ts'

/**
 * What keeps a node's promises on disk (synced folders, modes, owners, a link that is swapped) is not there on Windows: a
 * node would get half-way. Asked before it makes its first file.
 * @throws MeshError RUNTIME_PLATFORM
 */
export function requireNodePlatform(): void {
  const { platform } = process
  if (platform !== 'win32') return
  const text = 'nodes do not run on Windows; run this on Linux, such as in WSL or a container'
  throw new MeshError('RUNTIME_PLATFORM', text, { platform })
}
