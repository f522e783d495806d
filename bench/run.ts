/** `npm run bench [-- --quick] [NAME…]`: runs each bench, one after another, and writes bench/results. */
import { parseArgs } from 'node:util'
import { catchUp } from './catch-up.ts'
import { chunking } from './chunking.ts'
import { footprint } from './footprint.ts'
import { micro } from './micro.ts'
import { peers } from './peers.ts'
import { planner } from './planner.ts'
import { loadNow, type Measured, write } from './results.ts'
import { wire } from './wire.ts'

const BENCHES: Readonly<Record<string, (options: { readonly quick: boolean }) => Promise<Measured>>> = {
  micro,
  wire,
  footprint,
  'catch-up': catchUp,
  chunking,
  peers,
  planner,
}

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false } },
  allowPositionals: true,
})
const names = positionals.length === 0 ? Object.keys(BENCHES) : positionals
const unknown = names.filter((name) => BENCHES[name] === undefined)
if (unknown.length > 0) {
  process.stderr.write(
    `bench: no bench ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}\n`,
  )
  process.exit(2)
}
for (const name of names) {
  const before = loadNow()
  process.stdout.write(`${name}: measuring (load average ${before})\n`)
  const measured = await BENCHES[name]?.(values)
  if (measured === undefined) continue
  write(name, `npm run bench --${values.quick ? ' --quick' : ''} ${name}`, before, measured)
  for (const { what, figure } of measured.rows) process.stdout.write(`  ${what}: ${figure}\n`)
}
