// Feeds everything that reads bytes of others with bytes near those that are right.
//
//   npm run fuzz [-- --seconds 60] [--only NAME] [--seed N]
//
// So many seconds for each target of test/fuzz, and for sequences of messages to a whole core. An input that is taken or
// refused with a code is well; any other error is shown with the input, which belongs into test/fuzz/corpus then. Exit 1.

import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { corpus } from '../test/fuzz/inputs.ts'
import { mutator } from '../test/fuzz/mutate.ts'
import { playSequence } from '../test/fuzz/sequences.ts'
import { fault, TARGETS } from '../test/fuzz/targets.ts'
import { optionsOf } from './options.ts'

const { values } = optionsOf({
  options: {
    seconds: { type: 'string', default: '60' },
    only: { type: 'string', default: '' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
})
const forMs = Number(values.seconds) * 1_000
const seed = Number(values.seed)
const bytes = corpus()
let failed = 0
let ran = 0

function keep(target: string, input: Uint8Array): string {
  const folder = join(import.meta.dirname, '../fuzz-found')
  mkdirSync(folder, { recursive: true })
  const path = join(
    folder,
    `${target.replaceAll(' ', '-')}-${createHash('sha256').update(input).digest('hex').slice(0, 12)}`,
  )
  writeFileSync(path, input)
  return path
}

process.stdout.write(`fuzz: seed ${seed}, ${values.seconds} s each, ${bytes.length} inputs to begin with\n`)
for (const target of TARGETS.filter(({ name }) => name.includes(values.only))) {
  const next = mutator(seed, bytes)
  const endMs = performance.now() + forMs
  let inputs = 0
  let slowestMs = 0
  for (; performance.now() < endMs; inputs += 1) {
    const input = next()
    const sinceMs = performance.now()
    const problem = await fault(target, input)
    slowestMs = Math.max(slowestMs, performance.now() - sinceMs)
    if (problem === undefined) continue
    failed += 1
    process.stdout.write(`FAILED ${target.name}: ${keep(target.name, input)}\n${problem}\n`)
    break
  }
  ran += 1
  process.stdout.write(`${target.name}: ${inputs} inputs, the slowest took ${slowestMs.toFixed(1)} ms\n`)
}
if ('sequences of messages'.includes(values.only)) {
  const endMs = performance.now() + forMs
  let sequences = 0
  for (; performance.now() < endMs; sequences += 1) {
    const problem = playSequence(seed + sequences, sequences % 2 === 0).fault
    if (problem === undefined) continue
    failed += 1
    process.stdout.write(`FAILED sequence ${seed + sequences}, submit ${sequences % 2 === 0}\n${problem}\n`)
    break
  }
  ran += 1
  process.stdout.write(`sequences of messages: ${sequences}\n`)
}
process.stdout.write(`fuzz: ${ran} targets, ${failed} failed\n`)
process.exit(failed === 0 && ran > 0 ? 0 : 1)
