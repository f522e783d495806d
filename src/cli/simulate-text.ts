/** A simulated answer as people read it: words first, then the table, then what it rests on. */
import { isDeepStrictEqual } from 'node:util'
import Table from 'cli-table3'
import { LIMITS } from '../limits.ts'
import { ABROAD_TICKS, DETECT_TICKS } from '../sim/planner/deaths.ts'
import type { Plan, Spread } from '../sim/planner/plan.ts'
import { NO_FAILURES, type Question } from '../sim/planner/question.ts'
import { isSmall, REAL_BLOCK_BYTES } from '../sim/planner/run-one.ts'
import { isPaced } from '../sim/planner/store-pace.ts'
import { TICKS_PER_MS } from '../sim/planner/ticks.ts'
import { MAX_HOURS } from '../sim/planner/wheel.ts'
import { errorText } from './simulate-accuracy.ts'
import { bytesText, count, payloads, rate, time } from './simulate-units.ts'
import { PLAIN } from './text.ts'

export function describe(plan: Plan, question: Question): string {
  return [words(plan, question), '', table(plan), '', ...basis(plan, question)].join('\n')
}

function words(plan: Plan, question: Question): string {
  const { nodes, regions, originBytes, payloadBytes } = plan
  const where = regions.length === 1 ? regions[0] : `${regions.length} regions`
  const lines = [
    `${count(nodes)} nodes in ${where}, a release of ${bytesText(plan.bytes)}${trouble(question)}:`,
    reached(plan),
    `The origin sends ${payloads(originBytes.median, payloadBytes)} (${bytesText(originBytes.median)}).`,
  ]
  if (plan.borders.length > 0) {
    const least = Math.min(...plan.borders.map(({ bytes }) => bytes.median))
    const most = Math.max(...plan.borders.map(({ bytes }) => bytes.max))
    const from = (least / payloadBytes).toFixed(2)
    const range = from === (most / payloadBytes).toFixed(2) ? '' : `${Number(from)} to `
    lines.push(`${range}${payloads(most, payloadBytes)} over the border into each other region.`)
  }
  return [...lines, ...notes(plan, question)].join('\n')
}

/** What must be known beside the figures; also in `--json`. */
export function notes(plan: Plan, question: Question): string[] {
  return [
    ...(plan.unfinished > 0 ? [lacking(plan, question)] : []),
    ...(isPaced(question) && question.storeBytesPerSecond === undefined
      ? [
          `Too soon where stores are slow: the program asks for more than ${bytesText(LIMITS.pacedBytes)} no faster than a quarter of what the store takes; say how much that is (--store 200MB).`,
        ]
      : []),
  ]
}

function reached(plan: Plan): string {
  const { timeMs } = plan
  if (Number.isNaN(timeMs.p50.median)) return 'none of them has it at the end.'
  return `half of ${whoGetIt(plan) ?? 'them'} have it, checked, after ${time(timeMs.p50.median)}, 99 % after ${time(timeMs.p99.median)}, the last after ${time(timeMs.all.median)}.`
}

/** Of whom all times are, where that is not the whole fleet: who died may have had it before, and who lives may lack it. */
export function whoGetIt({ nodes, reached: { min, max } }: Plan): string | undefined {
  if (min === nodes || max === 0) return undefined
  return `the ${min === max ? count(min) : `${count(min)} to ${count(max)}`} that get it`
}

function lacking({ releases, incomplete }: Plan, question: Question): string {
  const nodes = `${count(incomplete.mostNodes)} living ${incomplete.mostNodes === 1 ? 'node' : 'nodes'}`
  const who =
    releases === 1
      ? `${nodes} did not get it`
      : `In ${incomplete.releases} of ${releases} releases living nodes did not get it, in the worst ${nodes}`
  return `${who}: ${isSmall(question.bytes) ? whyOfGossip(question) : why(incomplete, question)}`
}

const notWithin = (what: string): string => `not within ${what}, which is all that is simulated`

/** Nothing is lost where nobody dies: then it is time that ran out. */
function whyOfGossip(question: Question): string {
  if (trouble(question) === '') return `${notWithin('a minute')}.`
  return 'gossip did not reach them. The program brings it to them by sync, within some 20 s of a link to one that has it; sync is not simulated.'
}

function why({ releases, outOfTime }: Plan['incomplete'], question: Question): string {
  if (outOfTime === releases) return `${notWithin(`${MAX_HOURS} hours`)}.`
  if (trouble(question) === '') {
    const some = outOfTime > 0 ? `${notWithin(`${MAX_HOURS} hours`)}, or ` : ''
    return `${some}nobody got any of it for half a minute, or longer where links are slow, which ends a run.`
  }
  return question.failures.originAfterPayloads === undefined
    ? 'all gateways of their region died, or of one that feeds it, or all their neighbours. In the program others take their place; that is not simulated.'
    : 'some of its blocks died with their only holders, or all gateways of a region did.'
}

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
  row(`time to 50 % of ${whoGetIt(plan) ?? 'nodes'}`, plan.timeMs.p50, time)
  row('time to 99 %', plan.timeMs.p99, time)
  row('time to 100 %', plan.timeMs.all, time)
  if (plan.ofLineTime !== null) row('99 %: time over own line time', plan.ofLineTime, (x) => x.toFixed(2))
  row('bytes out of the origin', plan.originBytes, bytesText)
  if (plan.borders.length > 0) row(`bytes out of ${plan.regions[0]}`, plan.leftHomeBytes, bytesText)
  for (const { region, bytes } of plan.borders) row(`bytes into ${region}`, bytes, bytesText)
  row('payload bytes received by a node', plan.receivedBytesPerNode, bytesText)
  row('beyond one payload', plan.duplicateShare, (share) => `${(share * 100).toFixed(1)} %`)
  row('control bytes of a node', plan.controlBytesPerNode, bytesText)
  return rows.toString()
}

function basis(plan: Plan, question: Question): string[] {
  const header =
    plan.transport === 'gossip'
      ? ''
      : ' The header goes before it by gossip: it counts in what leaves the origin and crosses borders, and as control of a node.'
  const blocks =
    plan.blockBytes === null ? 'gossip, one message' : `pulled in blocks of ${bytesText(plan.blockBytes)}`
  return [
    `A payload is the content and what describes it: ${bytesText(plan.payloadBytes)}.${header}${plan.ofLineTime === null ? '' : ' Own line time: the content over the node’s own downlink.'}`,
    `Model: ${plan.model}, ${blocks}; ${plan.releases} ${plan.releases === 1 ? 'release' : 'releases'}, seed ${plan.seed}, ${count(plan.events)} events${plan.hashes.length === 1 ? `, hash ${plan.hashes[0]}` : ''}.`,
    `Accuracy: ${errorText(plan, question)}`,
    `Round trips: ${question.regions.source}.`,
    ...assumptions(plan, question),
  ]
}

/** What the figures rest on, one a line; also in `--json`. */
export function assumptions(plan: Plan, question: Question): string[] {
  return [
    ...linksText(question),
    ...(plan.transport === 'gossip'
      ? [
          'Each hop takes 2 ms and a random 1 ms at the mean to check; 0.1 % of packets are lost and cost at least 200 ms.',
        ]
      : blocksText(plan, question)),
    ...storeText(question),
    ...notInIt(plan, question),
  ]
}

function linksText({ links, borderBitsPerSecond }: Question): string[] {
  const classes = links.map(
    ({ share, upBitsPerSecond, downBitsPerSecond }) =>
      `${share * 100} % at ${rate(upBitsPerSecond)} up and ${rate(downBitsPerSecond)} down`,
  )
  const origin = links.length > 1 ? ', the origin with the fastest' : ''
  return [
    `Links: ${classes.join(', ')}${origin}; each region's border ${rate(borderBitsPerSecond)} each way.`,
  ]
}

/** Of a block whose copies double at best in what one takes on the fastest uplink: so often they do once the last has left the origin. */
function coarseText({ bytes, blockBytes, reached }: Plan): string[] {
  if (blockBytes === null || blockBytes <= LIMITS.maxBlockBytes) return []
  const doublings = Math.floor(Math.log2(Math.max(1, Math.ceil(reached.min / 2))))
  const longer = (each: number): string => `${Number(((100 * doublings * each) / bytes).toFixed(1))} %`
  const late =
    doublings === 0
      ? 'a little late.'
      : `late: passed on whole, they make them at least ${longer(blockBytes)} longer than the content takes on the fastest uplink, where the program’s make them ${longer(REAL_BLOCK_BYTES)} longer.`
  return [`The blocks are larger than the program’s, which makes times ${late}`]
}

function deathsText(): string {
  const { blockSilenceMs, borderSilenceMs, standMs } = LIMITS
  const abroadMs = blockSilenceMs + borderSilenceMs
  const seconds = (ms: number): string => `${ms / 1_000} s`
  return `Deaths are found out after ${seconds(DETECT_TICKS / TICKS_PER_MS)}, over a border after ${seconds(ABROAD_TICKS / TICKS_PER_MS)}: in the program ${seconds(blockSilenceMs)} after that node was asked for a block, over a border ${seconds(abroadMs)} after its last word, and ${seconds(abroadMs + standMs)} after it was asked where no block crosses meanwhile; by others after up to 75 s.`
}

function blocksText(plan: Plan, question: Question): string[] {
  const { links, gateways, failures } = question
  return [
    'Time begins when the origin has the whole. 1 ms to check a block, warm connections, no packet loss but of the header.',
    ...coarseText(plan),
    ...(links.length > 1
      ? [
          gateways === 'any'
            ? 'Gateways are any nodes: a slow one hands its part on to faster ones, which costs its region some time.'
            : 'Gateways are nodes of the fastest uplink: in the program so where all others are configured to stand last.',
        ]
      : []),
    ...(isDeepStrictEqual(failures, NO_FAILURES) ? [] : [deathsText()]),
  ]
}

function notInIt({ transport }: Plan, question: Question): string[] {
  const isAsked = question.storeBytesPerSecond !== undefined && isPaced(question)
  return [
    transport === 'gossip'
      ? 'Not in it: sync, which brings a release to whom gossip has missed.'
      : 'Not in it: blocks that come twice, as they were late and asked elsewhere, too; other nodes that ask for what gateways do not bring.',
    `Not in it: ${isAsked ? '' : 'slow disks, '}several releases at once, seeds beside the origin, other traffic on the links, how fast the real program fills a link, activation.`,
  ]
}

function storeText(question: Question): string[] {
  const { storeBytesPerSecond } = question
  if (storeBytesPerSecond === undefined) return []
  if (isPaced(question))
    return [
      `Nodes take no more than a quarter of what their store takes, ${bytesText(storeBytesPerSecond)} a second.`,
    ]
  return [
    `Of a release of up to ${bytesText(LIMITS.pacedBytes)} nodes ask for all that their links carry, whatever the store takes: --store has no effect.`,
  ]
}
