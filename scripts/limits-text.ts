/** `docs/limits.md` as text: every limit of src/limits.ts with its value and the reason that stands beside it there, and all other bounds. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LIMITS } from '../src/limits.ts'
import { COSTS } from './limits-costs.ts'
import { ENTRIES } from './limits-entries.ts'
import { DEGREES, memory, ROLES, type Role, signed, signedTogether, together } from './limits-memory.ts'
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
const IDLE_MIB = 117
/** Garbage may be half of what lives before V8 collects it. */
const gibibytes = (held: number): number => Math.ceil((held * 1.5 + IDLE_MIB * MIB) / GIB)
const hosts = (held: (role: Role) => number): string =>
  ROLES.map((role) => `${gibibytes(held(role))} GiB for a ${role}`).join(', ')
const forRoles = ROLES.map(() => '---|').join('')

const LONGEST_MANIFEST_BYTES = LIMITS.maxPages * LIMITS.maxPageBytes

/** What publishers add, and what no table counts. */
const publishers = (): string => `### What keys of the root add

Peers alone fill none of this: each of these channels takes a release that a publisher's keys have signed, each page a beacon. So
it stands beside the sum, for whoever wants a host to outlast stolen keys, too. Of one publisher that may write to all
${LIMITS.maxChannels.toLocaleString('en')} channels that a node stores at most, and of beacon keys, on any kind of node:

| what | made of | bytes |
|---|---|---|
${signed()
  .map(({ what, of, bytes: held }) => `| ${what} | ${of} | ${mebibytes(held)} |`)
  .join('\n')}
| **together** | | **${mebibytes(signedTogether())}** |

With that a host has ${hosts((role) => together(role) + signedTogether())}. Channels are in proportion to
\`limits.maxChannels\`: a node for a hundred sets it lower.

These have no sum, only their factors:

- Each further publisher that may write to a channel adds two heads, ${mebibytes(2 * LIMITS.maxChannels * ENTRIES.twin)} for all channels at their largest. Each release
  kept beside them, as the active one and the newest \`keepReleases\` before, adds one, and its content has to be here first.
- Content that is here takes ${ENTRIES.block} B for each block and page, a release of ${LIMITS.maxFiles.toLocaleString('en')} small files ${mebibytes(LIMITS.maxFiles * ENTRIES.block)}, and more while it is on its way
  ([operations.md](operations.md)). The disk ends it, and no bound here does.
- Manifests that are read over HTTP stay decoded: ${bytes(LIMITS.maxKeptManifestBytes)} of pages (\`maxKeptManifestBytes\`), or one that is longer, of up to
  ${bytes(LONGEST_MANIFEST_BYTES)}. Decoded they take up to ${ENTRIES.manifestByte} times as much, ${mebibytes(LIMITS.maxKeptManifestBytes * ENTRIES.manifestByte)} or ${mebibytes(LONGEST_MANIFEST_BYTES * ENTRIES.manifestByte)}, and each that is being read as much beside them.
- A channel that was stored before \`channels\` was changed keeps its floor and its newest releases: up to \`maxFormerChannels\` of them,
  each with as much as one that is stored. Once the patterns match those again all are stored, beyond \`maxChannels\`, and the operator
  is told at start: together never more than both bounds.
- A publisher may fill up its headers with fields that this build does not know. They are kept as bytes, which adds ${ENTRIES.filledUp / KIB} KiB to each
  release, ${mebibytes(2 * LIMITS.maxChannels * ENTRIES.filledUp)} with all twins.
`

export function limitsDocument(): string {
  return `${INTRODUCTION}
## Memory under attack

What hostile peers can make a node hold, if every neighbour is hostile, all do their worst at once and every table is full. N is
the number of neighbours: ${ROLES.map((role) => `${DEGREES[role]} of a ${role}`).join(', ')}. A single attacker comes nowhere
near: \`npm run attack\` sends everything it can and shows the memory of the attacked process
([results](../bench/results/README.md)).

| what | made of | ${ROLES.join(' | ')} |
|---|---|${forRoles}
${memoryRows().join('\n')}
| **together** | | ${ROLES.map((role) => `**${mebibytes(together(role))}**`).join(' | ')} |

The sum is computed, and no run fills all tables at once. What an entry takes in the tables is measured by a test, with the
largest entry that the forms known here allow; fields that this build does not know are kept as bytes, and take no more
(\`test/unit/heap-per-entry.test.ts\`; keys and answers given are estimates). What connections, streams and buffers take follows
from their bounds. It comes on top of what an idle node takes, some ${IDLE_MIB} MiB
([footprint.json](../bench/results/footprint.json)).

Beside both stands what nobody holds any more: V8 collects once garbage is half of what lives, a fifth where objects are more than
40 MiB, and as much as lives while blocks of a large release come; the young generation works with two halves of 4 MiB even while V8 marks, and small buffers are cut from 8 KiB
(\`src/cli/heap-growth.ts\`); the allocator gives free memory back late, later the more arenas it has: the image and the
service file give it one, and have it give large buffers back at once (\`MALLOC_*\`). So a host that is to outlast even that has ${hosts(together)}.
Most of a seed's is for ${DEGREES.seed} neighbours that all store ${LIMITS.maxChannels.toLocaleString('en')} channels and read no answer: with fewer of either it is less in
proportion.

${publishers()}
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
