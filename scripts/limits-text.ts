/** `docs/limits.md` as text: every limit of src/limits.ts with its value and the reason that stands beside it there, and all other bounds. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LIMITS } from '../src/limits.ts'
import { COSTS } from './limits-costs.ts'
import { DEGREES, memory, ROLES, type Role, together } from './limits-memory.ts'
import { REASONS } from './limits-reasons.ts'
import { WIRE_BOUNDS } from './wire-bounds.ts'

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

interface Limit {
  readonly name: string
  readonly reason: string
}

/** Names in order, each with the comment right above it, else with the reason of the table. */
function limitsInSource(): Limit[] {
  const source = readFileSync(join(import.meta.dirname, '../src/limits.ts'), 'utf8')
  const body = source.slice(source.indexOf('LIMITS = {'), source.indexOf('} as const'))
  const found: Limit[] = []
  let reason = ''
  let open: string[] | undefined
  for (const line of body.split('\n').map((each) => each.trim())) {
    if (line.startsWith('/**')) open = []
    if (open !== undefined) {
      open.push(
        line
          .replace(/^\/\*\*|\*\/$|^\*(?!\/)/g, '')
          .replace(/\*\/$/, '')
          .trim(),
      )
      if (line.endsWith('*/')) {
        reason = open.join(' ').trim()
        open = undefined
      }
      continue
    }
    const [, name] = /^(\w+): /.exec(line) ?? []
    if (name === undefined) continue
    found.push({ name, reason: reason === '' ? (REASONS[name] ?? '') : reason })
    reason = ''
  }
  return found
}

function amount(name: string, value: unknown): string {
  if (typeof value === 'object' && value !== null)
    return Object.entries(value)
      .map(([key, each]) => `${key} ${String(each)}`)
      .join(', ')
  const number = Number(value)
  if (/Bytes/.test(name)) return bytes(number)
  if (/Ms(PerMib)?$/.test(name)) return milliseconds(number)
  return number.toLocaleString('en')
}

function bytes(count: number): string {
  for (const [unit, size] of [
    ['GiB', GIB],
    ['MiB', MIB],
    ['KiB', KIB],
  ] as const)
    if (count >= size && count % size === 0) return `${(count / size).toLocaleString('en')} ${unit}`
  return `${count.toLocaleString('en')} B`
}

function milliseconds(count: number): string {
  if (count > 3_600_000 && count % 3_600_000 === 0) return `${count / 3_600_000} h`
  if (count >= 60_000 && count % 60_000 === 0) return `${count / 60_000} min`
  return count >= 1_000 ? `${count / 1_000} s` : `${count} ms`
}

const INTRODUCTION = `# Limits

<!-- Made by \`npm run docs:limits\` from src/limits.ts and scripts/; a test says when it is out of date. -->

Every input has a bound, and what exceeds it costs the one who sent it. Single limits can be set under \`limits\` in a node's
configuration, by these names.
`

/** A row for each thing that some kind of node holds, in the order of the fullest kind, a column for each kind. */
function memoryRows(): string[] {
  const sums = new Map(ROLES.map((role) => [role, memory(role)]))
  const cell = (role: Role, what: string) => {
    const held = sums.get(role)?.find((each) => each.what === what)
    return held === undefined ? '-' : mebibytes(held.bytes)
  }
  return memory('seed').map(
    ({ what, of }) => `| ${what} | ${of} | ${ROLES.map((role) => cell(role, what)).join(' | ')} |`,
  )
}

const mebibytes = (count: number): string => `${Math.ceil(count / MIB).toLocaleString('en')} MiB`

function limitRows(): string[] {
  return limitsInSource().map(({ name, reason }) => {
    const value = (LIMITS as Readonly<Record<string, unknown>>)[name]
    const cost = COSTS[name as keyof typeof COSTS]
    return `| \`${name}\` | ${amount(name, value)} | ${reason.replaceAll('|', '\\|') || '-'} | ${cost} |`
  })
}

const unitOf = (constant: string): string =>
  constant.includes('BYTES') ? 'Bytes' : constant.endsWith('_MS') && constant !== 'MAX_TIME_MS' ? 'Ms' : ''

const boundRows = (): string[] =>
  WIRE_BOUNDS.map(
    ({ name, file, value, what, cost }) =>
      `| ${what} | ${amount(unitOf(name), value)} | ${cost} | \`${name}\` of \`src/${file}\` |`,
  )

/** Of a node that has nothing to do: bench/results/footprint.json. */
const IDLE_MIB = 118
/** Garbage may be half of what lives before V8 collects it. */
const gibibytesFor = (role: Role): number => Math.ceil((together(role) * 1.5 + IDLE_MIB * MIB) / GIB)

export function limitsDocument(): string {
  return `${INTRODUCTION}
## Memory under attack

What hostile peers can make a node hold, if every neighbour is hostile, all do their worst at once and every table is full. N is
the number of neighbours: ${ROLES.map((role) => `${DEGREES[role]} of a ${role}`).join(', ')}. A single attacker comes nowhere
near: \`npm run attack\` sends everything it can and shows the memory of the attacked process
([results](../bench/results/README.md)).

| what | made of | ${ROLES.join(' | ')} |
|---|---|${ROLES.map(() => '---|').join('')}
${memoryRows().join('\n')}
| **together** | | ${ROLES.map((role) => `**${mebibytes(together(role))}**`).join(' | ')} |

The sum is computed: no run fills all tables at once. It comes on top of what an idle node takes, some ${IDLE_MIB} MiB
([footprint.json](../bench/results/footprint.json)).

Beside both stands what nobody holds any more: V8 collects once garbage is half of what lives, a fifth where objects are more than
40 MiB, and the young generation works with two halves of 4 MiB (\`src/cli/heap-growth.ts\`); the allocator gives free memory
back late, later the more arenas it has: the image and the service file give it one, and have it
give large buffers back at once (\`MALLOC_*\`). So a host that is to outlast even that has ${ROLES.map((role) => `${gibibytesFor(role)} GiB for a ${role}`).join(', ')}.
Most of a seed's is for ${DEGREES.seed} neighbours that all store ${LIMITS.maxChannels.toLocaleString('en')} channels and read no answer: with fewer of either it is less in
proportion. Not in it is what publishers of the root have signed, as the list of files of a release: who holds such a key is
trusted with more than memory.

## Every limit

| name | bound | reason | what exceeds it costs |
|---|---|---|---|
${limitRows().join('\n')}

## Bounds of the wire format, of connections and of tools

They are the same everywhere, or follow from what a node is, and stand in the code beside what they bound. A test holds every
number with a name in \`src/core\` and \`src/net\` against this table; those that bound nothing a peer may do are listed with the
reason in \`scripts/limits-no-bounds.ts\`.

| what | bound | what exceeds it costs | where |
|---|---|---|---|
${boundRows().join('\n')}
`
}
