import { sha256 } from '../codec/digest.ts'
import type { Limits } from '../limits.ts'
import { unseal } from './checksum.ts'
import { type Database, levelDatabase, type Operation } from './database.ts'
import { nameIn, PREFIX } from './keys.ts'

const isSound = (key: string, value: Uint8Array): boolean =>
  key.startsWith(PREFIX.block)
    ? (sha256(value) as string) === nameIn(PREFIX.block, key)
    : unseal(key, value) !== undefined

/**
 * Copies every record that is still sound out of a store that was set aside, as far as LevelDB can read it: a
 * flipped bit costs a record, not what a node without network would go on serving.
 */
export async function salvage(from: string, to: Database, limits: Limits): Promise<void> {
  const old = levelDatabase(from, true)
  try {
    await old.open()
    let batch: Operation[] = []
    let bytes = 0
    for await (const [key, value] of old.entries()) {
      if (key.startsWith(PREFIX.quarantine) || !isSound(key, value)) continue
      batch.push({ type: 'put', key, value: value.slice() })
      bytes += value.length
      if (bytes < limits.maxStoreBatchBytes) continue
      await to.batch(batch, false)
      batch = []
      bytes = 0
    }
    await to.batch(batch, true)
  } finally {
    await old.close()
  }
}
