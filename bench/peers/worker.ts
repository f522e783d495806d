/** One program in the lab: `worker.ts SYSTEM ROLE OPTIONS`, started by `Program`. */
import { createInterface } from 'node:readline'
import type { Said } from './lab.ts'

export interface Io {
  say(what: Said): void
  /** Commands as they come. */
  readonly commands: AsyncIterable<string>
}

/** One side of one system. */
export type Role = (options: Record<string, unknown>, io: Io) => Promise<void>

const [system, role, options] = process.argv.slice(2)
const module = (await import(`./${system}.ts`)) as Record<string, Role | undefined>
const run = module[role ?? '']
if (run === undefined) throw new Error(`${system} has no ${role}`)
await run(JSON.parse(options ?? '{}') as Record<string, unknown>, {
  say: (what) => process.stdout.write(`${JSON.stringify(what)}\n`),
  commands: createInterface({ input: process.stdin }),
})
