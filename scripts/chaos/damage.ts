/** What is done to the files of a node that is down, and to its disk while it runs. */
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Random } from './random.ts'

export const deleteStore = (data: string): void =>
  rmSync(join(data, 'store'), { recursive: true, force: true })

/** The second copy of the floors and of the newest root. */
export const deleteFloor = (trees: string): void =>
  rmSync(join(trees, '.confmesh'), { recursive: true, force: true })

/** One bit in each of three places in the store's files, anywhere. */
export function flipBytes(data: string, random: Random): void {
  const store = join(data, 'store')
  if (!existsSync(store)) return
  const files = readdirSync(store).filter((name) => /\.(ldb|log)$/.test(name))
  for (let flips = 0; flips < 3 && files.length > 0; flips++) {
    const path = join(store, random.pick(files))
    const { size } = statSync(path)
    if (size === 0) continue
    const file = openSync(path, 'r+')
    const byte = Buffer.alloc(1)
    const at = Math.floor(random() * size)
    readSync(file, byte, 0, 1, at)
    byte[0] = (byte[0] ?? 0) ^ (1 << Math.floor(random() * 8))
    writeSync(file, byte, 0, 1, at)
    closeSync(file)
  }
}

/** Takes all that is free, so that every write of the node fails; gives it back. */
export function fillDisk(data: string): () => void {
  const filler = join(data, 'filler')
  const { bavail, bsize } = statfsSync(data)
  try {
    writeFileSync(filler, Buffer.alloc(bavail * bsize))
  } catch {
    // the node took the last of it meanwhile: full is full
  }
  return () => rmSync(filler, { force: true })
}
