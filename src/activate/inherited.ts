/** What a command that this process starts would have of its files. */
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs'
import { isShort } from './errors.ts'

const DESCRIPTORS = '/proc/self/fd'

type Stream = 'ignore' | 'pipe' | number

/**
 * Starts a command with these three streams and none of the files that this process has open. LevelDB opens its own without
 * O_CLOEXEC: by them whatever a command leaves running could write into the store, whoever it runs as, and would keep logs that
 * were removed on the disk, and the disk from being unmounted. Node can neither close them in the command nor mark them as its
 * own, so there each is /dev/null. On Linux alone it is known which they are; what LevelDB opens just now is missed.
 * @param start returns once it runs
 * @throws that the host is short of descriptors or memory; what `start` throws
 */
export function startApart<T>(streams: readonly Stream[], start: (stdio: Stream[]) => T): T {
  const files = openFiles()
  if (files.length === 0) return start([...streams])
  const nothing = openSync('/dev/null', 'r+')
  try {
    // Beyond the first three 'ignore' leaves a descriptor as it is.
    const stdio = Array.from({ length: Math.max(...files) + 1 }, (_, fd) => streams[fd] ?? 'ignore')
    return start(stdio.map((stream, fd) => (files.includes(fd) ? nothing : stream)))
  } catch (error) {
    // A file has the last descriptor that there is, and libuv needs one behind it. No fault of the command, which has it then.
    if ((error as NodeJS.ErrnoException).code === 'EINVAL') return start([...streams])
    throw error
  } finally {
    closeSync(nothing)
  }
}

/** By their links alone: to ask a disk may take for ever. Of what is no file a command has what the node was started with. */
function openFiles(): readonly number[] {
  const all = attempt(() => readdirSync(DESCRIPTORS)) ?? []
  const others = all.map(Number).filter((fd) => fd > 2)
  return others.filter((fd) => {
    const link = attempt(() => readlinkSync(`${DESCRIPTORS}/${fd}`)) ?? ''
    return link.startsWith('/') && !link.startsWith('/dev/')
  })
}

function attempt<T>(ask: () => T): T | undefined {
  try {
    return ask()
  } catch (error) {
    if (isShort(error)) throw error
    return undefined // no such system, or closed meanwhile
  }
}
