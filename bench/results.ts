/** Results on disk: one JSON file for each bench, what other commands printed as text, and one table over all of them. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { revision } from '../scripts/revision.ts'

const DIR = join(import.meta.dirname, 'results')
/** As the bench begins: commits may be made meanwhile. */
const COMMIT = revision()

export interface Row {
  readonly what: string
  readonly figure: string
}

export interface Measured {
  /** What was real in it and what was not. */
  readonly about: readonly string[]
  /** For the table. */
  readonly rows: readonly Row[]
  /** Every figure, units last in the names. */
  readonly figures: unknown
}

export interface Result extends Measured {
  readonly bench: string
  readonly command: string
  readonly date: string
  /** Of what was measured; the oldest do not say. */
  readonly commit?: string
  readonly machine: {
    readonly cores: number
    readonly cpu: string
    readonly memoryGiB: number
    readonly node: string
  }
  /** Processes that ran or waited, over one minute, before and after. */
  readonly load: { readonly before: number; readonly after: number }
}

export const loadNow = (): number => Number((loadavg()[0] ?? 0).toFixed(2))

/** What a result is called, and how it was made. */
export interface Origin {
  readonly name: string
  /** Rough figures: beside the others, and not kept. */
  readonly isQuick: boolean
  readonly command: string
}

export function write({ name, isQuick, command }: Origin, loadBefore: number, measured: Measured): void {
  const result: Result = {
    bench: name,
    command,
    date: new Date().toISOString(),
    commit: commitOf(revision()),
    machine: {
      cores: cpus().length,
      cpu: cpus()[0]?.model ?? 'unknown',
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      node: process.version,
    },
    load: { before: loadBefore, after: loadNow() },
    ...measured,
  }
  const dir = isQuick ? join(DIR, 'quick') : DIR
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, `${name}.json`), textOf(result))
  if (!isQuick) writeTable()
}

export const kept = (name: string): Result =>
  JSON.parse(readFileSync(join(DIR, `${name}.json`), 'utf8')) as Result

/** What was reckoned anew from a kept result, under the date, commit and machine of that. */
export function replace(result: Result, reckoned: Measured): void {
  writeFileSync(join(DIR, `${result.bench}.json`), textOf({ ...result, ...reckoned }))
  writeTable()
}

/** Processes that were started late may have run what was committed meanwhile. */
export const commitOf = (atEnd: string, atStart = COMMIT): string =>
  atEnd === atStart ? atStart : `${atStart}, at the end ${atEnd}`

const textOf = (result: Result): string => `${JSON.stringify(result, undefined, 2)}\n`

/** Of all results that are kept. */
function writeTable(): void {
  const names = readdirSync(DIR).filter((name) => name.endsWith('.json'))
  const results = names.sort().map((name) => kept(name.slice(0, -'.json'.length)))
  writeFileSync(join(DIR, 'README.md'), table(results))
}

export function table(results: readonly Result[]): string {
  const sections = results.map(({ bench, command, date, commit, machine, load, about, rows }) => {
    const busy = Math.max(load.before, load.after) > machine.cores
    return [
      `## ${bench}`,
      '',
      `\`${command}\`, ${date}, commit ${commit ?? 'unknown'}, ${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB, Node ${machine.node}, load average ${load.before} before and ${load.after} after.`,
      ...(busy
        ? [
            '',
            `**More work than cores, the bench's own and other jobs': not the figures of a quiet machine; run the command again on one.**`,
          ]
        : []),
      '',
      ...about.map((text) => `- ${text}`),
      '',
      '| what | figure |',
      '|---|---|',
      ...rows.map(({ what, figure }) => `| ${what} | ${figure} |`),
      '',
    ].join('\n')
  })
  return `# Results\n\nWritten by \`npm run bench\`; every figure and its unit is in the JSON file of the same name.\n\n${sections.join('\n')}\n${texts()}`
}

/** Each begins with what it is: the command, or the run's own first line. */
function texts(): string {
  const names = readdirSync(DIR).filter((name) => name.endsWith('.txt'))
  const lines = names.sort().map((name) => {
    const [first = ''] = readFileSync(join(DIR, name), 'utf8').split('\n')
    return `- [${name}](${name}): \`${first.trim()}\``
  })
  return `## As text\n\nWhat other commands printed, each with what it is in its first lines.\n\n${lines.join('\n')}\n`
}
