import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Snapshot } from './client.ts'

/** The last state an application saw, so that it starts with something while its node is down. */
export interface StateFile {
  read(): Snapshot | undefined
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
          Object.entries(stored.files).map(([name, text]) => [
            name,
            new Uint8Array(Buffer.from(text, 'base64')),
          ]),
        )
        return {
          release: stored.release,
          clock: stored.clock,
          files,
          changed: [...files.keys()],
          fromDisk: true,
        }
      } catch {
        // Absent or damaged: the node has the truth; this file only bridges its absence.
        return undefined
      }
    },
    write(snapshot) {
      mkdirSync(dirname(path), { recursive: true })
      const files = Object.fromEntries(
        [...snapshot.files].map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')]),
      )
      const aside = `${path}.${process.pid}.part`
      const fd = openSync(aside, 'w', 0o600)
      writeSync(
        fd,
        JSON.stringify({
          channel,
          release: snapshot.release,
          clock: snapshot.clock,
          files,
        } satisfies Stored),
      )
      fsyncSync(fd)
      closeSync(fd)
      renameSync(aside, path)
    },
  }
}
