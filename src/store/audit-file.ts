import { constants } from 'node:fs'
import { lstat, open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Limits } from '../limits.ts'
import type { Write } from '../runtime/ports.ts'
import { syncDirectory } from './durable-file.ts'
import { faultOf } from './faults.ts'

export type AuditLine = Omit<Extract<Write, { kind: 'audit' }>, 'kind'>

/** The log of submissions, beside the store: for people and their tools, so in files and never read by the node. */
export interface AuditFile {
  readonly path: string
  /** One line each. A crash may lose or tear the last ones. @throws the file system's error */
  append(lines: readonly AuditLine[]): Promise<void>
  /** What was appended outlives a power cut from here on. @throws the file system's error, also where no line was */
  sync(): Promise<void>
}

/** `audit.jsonl` is written; `audit.1.jsonl` is the one before, the highest number the oldest. */
const nameOf = (age: number): string => (age === 0 ? 'audit.jsonl' : `audit.${age}.jsonl`)

/**
 * JSON lines `{at, peer, release, channel, answer}` in `<data>/audit.jsonl`, at most `maxAuditBytes` long; then it
 * is set aside, and what is older than `keepAuditFiles` goes. Who rotates it with a tool of their own may: nothing is kept open.
 */
export function auditFile(
  dataDir: string,
  limits: Pick<Limits, 'maxAuditBytes' | 'keepAuditFiles'>,
): AuditFile {
  const path = join(dataDir, nameOf(0))

  /** Beyond those that are kept there are more where fewer are by now. They go from here down, so that a crash leaves no gap. */
  async function oldest(): Promise<number> {
    const isThere = async (age: number): Promise<boolean> =>
      (await lstat(join(dataDir, nameOf(age))).then((found) => found.isFile(), ignoreMissing)) === true
    let age = limits.keepAuditFiles
    while (await isThere(age + 1)) age += 1
    return age
  }

  async function rotate(): Promise<void> {
    // Here, as sync() looks at the newest file alone.
    await syncFile(path)
    for (let age = await oldest(); age >= limits.keepAuditFiles; age -= 1)
      await rm(join(dataDir, nameOf(age)), { force: true })
    for (let age = limits.keepAuditFiles - 1; age >= 0; age -= 1)
      await rename(join(dataDir, nameOf(age)), join(dataDir, nameOf(age + 1))).catch(ignoreMissing)
  }

  return {
    path,
    async append(lines) {
      for (const line of lines) {
        const text = `${textOf(line)}\n`
        const bytes = await stat(path).then(({ size }) => size, ignoreMissing)
        if (bytes !== undefined && bytes + text.length > limits.maxAuditBytes) await rotate()
        await appendLine(path, text)
      }
    },
    async sync() {
      await syncFile(path)
      await syncDirectory(dataDir)
    },
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW)
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Each line is one write, so that no two mix and none is torn but by a crash; a link is not followed. */
async function appendLine(path: string, text: string): Promise<void> {
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW
  const file = await open(path, flags, 0o600)
  try {
    const { size } = await file.stat()
    const last = size === 0 ? undefined : (await file.read(Buffer.alloc(1), 0, 1, size - 1)).buffer[0]
    // What a crash tore stays one broken line, and does not spoil the next.
    const begin = last === undefined || last === NEWLINE ? '' : '\n'
    await file.write(begin + text)
  } finally {
    await file.close()
  }
}

const NEWLINE = 0x0a

const textOf = ({ at, peer, release, channel, answer }: AuditLine): string =>
  JSON.stringify({ at: new Date(at).toISOString(), peer, release, channel, answer })

function ignoreMissing(error: unknown): undefined {
  if (faultOf(error) !== 'missing') throw error
}
