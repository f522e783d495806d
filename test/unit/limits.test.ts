import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { WireBound } from '../../scripts/limits-bound.ts'
import { memory, ROLES, signedTogether, together } from '../../scripts/limits-memory.ts'
import { NO_BOUNDS } from '../../scripts/limits-no-bounds.ts'
import { limitsDocument } from '../../scripts/limits-text.ts'
import { WIRE_BOUNDS } from '../../scripts/wire-bounds.ts'
import { LIMITS } from '../../src/limits.ts'

const src = join(import.meta.dirname, '../../src')
const written = readFileSync(join(import.meta.dirname, '../../docs/limits.md'), 'utf8')

test('docs/limits.md is what src/limits.ts says; npm run docs:limits writes it', () => {
  expect(written).toBe(limitsDocument())
})

test('every limit stands in it once, with its reason and what exceeding it costs', () => {
  const rows = [...written.matchAll(/^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm)]
  expect(rows.map(([, name]) => name)).toEqual(Object.keys(LIMITS))
  // a comment above it in src/limits.ts, or a line in scripts/limits-reasons.ts
  expect(rows.filter(([, , , reason]) => reason === '-').map(([, name]) => name)).toEqual([])
})

test.each([
  ['node', 1.2],
  ['gateway', 2],
  ['seed', 6.9],
] as const)('what peers can make a %s hold is below %f GiB, whatever they do', (role, gibibytes) => {
  const rows = memory(role)
  expect(rows.every(({ bytes }) => Number.isSafeInteger(bytes) && bytes > 0)).toBe(true)
  expect(together(role)).toBeLessThan(gibibytes * 2 ** 30)
})

test('what stolen keys of one publisher and of beacons can add without content is below 2.4 GiB', () => {
  expect(signedTogether()).toBeLessThan(2.4 * 2 ** 30)
})

test('the largest release can be uploaded though all of it is new, and another beside it', () => {
  const { maxReleaseBytes, maxPages, maxPageBytes, maxStagedBytesPerAddress, maxStagedBytes } = LIMITS
  const largest = maxReleaseBytes + maxPages * maxPageBytes
  expect(maxStagedBytesPerAddress).toBeGreaterThanOrEqual(largest)
  expect(maxStagedBytes).toBeGreaterThanOrEqual(2 * largest)
})

test('each kind of node holds what the one before it holds, and more', () => {
  const whats = ROLES.map((role) => memory(role).map(({ what }) => what))
  for (const [at, less] of whats.slice(0, -1).entries())
    expect(whats[at + 1]).toEqual(expect.arrayContaining(less))
  const sums = ROLES.map(together)
  expect(sums).toEqual(sums.toSorted((a, b) => a - b))
})

/** Constants of a folder and those in it, by their file. */
function constantsIn(folder: string, form: RegExp): string[] {
  return readdirSync(join(src, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => {
      const text = readFileSync(join(src, folder, name), 'utf8')
      return [...text.matchAll(form)].map(([, constant]) => `${folder}/${name} ${constant}`)
    })
}

/** What begins with MAX_ in the code that reads messages; and where peers are judged, each number that has a name, or names. */
const boundsInCode = (): string[] => [
  ...constantsIn('codec', /^(?:export )?const (MAX_\w+)/gm),
  ...['core', 'net'].flatMap((folder) =>
    constantsIn(
      folder,
      /^(?:export )?const ([A-Z][A-Z0-9_]*)(?:: \w+)? = (?:\{\s*\w+: )?(?:\d|[A-Z][A-Z0-9_]* [*/+-])/gm,
    ),
  ),
]

/** Where it stands, a member of a table by the name of the table. */
const sourceOf = ({ file, name }: WireBound): string => `${file} ${name.replace(/\..*/, '')}`

test('every number in the code that bounds what peers may do stands on the page, or is named with the reason why it bounds none', () => {
  const computed = WIRE_BOUNDS.filter(({ name }) => name.includes('('))
  expect(new Set(computed.map(({ file }) => file))).toEqual(new Set(['net/host.ts']))
  const listed = WIRE_BOUNDS.filter(
    (each) => /^(codec|core|net)\//.test(each.file) && !computed.includes(each),
  )
  const said = [...new Set(listed.map(sourceOf)), ...Object.keys(NO_BOUNDS)]
  expect(said.sort()).toEqual(boundsInCode().sort())
})

test('each bound stands on the page once, with a number above zero', () => {
  const listed = WIRE_BOUNDS.map(({ file, name }) => `${file} ${name}`)
  expect(new Set(listed).size).toBe(listed.length)
  for (const { name, value } of WIRE_BOUNDS)
    expect(value, name).toSatisfy(
      (number: number) => Number.isSafeInteger(number) && (number > 0 || name.endsWith('PeerInfos')),
    )
})
