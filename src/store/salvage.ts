import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { extname, join } from 'node:path'
import type { Limits } from '../limits.ts'
import type { Database } from './database.ts'
import type { Records } from './salvage-reader.ts'

const READER = join(import.meta.dirname, `salvage-reader${extname(import.meta.filename)}`)

/**
 * Copies every record that is still sound out of a store that was set aside, as far as LevelDB can read it: a
 * flipped bit costs a record, not what a node without network would go on serving.
 *
 * @returns what kept it from reading everything; undefined where nothing did
 */
export async function salvage(from: string, to: Database, limits: Limits): Promise<string | undefined> {
  const reader = readApart(from, limits)
  let records: Records = []
  const write = (sync: boolean): Promise<void> =>
    to.batch(
      records.map(([key, value]) => ({ type: 'put', key, value })),
      sync,
    )
  try {
    for (;;) {
      const { done, value } = await reader.next()
      if (done === true) {
        await write(true)
        return value
      }
      if (records.length > 0) await write(false)
      records = value
    }
  } finally {
    await reader.return(undefined)
  }
}

/**
 * In a process of its own: where LevelDB merges a damaged table an assertion of its own may end the process
 * (`table_builder.cc`, keys out of order), and to open a store is enough for it to begin to merge.
 */
async function* readApart(
  dir: string,
  { maxStoreBatchBytes, salvageAnswerMs }: Limits,
): AsyncGenerator<Records, string | undefined, undefined> {
  const child = fork(READER, [dir, String(maxStoreBatchBytes)], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [],
  })
  try {
    for (;;) {
      const answer = await ask(child, salvageAnswerMs)
      if (typeof answer === 'string') return answer
      if (answer.length === 0) return undefined
      yield answer
    }
  } finally {
    child.kill('SIGKILL')
  }
}

/** @returns the next records, none at the end; a text where there will be no answer */
async function ask(child: ChildProcess, deadlineMs: number): Promise<Records | string> {
  const over = new AbortController()
  const signal = AbortSignal.any([over.signal, AbortSignal.timeout(deadlineMs)])
  try {
    child.send('next', () => undefined)
    const ended = once(child, 'exit', { signal }).then(([code, by]) => `its reader ended with ${by ?? code}`)
    const answer = once(child, 'message', { signal }).then(([records]) => records as Records)
    return await Promise.race([answer, ended])
  } catch (error) {
    return error instanceof Error && error.name !== 'AbortError' ? error.message : 'its reader gave no answer'
  } finally {
    over.abort()
  }
}
