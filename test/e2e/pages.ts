/** Commands of docs/operations.md, so that page and test cannot drift apart. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8')

/** Words of a shell line: quotes of both kinds, no expansion. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? '')

/** Every `confmesh` command in the section's code blocks, in order, without the word itself. */
export function commandsOf(heading: string, replaced: Readonly<Record<string, string>>): string[][] {
  const lines = PAGE.split('\n')
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading)
  if (start < 0) throw new Error(`docs/operations.md has no section "${heading}"`)
  const level = /^#+/.exec(lines[start] ?? '')?.[0].length ?? 0
  const rest = lines.slice(start + 1)
  const end = rest.findIndex((line) => /^#+ /.test(line) && (/^#+/.exec(line)?.[0].length ?? 0) <= level)
  const section = rest.slice(0, end < 0 ? undefined : end).join('\n')
  const blocks = [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, text = '']) => text)
  const commands = blocks.flatMap((text) => text.replaceAll('\\\n', ' ').split('\n'))
  return commands
    .filter((line) => line.startsWith('confmesh '))
    .map((line) => wordsOf(line).slice(1))
    .map((words) => words.flatMap((word) => replaced[word]?.split(' ') ?? [word]))
}
