/**
 * `npm run bench [-- --quick] [NAME…]`: runs each bench, one after another, and writes bench/results; exit 1 if one of them
 * failed. Quick: minutes for all, of smaller fleets and fewer releases, so that their figures are rougher; they go to
 * bench/results/quick, which is not kept, and nothing is drawn. Each says how long it took, and the last line how long all did.
 * `npm run bench -- wire --nodes 29 --regions 3 --bytes 65536`: one run of that shape, in a result of its own. `egress`,
 * `crowd` and `peers` are such runs, one after another.
 */
import { optionsOf } from '../scripts/options.ts'
import { beside } from './beside.ts'
import { calibrate } from './calibrate.ts'
import { catchUp } from './catch-up.ts'
import { chunking } from './chunking.ts'
import { crowd } from './crowd.ts'
import { egress } from './egress.ts'
import { footprint } from './footprint.ts'
import { inTurn } from './in-turn.ts'
import { micro } from './micro.ts'
import { originDies } from './origin-dies.ts'
import { border } from './over-borders.ts'
import { peers } from './peers.ts'
import { planner } from './planner.ts'
import { loadNow, type Measured, write } from './results.ts'
import { type WireOptions, wire } from './wire.ts'

const KIB = 1_024

interface Options extends WireOptions {
  /** Writes what there is so far: a long bench that is stopped keeps it. */
  readonly keep: (soFar: Measured) => void
}

const BENCHES: Readonly<Record<string, (options: Options) => Promise<Measured>>> = {
  micro,
  wire,
  border,
  egress,
  crowd,
  beside,
  'origin-dies': originDies,
  footprint,
  'catch-up': catchUp,
  chunking,
  peers: ({ shape = {}, ...options }) => peers({ ...options, ...cellsOf(shape) }),
  planner,
  calibrate,
}

/** What shapes which bench; the others are refused it, or their results would bear the name of what nobody measured. */
const SHAPED: Readonly<Record<'nodes' | 'regions' | 'bytes', readonly string[]>> = {
  nodes: ['wire', 'egress', 'peers', 'crowd'],
  regions: ['wire'],
  bytes: ['wire', 'egress', 'peers'],
}

type Shape = NonNullable<WireOptions['shape']>

/** Of `peers`, one size of fleet or of payload alone. */
const cellsOf = ({ nodes, bytes }: Shape) => ({
  ...(nodes === undefined ? {} : { subscribers: [nodes] }),
  ...(bytes === undefined ? {} : { bytes: [bytes] }),
})

const { values, positionals } = optionsOf({
  options: {
    quick: { type: 'boolean', default: false },
    nodes: { type: 'string' },
    regions: { type: 'string' },
    bytes: { type: 'string' },
  },
  allowPositionals: true,
})
/** What is too long for one run, and what README quotes by itself. */
const PARTS: Readonly<Record<string, readonly Shape[]>> = {
  egress: [{ nodes: 10 }, { nodes: 40 }, { nodes: 100 }],
  crowd: [{ nodes: 300 }, { nodes: 500 }],
  peers: [{ bytes: KIB }, { bytes: 64 * KIB }, { bytes: KIB * KIB }, { bytes: 8 * KIB * KIB }],
}

const names = positionals.length === 0 ? Object.keys(BENCHES) : positionals
const unknown = names.filter((name) => BENCHES[name] === undefined)
if (unknown.length > 0) {
  process.stderr.write(
    `bench: no bench ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}\n`,
  )
  process.exit(2)
}
const given = Object.entries(values).filter(([name]) => name !== 'quick')
for (const [name, text] of given)
  if (!/^[1-9]\d{0,9}$/.test(String(text))) {
    process.stderr.write(`bench: --${name} ${text}: a whole number from 1 on\n`)
    process.exit(2)
  }
for (const [option, shaped] of Object.entries(SHAPED)) {
  const others = names.filter((name) => !shaped.includes(name))
  if (given.every(([name]) => name !== option) || others.length === 0) continue
  process.stderr.write(
    `bench: --${option} says nothing to ${others.join(', ')}; it is for ${shaped.join(', ')}\n`,
  )
  process.exit(2)
}
const asked: Shape = Object.fromEntries(given.map(([name, text]) => [name, Number(text)]))

const wordsOf = (shape: Shape): string =>
  Object.entries(shape)
    .map(([key, value]) => ` --${key} ${value}`)
    .join('')

/** Its figures, on stdout and on disk. @throws whatever ends the bench; what it kept so far stays */
async function run(name: string, shape: Shape): Promise<void> {
  const before = loadNow()
  const shaped = Object.entries(shape)
  const words = wordsOf(shape)
  process.stdout.write(`${name}${words}: measuring (load average ${before})\n`)
  const result = {
    name: [name, ...shaped.map(([key, value]) => `${key}-${value}`)].join('-'),
    isQuick: values.quick,
    command: `npm run bench --${values.quick ? ' --quick' : ''} ${name}${words}`,
  }
  const keep = (measured: Measured): void => write(result, before, measured)
  const options = { quick: values.quick, keep, ...(shaped.length === 0 ? {} : { shape }) }
  const measured = await BENCHES[name]?.(options)
  if (measured === undefined) return
  keep(measured)
  for (const { what, figure } of measured.rows) process.stdout.write(`  ${what}: ${figure}\n`)
}

const isWhole = given.length === 0 && !values.quick
const parts = names.flatMap((name) =>
  ((isWhole ? PARTS[name] : undefined) ?? [asked]).map((shape) => ({
    name: `${name}${wordsOf(shape)}`,
    run: () => run(name, shape),
  })),
)
await inTurn(parts, {
  say: (line) => process.stdout.write(`${line}\n`),
  failed: (name, { stack }) => {
    process.stderr.write(`bench: ${name} failed: ${stack}\n`)
    process.exitCode = 1
  },
  nowMs: () => performance.now(),
})
