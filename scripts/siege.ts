/**
 * A fleet of which a fifth is hostile, beside the same fleet in peace: `npm run sim:siege -- --nodes 1000 --seed 1`.
 * Prints for each release when half and when all of the honest nodes showed it, and what the eclipsed node says.
 */
import { besiege } from '../src/sim/siege.ts'
import { optionsOf } from './options.ts'
import { revision } from './revision.ts'

const { values } = optionsOf({
  options: { nodes: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } },
})

// Before the run: commits may be made meanwhile.
const commit = revision()

const { hostileNodes, calm, besieged, victimSays, problem, digests } = await besiege({
  seed: Number(values.seed),
  nodes: Number(values.nodes),
  onSecond: (virtualMs) => {
    const text = `${Math.round(virtualMs / 1000)} s of virtual time, ${Math.round(process.cpuUsage().user / 1e6)} s of CPU`
    if (process.stderr.isTTY === true) process.stderr.write(`\r${text}`)
    else if (Math.floor(virtualMs / 1000) % 10 === 0) process.stderr.write(`${text}\n`)
  },
})
console.log(`${values.nodes} nodes, ${hostileNodes} of them hostile, seed ${values.seed}, commit ${commit}`)
for (const [at, { bytes, medianMs, lastMs, missing }] of calm.entries()) {
  const under = besieged[at]
  if (under === undefined) continue
  const times = (under.lastMs / lastMs).toFixed(1)
  console.log(
    `${bytes} bytes: half after ${medianMs.toFixed(0)} ms, besieged ${under.medianMs.toFixed(0)}; all after ${lastMs.toFixed(0)} ms, besieged ${under.lastMs.toFixed(0)} (${times} times); never ${missing + under.missing}`,
  )
}
console.log(`the eclipsed node says: ${victimSays}`)
console.log(`digests of the two runs: ${digests.map((digest) => digest.slice(0, 16)).join(' ')}`)
if (problem !== undefined) console.log(problem)
process.exitCode = problem === undefined ? 0 : 1
