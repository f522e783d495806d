import { type ChildProcess, fork } from 'node:child_process'
import { extname, join } from 'node:path'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Database } from './database.ts'
import { faultOf, LOCKED_OUT, storeError } from './faults.ts'
import { PREFIX } from './keys.ts'
import type { Records } from './salvage-reader.ts'

const READER = join(import.meta.dirname, `salvage-reader${extname(import.meta.filename)}`)
/** What its end takes with it: little, since it may end at any time. */
const ANSWER_BYTES = 256 * 1024

/**
 * Copies every record that is still sound out of a damaged store, as far as LevelDB can read it: a flipped bit costs a
 * record, not what a node without network would go on serving. Blocks come last, as many as there is room for.
 *
 * @returns what kept it from copying everything; undefined where nothing did
 * @throws MeshError STORE_LOCKED (another process has it open: it is in use), STORE_FAILED (its reader cannot be started)
 * @throws what LevelDB throws of `to` before the blocks, or where what was copied cannot be synced
 */
export async function salvage(from: string, to: Database, limits: Limits): Promise<string | undefined> {
  const reader = readApart(from, limits)
  let records: (readonly [string, Uint8Array])[] = []
  let bytes = 0
  const write = async (sync: boolean): Promise<void> => {
    await to.batch(
      records.map(([key, value]) => ({ type: 'put', key, value })),
      sync,
    )
    records = []
    bytes = 0
  }
  try {
    for (;;) {
      const { done, value } = await reader.next()
      if (done === true) {
        await write(true)
        return value
      }
      const more = value.reduce((sum, [, { length }]) => sum + length, 0)
      const isOther = isOfBlocks(value) !== isOfBlocks(records)
      if (records.length > 0 && (isOther || bytes + more > limits.maxStoreBatchBytes)) await write(false)
      records.push(...value)
      bytes += more
    }
  } catch (error) {
    if (faultOf(error) !== 'full' || !isOfBlocks(records)) throw error
    // The damaged store goes next: a power cut must not leave neither.
    await to.settle()
    return 'the disk has no room for all of its blocks'
  } finally {
    await reader.return(undefined)
  }
}

const isOfBlocks = ([first]: Records): boolean => first?.[0].startsWith(PREFIX.block) === true

/**
 * In a process of its own: where LevelDB merges a damaged table an assertion of its own may end the process
 * (`table_builder.cc`, keys out of order), and to open a store is enough for it to begin to merge.
 */
async function* readApart(
  dir: string,
  { salvageAnswerMs, maxStoreBatchBytes }: Limits,
): AsyncGenerator<Records, string | undefined, undefined> {
  const child = fork(READER, [dir, String(Math.min(ANSWER_BYTES, maxStoreBatchBytes))], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [],
  })
  const ended = endOf(child, dir)
  try {
    for (;;) {
      const answer = await ask(child, ended, salvageAnswerMs)
      // Nothing of it was looked at: no reason to have an empty one take its place.
      if (answer instanceof MeshError) throw answer
      if (typeof answer === 'string') return answer
      if (answer.length === 0) return undefined
      yield answer
    }
  } finally {
    child.kill('SIGKILL')
  }
}

/** Once what it had said before is heard: its end may be known sooner. */
function endOf(child: ChildProcess, dir: string): Promise<string | MeshError> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(child.pid === undefined ? storeError(error, dir) : error.message))
    child.once('exit', (code, by) => {
      if (code === LOCKED_OUT)
        return resolve(storeError(Object.assign(new Error('locked'), { code: 'STORE_LOCKED' }), dir))
      const text = `its reader ended with ${by ?? code}`
      if (child.connected) child.once('disconnect', () => resolve(text))
      else resolve(text)
    })
  })
}

/** @returns the next records, none at the end; a text where there will be no answer */
async function ask(
  child: ChildProcess,
  ended: Promise<string | MeshError>,
  deadlineMs: number,
): Promise<Records | string | MeshError> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('its reader gave no answer'), deadlineMs)
  })
  const answer = new Promise<Records>((resolve) =>
    child.once('message', (records) => resolve(records as Records)),
  )
  // that it cannot be asked any more is said by its end
  if (child.connected) child.send('next', () => undefined)
  try {
    return await Promise.race([answer, ended, late])
  } finally {
    clearTimeout(timer)
  }
}
