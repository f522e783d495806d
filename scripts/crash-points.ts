/**
 * Dies at every effect and at every write, meets a full and a failing disk at every write and a damaged record each
 * time: `npm run sim:points`, `-- --stride 10` for every tenth point, `-- --node 2 --kind effect --at 17` for one.
 * Exit code 1 where a promise broke, or no point was run.
 */
import { POINT_KINDS, type Point, pointsOf, runPoint } from '../src/sim/crash-points.ts'
import { optionsOf, wholeNumber } from './options.ts'

/** All of the fleet: two seeds, and three that are none. */
const NODES = [0, 1, 2, 3, 4]

const { values } = optionsOf({
  options: {
    stride: { type: 'string', default: '1' },
    node: { type: 'string' },
    kind: { type: 'string' },
    at: { type: 'string' },
  },
})

const stride = wholeNumber('stride', values.stride)
const nodes = values.node === undefined ? NODES : [wholeNumber('node', values.node, 0)]
let failed = 0
let runs = 0
for (const node of nodes)
  for (const point of await chosen(node)) {
    const { problem } = await runPoint(node, point)
    runs += 1
    if (problem === undefined) continue
    failed += 1
    const { kind, at } = point
    console.log(`${kind} ${at} of node ${node}: ${problem}`)
    console.log(`  replay: npm run sim:points -- --node ${node} --kind ${kind} --at ${at}`)
  }
console.log(`${runs} points, ${failed} failed`)
process.exitCode = failed === 0 && runs > 0 ? 0 : 1

async function chosen(node: number): Promise<Iterable<Point>> {
  const kind = POINT_KINDS.find((one) => one === values.kind)
  if (values.kind !== undefined && kind === undefined)
    throw new Error(`--kind: expected one of ${POINT_KINDS.join(', ')}, found ${values.kind}`)
  if (kind !== undefined && values.at !== undefined)
    return [{ kind, node, at: wholeNumber('at', values.at, 0) }]
  const points = [...pointsOf(node, await runPoint(node), stride)]
  return kind === undefined ? points : points.filter((point) => point.kind === kind)
}
