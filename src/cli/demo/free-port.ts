/** A port for a process that is yet to start, and that it finds free again after a restart. */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Below what any system gives of itself: Linux from 32,768 (`ip_local_port_range`), others from 49,152. A port that
 * the system gave is its to give again, to a test's server or to any connection that goes out.
 */
const LOWEST = 10_000
const HIGHEST = 32_767

const given = new Set<number>()

/** On 127.0.0.1; never the same twice in this process. @throws Error of the system but for a port in use */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LOWEST, HIGHEST + 1)
    if (!given.has(port) && (await isFree(port))) {
      given.add(port)
      return port
    }
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false
    throw error
  }
  server.close()
  await once(server, 'close')
  return true
}
