// Must stay readable for Node 18: see launcher.ts.

import { Socket } from 'node:net'

/** Names the descriptor to watch; set by whoever starts the program and must not be outlived by it. */
export const PARENT_FD_VARIABLE = 'CONFMESH_PARENT_FD'

/** The descriptor that a parent gives with `stdio: ['inherit', 'inherit', 'inherit', 'pipe']`. */
export const PARENT_FD = 3

/**
 * Ends this process at once when its parent is gone. The kernel closes the parent's end of the pipe whatever ended
 * the parent, kill -9 included; a parent that only polls for its own death, or cleans up in a handler, cannot promise
 * that. SIGKILL, as nothing is left to be told, and an exit handler could hang while holding a lock or a port.
 * It does not keep the process alive. Does nothing where no parent asked for it.
 */
export function watchParent(): void {
  const given = process.env[PARENT_FD_VARIABLE]
  // Hooks and other children of ours must not take the descriptor for theirs.
  delete process.env[PARENT_FD_VARIABLE]
  if (given !== String(PARENT_FD)) return
  const pipe = new Socket({ fd: PARENT_FD, readable: true, writable: false })
  const end = (): void => {
    process.kill(process.pid, 'SIGKILL')
  }
  pipe.once('end', end)
  pipe.once('error', end)
  pipe.resume()
  pipe.unref()
}
