/** A socket whose process is gone. */
import { once } from 'node:events'
import { linkSync, renameSync } from 'node:fs'
import { createServer } from 'node:net'

/** Leaves one at the path, as a kill does. */
export async function leaveSocket(path: string): Promise<void> {
  const dead = createServer().listen(path)
  await once(dead, 'listening')
  // Closing takes the name away, as a kill would not: a second name stays.
  linkSync(path, `${path}.left`)
  dead.close()
  await once(dead, 'close')
  renameSync(`${path}.left`, path)
}
