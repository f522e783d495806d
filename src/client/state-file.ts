import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { MeshError } from '../errors.ts'
import type { Snapshot } from './client.ts'

/** The last state an application saw, so that it starts with something while its node is down. */
export interface StateFile {
  /** @throws MeshError INPUT_PATH where it is there and cannot be read, or is damaged */
  read(): Snapshot | undefined
  /** @throws MeshError INPUT_PATH where it cannot be written; the state before stays */
  write(snapshot: Snapshot): void
}

interface Stored {
  /** Absent where an older build wrote it. */
  channel?: string
  release: string
  clock: Record<string, number>
  files: Record<string, string>
}

/**
 * Written aside, synced and renamed: a reader finds the old state or the new one. A file of another channel is as good
 * as none: two watches were given one path.
 */
export function stateFile(path: string, channel: string): StateFile {
  return {
    read() {
      try {
        const stored = JSON.parse(readFileSync(path, 'utf8')) as Stored
        if ((stored.channel ?? channel) !== channel) return undefined
        const files = new Map(
          // As from the node, so that an application sees no difference.
          Object.entries(stored.files).map(([name, text]) => [name, Buffer.from(text, 'base64')]),
        )
        return {
          release: stored.release,
          clock: stored.clock,
          files,
          changed: [...files.keys()],
          fromDisk: true,
        }
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        // Not there yet; that it cannot be is told when it is written.
        if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
        const reason = code ?? 'it is damaged'
        throw new MeshError(
          'INPUT_PATH',
          `cannot read the state file ${path}: ${reason}`,
          { path },
          { cause: error },
        )
      }
    },
    write(snapshot) {
      const files = Object.fromEntries(
        [...snapshot.files].map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')]),
      )
      const { release, clock } = snapshot
      try {
        replace(path, JSON.stringify({ channel, release, clock, files } satisfies Stored))
      } catch (error) {
        const reason = (error as NodeJS.ErrnoException).code ?? 'unwritable'
        throw new MeshError(
          'INPUT_PATH',
          `cannot write the state file ${path}: ${reason}`,
          { path },
          { cause: error },
        )
      }
    },
  }
}

function replace(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  // A name of its own for each: two containers have one process id, and two watches of one process may share a file.
  const aside = `${path}.${randomBytes(6).toString('hex')}.part`
  try {
    const fd = openSync(aside, 'wx', 0o600)
    try {
      // All of it, or an error: one write may be cut short by a disk that is full.
      writeFileSync(fd, text)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(aside, path)
  } catch (error) {
    rmSync(aside, { force: true })
    throw error
  }
}
