/** A simulated answer as people read it: words first, then the table, then what it rests on. */
import Table from 'cli-table3'
import { BLOCKS_AGREEMENT, GOSSIP_AGREEMENT } from '../sim/planner/agreement.ts'
import type { Plan, Spread } from '../sim/planner/plan.ts'
import type { Question } from '../sim/planner/question.ts'
import { isSmall } from '../sim/planner/run-one.ts'
import { MAX_HOURS } from '../sim/planner/wheel.ts'
import { PLAIN } from './text.ts'

export function describe(plan: Plan, question: Question): string {
  return [words(plan, question), '', table(plan), '', ...basis(plan, question)].join('\n')
}

function words(plan: Plan, question: Question): string {
  const { timeMs, nodes, regions, originBytes, payloadBytes } = plan
  const where = regions.length === 1 ? regions[0] : `${regions.length} regions`
  const lines = [
    `${count(nodes)} nodes in ${where}, a release of ${bytesText(plan.bytes)}${trouble(question)}:`,
    Number.isNaN(timeMs.p50.median)
      ? 'none of them has it at the end.'
      : `half of them have it, checked, after ${time(timeMs.p50.median)}, 99 % after ${time(timeMs.p99.median)}, the last after ${time(timeMs.all.median)}.`,
    `The origin sends ${payloads(originBytes.median, payloadBytes)} (${bytesText(originBytes.median)}).`,
  ]
  if (plan.borders.length > 0) {
    const worst = Math.max(...plan.borders.map(({ bytes }) => bytes.max))
    lines.push(
      `${payloads(middle(plan), payloadBytes)} over the border into each other region, ${payloads(worst, payloadBytes)} at worst.`,
    )
  }
  if (plan.unfinished > 0) lines.push(`${count(plan.unfinished)} ${why(question)}`)
  return lines.join('\n')
}

/** Nothing is lost where nobody dies: then it is time that ran out. */
const why = (question: Question): string =>
  trouble(question) === ''
    ? `nodes had not got it within ${isSmall(question.bytes) ? 'a minute' : `${MAX_HOURS} hours`}, which is all that is simulated.`
    : 'living nodes never got it: some of its blocks died with their only holders.'

function trouble({ failures }: Question): string {
  const what = [
    ...(failures.churn > 0 ? [`${Math.round(failures.churn * 1000) / 10} % of the nodes die meanwhile`] : []),
    ...(failures.gateway ? ['the first gateway of every region dies'] : []),
    ...(failures.originAfterPayloads === undefined ? [] : ['the origin dies']),
  ]
  return what.length === 0 ? '' : `, while ${what.join(', ')}`
}

function table(plan: Plan): string {
  const several = plan.releases > 1
  const rows = new Table({
    chars: PLAIN,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    ...(several ? { head: ['', 'median', 'least', 'most'] } : {}),
  })
  const row = (what: string, { median, min, max }: Spread, show: (value: number) => string): void => {
    const cells = (several ? [median, min, max] : [median]).map((value) =>
      Number.isNaN(value) ? 'none has it' : show(value),
    )
    rows.push([what, ...cells])
  }
  row('time to 50 % of nodes', plan.timeMs.p50, time)
  row('time to 99 %', plan.timeMs.p99, time)
  row('time to 100 %', plan.timeMs.all, time)
  if (plan.ofLineTime !== null) row('99 %: time over own line time', plan.ofLineTime, (x) => x.toFixed(2))
  row('bytes out of the origin', plan.originBytes, bytesText)
  for (const { region, bytes } of plan.borders) row(`bytes into ${region}`, bytes, bytesText)
  row('payload bytes received by a node', plan.receivedBytesPerNode, bytesText)
  row('beyond one payload', plan.duplicateShare, (share) => `${(share * 100).toFixed(1)} %`)
  row('control bytes of a node', plan.controlBytesPerNode, bytesText)
  return rows.toString()
}

function basis(plan: Plan, question: Question): string[] {
  const blocks =
    plan.blockBytes === null ? 'gossip, one message' : `pulled in blocks of ${bytesText(plan.blockBytes)}`
  return [
    `Model: ${plan.model}, ${blocks}; ${plan.releases} ${plan.releases === 1 ? 'release' : 'releases'}, seed ${plan.seed}, ${count(plan.events)} events.`,
    errorText(plan),
    `Round trips: ${question.regions.source}.`,
    ...assumptions(plan, question),
  ]
}

/** How far the model is from the program itself. */
export function errorText({ transport }: Plan): string {
  const gossip = transport === 'gossip'
  const { nodes, seeds, p50Percent, p99Percent } = gossip ? GOSSIP_AGREEMENT : BLOCKS_AGREEMENT
  const what = gossip ? '4 KiB' : '1 to 8 MiB'
  return `Error: against the program's own state machines, ${what}, ${nodes} nodes and ${seeds} seeds, ${p50Percent} % at half of the nodes and ${p99Percent} % at 99 %; real machines: docs/simulate.md.`
}

/** What the figures rest on, one a line; also in `--json`. */
export function assumptions(plan: Plan, question: Question): string[] {
  const rate = (bits: number): string => (bits >= 1e9 ? `${bits / 1e9} Gbit/s` : `${bits / 1e6} Mbit/s`)
  const links = question.links.map(
    ({ share, upBitsPerSecond, downBitsPerSecond }) =>
      `${share * 100} % at ${rate(upBitsPerSecond)} up and ${rate(downBitsPerSecond)} down`,
  )
  return [
    `Links: ${links.join(', ')}; each region's border ${rate(question.borderBitsPerSecond)} each way.`,
    plan.transport === 'gossip'
      ? 'Each hop takes 2 ms and a random 1 ms at the mean to check; 0.1 % of packets are lost and cost at least 200 ms.'
      : 'Time begins when the origin has the whole. 1 ms to check a block, warm connections, no packet loss.',
    ...(plan.transport === 'blocks' && question.links.length > 1
      ? [
          `Gateways are ${question.gateways === 'any' ? 'any nodes' : 'nodes of the fastest uplink'}: a slow one holds its region up.`,
        ]
      : []),
    'Not in it: slow disks, several releases at once, other traffic on the links, how fast the real program fills a link.',
  ]
}

const middle = ({ borders }: Plan): number => {
  const medians = borders.map(({ bytes }) => bytes.median).sort((a, b) => a - b)
  return medians[Math.floor((medians.length - 1) / 2)] ?? 0
}

const count = (n: number): string => n.toLocaleString('en-US')

function payloads(bytes: number, payload: number): string {
  const n = Number((bytes / payload).toFixed(2))
  return `${n} ${n === 1 ? 'payload' : 'payloads'}`
}

function time(ms: number): string {
  return ms < 1_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(2)} s`
}

export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes.toFixed(0)} B`
  const power = bytes < 2 ** 20 ? 1 : bytes < 2 ** 30 ? 2 : bytes < 2 ** 40 ? 3 : 4
  const text = (bytes / 1024 ** power).toFixed(1).replace(/\.0$/, '')
  return `${text} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`
}
