import { lstatSync, rmSync, type Stats } from 'node:fs'
import { connect } from 'node:net'
import { MeshError } from '../errors.ts'

/**
 * Makes way for a Unix socket: one that a dead process left refuses the bind, so it goes. One that somebody serves
 * stays theirs: two nodes may have data folders of their own and the same socket by mistake.
 * @throws MeshError NET_LISTEN where the path is in use, or no socket
 */
export async function freeSocketPath(path: string): Promise<void> {
  const found = entryAt(path)
  if (found === undefined) return
  if (!found.isSocket()) throw refusal(path, 'is there already and no socket; name another')
  const refused = await connectError(path)
  // The system says so before it looks for who listens: another user's may be dead, which this one cannot find out.
  if (refused === 'EACCES' || refused === 'EPERM')
    throw refusal(
      path,
      `is a socket that this user may not connect to (${refused}); remove it if nothing serves it, or set api.listen`,
    )
  if (mayBeServed(refused)) throw refusal(path, 'is in use; stop the other process or set api.listen')
  rmSync(path, { force: true })
}

export const isServed = async (path: string): Promise<boolean> => mayBeServed(await connectError(path))

/** Only these say that nobody listens: a full queue (EAGAIN) or a foreign socket (EACCES) may have an owner. */
const mayBeServed = (refused: string | undefined): boolean =>
  refused !== 'ENOENT' && refused !== 'ECONNREFUSED'

/** What a socket's address holds of a path: 108 bytes on Linux, 104 on macOS and the BSDs. */
const MOST_PATH_BYTES = process.platform === 'linux' ? 108 : 104

/** What the system says of a path that is too long is EINVAL alone. @returns undefined where it is not */
export function lengthProblem(path: string): string | undefined {
  const bytes = Buffer.byteLength(path)
  if (bytes <= MOST_PATH_BYTES) return undefined
  return `the path has ${bytes} bytes, and a socket's at most ${MOST_PATH_BYTES}; name a shorter one`
}

/** What cannot be looked at, below a file perhaps, cannot be listened on: that says why. */
function entryAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/** The code with which connecting fails; undefined where somebody answers. */
function connectError(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}

const refusal = (path: string, what: string): MeshError =>
  new MeshError('NET_LISTEN', `api.listen: unix:${path} ${what}`, { address: `unix:${path}` })
