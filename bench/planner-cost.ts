/** What one simulated release costs, in a process of its own: CPU seconds and greatest resident memory, as JSON. */
import { runOne } from '../src/sim/planner/run-one.ts'
import { question, THREE } from './planner-cases.ts'

const [nodes, bytes] = process.argv.slice(2).map(Number)
const { events } = runOne(question(THREE, nodes ?? 0, bytes ?? 0), () => {})
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
process.stdout.write(
  JSON.stringify({ events, cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, rssMiB: maxRSS / 1024 }),
)
