/**
 * A fleet of which a fifth is hostile, beside the same fleet in peace:
 *
 *   npm run sim:siege -- --nodes 1000 --seed 1 [--kinds drop,lie,corrupt,flood] [--regions eu,us,ap]
 *
 * Prints for each release when half and when all of the honest nodes showed it, and what the eclipsed node says. Exit 1
 * where one never did, or all of them only after more than three times as long as in peace.
 */
import type { Name } from '../src/model/ids.ts'
import { HOSTILE_KINDS, type HostileKind } from '../src/sim/hostile.ts'
import { besiege } from '../src/sim/siege.ts'
import { optionsOf, wholeNumber } from './options.ts'
import { revision } from './revision.ts'

const { values } = optionsOf({
  options: {
    nodes: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    kinds: { type: 'string', default: HOSTILE_KINDS.join() },
    regions: { type: 'string', default: 'all' },
  },
})
/** So many times as long as in peace a release may take. */
const MAX_TIMES = 3
const kinds = values.kinds.split(',') as HostileKind[]
const unknown = kinds.find((kind) => !HOSTILE_KINDS.includes(kind))
if (unknown !== undefined) throw new Error(`--kinds: ${unknown} is none of ${HOSTILE_KINDS.join(', ')}`)

// Before the run: commits may be made meanwhile.
const commit = revision()

const { hostileNodes, calm, besieged, victimSays, problem, digests } = await besiege({
  seed: wholeNumber('seed', values.seed, 0),
  nodes: wholeNumber('nodes', values.nodes),
  kinds,
  regions: values.regions.split(',') as Name[],
  onSecond: (virtualMs) => {
    const text = `${Math.round(virtualMs / 1000)} s of virtual time, ${Math.round(process.cpuUsage().user / 1e6)} s of CPU`
    if (process.stderr.isTTY === true) process.stderr.write(`\r${text}`)
    else if (Math.floor(virtualMs / 1000) % 10 === 0) process.stderr.write(`${text}\n`)
  },
})
console.log(
  `${values.nodes} nodes (${values.regions}), ${hostileNodes} of them hostile (${kinds}), seed ${values.seed}, commit ${commit}`,
)
for (const [at, { bytes, medianMs, lastMs, missing }] of calm.entries()) {
  const under = besieged[at]
  if (under === undefined) continue
  const times = (under.lastMs / lastMs).toFixed(1)
  if (!(under.lastMs <= MAX_TIMES * lastMs)) process.exitCode = 1
  if (missing + under.missing > 0) process.exitCode = 1
  console.log(
    `${bytes} bytes: half after ${medianMs.toFixed(0)} ms, besieged ${under.medianMs.toFixed(0)}; all after ${lastMs.toFixed(0)} ms, besieged ${under.lastMs.toFixed(0)} (${times} times); never ${missing + under.missing}`,
  )
}
console.log(`the eclipsed node says: ${victimSays}`)
console.log(`digests of the two runs: ${digests.map((digest) => digest.slice(0, 16)).join(' ')}`)
if (problem !== undefined) {
  console.log(problem)
  process.exitCode = 1
}
