// Feeds everything that reads bytes of others with bytes near those that are right.
//
//   npm run fuzz [-- --seconds 60] [--only NAME] [--seed N]
//
// So many seconds for each target of test/fuzz, for sequences of messages to a whole core in each protocol, and for such
// in all of them. An input that is taken or refused with a code is well; any other error is shown with the input, which
// belongs into test/fuzz/corpus then. Exit 1, also where a target took nothing: it was not tried in depth.

import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inputsNear, samplesOf } from '../test/fuzz/inputs.ts'
import { playSequence } from '../test/fuzz/sequences.ts'
import { outcomeOf, PROTOCOLS, TARGETS, type Target } from '../test/fuzz/targets.ts'
import { optionsOf, wholeNumber } from './options.ts'

const { values } = optionsOf({
  options: {
    seconds: { type: 'string', default: '60' },
    only: { type: 'string', default: '' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
})
const forMs = wholeNumber('seconds', values.seconds) * 1_000
const seed = wholeNumber('seed', values.seed, 0)

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

/** False: it failed. */
async function feed(target: Target): Promise<boolean> {
  const samples = await samplesOf(target)
  const next = inputsNear(target, samples, seed)
  const endMs = performance.now() + forMs
  let [inputs, taken, slowestMs] = [0, 0, 0]
  let slowest: Uint8Array = new Uint8Array()
  for (; performance.now() < endMs; inputs += 1) {
    const { bytes } = next()
    const sinceMs = performance.now()
    const outcome = await outcomeOf(target, bytes)
    const tookMs = performance.now() - sinceMs
    if (tookMs > slowestMs) [slowest, slowestMs] = [bytes, tookMs]
    if (outcome === 'taken') taken += 1
    if (typeof outcome === 'string') continue
    process.stdout.write(`FAILED ${target.name}: ${keep(target.name, bytes)}\n${outcome.fault}\n`)
    return false
  }
  process.stdout.write(
    `${target.name}: ${inputs} inputs near ${samples.length}, ${taken} taken, the slowest (${slowest.length} bytes) took ${slowestMs.toFixed(1)} ms\n`,
  )
  return taken > 0
}

/** False: a sequence failed. */
function play(name: string, protocols: typeof PROTOCOLS | readonly [(typeof PROTOCOLS)[number]]): boolean {
  const endMs = performance.now() + forMs
  let sequences = 0
  const reached = new Set<string>()
  for (; performance.now() < endMs; sequences += 1) {
    const played = playSequence(seed + sequences, sequences % 2 === 0, protocols)
    for (const what of played.reached) reached.add(what)
    if (played.fault === undefined) continue
    process.stdout.write(
      `FAILED ${name}: seed ${seed + sequences}, submit ${sequences % 2 === 0}\n${played.fault}\n`,
    )
    return false
  }
  process.stdout.write(`${name}: ${sequences}, with ${reached.size} kinds of effects and answers\n`)
  return true
}

const work: readonly (readonly [name: string, run: () => Promise<boolean> | boolean])[] = [
  ...TARGETS.map((target) => [target.name, () => feed(target)] as const),
  ...PROTOCOLS.map((protocol) => {
    const name = `sequences of ${protocol} messages`
    return [name, () => play(name, [protocol])] as const
  }),
  ['sequences of all messages', () => play('sequences of all messages', PROTOCOLS)],
]
process.stdout.write(`fuzz: seed ${seed}, ${values.seconds} s each\n`)
const chosen = work.filter(([name]) => name.includes(values.only))
const failed: string[] = []
for (const [name, run] of chosen) if (!(await run())) failed.push(name)
process.stdout.write(`fuzz: ${chosen.length} targets, ${failed.length} failed ${failed.join(', ')}\n`)
process.exit(failed.length === 0 && chosen.length > 0 ? 0 : 1)
