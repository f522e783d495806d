/** How far the model is from the program itself, and what of a question was never compared. */
import { isDeepStrictEqual } from 'node:util'
import {
  COMPARED_REGIONS,
  type ComparedFleet,
  comparedBy,
  MOST_OFF,
  modelCopies,
} from '../sim/planner/agreement.ts'
import type { Plan } from '../sim/planner/plan.ts'
import { BORDER_BITS_PER_SECOND, EQUAL_LINKS, NO_FAILURES, type Question } from '../sim/planner/question.ts'
import { publishedRegions, type Regions } from '../sim/planner/regions.ts'
import { isSmall } from '../sim/planner/run-one.ts'
import { ENVELOPE_BYTES } from '../sim/planner/small.ts'
import { isPaced } from '../sim/planner/store-pace.ts'
import { bytesText, count } from './simulate-units.ts'

export function errorText({ transport }: Pick<Plan, 'transport'>, question: Question): string {
  const fleets = comparedBy(transport)
  const outside = notCompared(question, fleets).join(', ')
  const rest = outside === '' ? '' : ` Not compared: ${outside}.`
  return `${agreementText(fleets)}.${rest} Real machines: docs/simulate.md.`
}

/** Of each fleet that both were asked for, that of the question or not: how far off larger ones are, nobody knows. */
export const agreementText = (fleets: readonly ComparedFleet[]): string =>
  `times to 50 / 99 % of the nodes against the program's own state machines, on simulated links too, in ${COMPARED_REGIONS.length} regions (− is too soon): ${fleets.map(fleetText).join('; ')}`

function fleetText(fleet: ComparedFleet): string {
  const { nodes, seeds, p50Off, p99Off, halfWithin } = fleet
  const of = seeds === 1 ? '1 seed' : `median of ${seeds} seeds, one in two within ${percent(halfWithin)} %`
  const missed =
    Math.max(Math.abs(p50Off), Math.abs(p99Off)) > MOST_OFF
      ? `, more than the ${percent(MOST_OFF)} % that are the goal`
      : ''
  return `${bytesText(sizeOf(fleet))}, ${count(nodes)} nodes: ${signed(p50Off)} / ${signed(p99Off)} % (${of})${missed}${copiesText(fleet)}`
}

function copiesText({ bytes, originCopies }: ComparedFleet): string {
  const [cores, model] = [Number(originCopies.toFixed(1)), modelCopies(bytes)]
  return cores === model ? '' : `, and ${cores} copies left the origin where the model has ${model}`
}

/** Of one message, all of it. */
const sizeOf = ({ bytes }: ComparedFleet): number => (isSmall(bytes) ? bytes + ENVELOPE_BYTES : bytes)

const percent = (share: number): string => String(Number((Math.abs(share) * 100).toFixed(1)))

const signed = (share: number): string => {
  const text = percent(share)
  return text === '0' ? text : `${share < 0 ? '−' : '+'}${text}`
}

function notCompared(question: Question, fleets: readonly ComparedFleet[]): string[] {
  const { links, borderBitsPerSecond, gateways, storeBytesPerSecond, failures } = question
  return [
    ...sizeNotCompared(question, fleets),
    ...regionsNotCompared(question.regions),
    ...(isDeepStrictEqual(failures, NO_FAILURES) ? [] : ['failures']),
    ...(isDeepStrictEqual(links, EQUAL_LINKS) ? [] : ['other links than 1 Gbit/s']),
    ...(borderBitsPerSecond === BORDER_BITS_PER_SECOND ? [] : ['this border']),
    ...(gateways === 'any' ? [] : ['fast gateways']),
    ...(storeBytesPerSecond === undefined || !isPaced(question) ? [] : ['slow stores']),
  ]
}

/** Not each size was compared in each size of fleet. */
function sizeNotCompared({ bytes, nodes }: Question, fleets: readonly ComparedFleet[]): string[] {
  const alike = fleets.filter((fleet) => fleet.nodes === nodes)
  const [size, fleet] = [bytesText(bytes), `${count(nodes)} nodes`]
  if (alike.length === 0) return isAmong(bytes, fleets) ? [fleet] : [size, fleet]
  if (isAmong(bytes, alike)) return []
  return [isAmong(bytes, fleets) ? `${size} with ${fleet}` : size]
}

/** What is shorter than a message that was compared differs little from it. */
function isAmong(bytes: number, fleets: readonly ComparedFleet[]): boolean {
  const sizes = fleets.map(sizeOf)
  return bytes <= Math.max(...sizes) && (isSmall(bytes) || bytes >= Math.min(...sizes))
}

/** Whichever of them is home. */
function regionsNotCompared({ names, rttMs }: Regions): string[] {
  const compared = COMPARED_REGIONS
  if (names.length !== compared.length) return [names.length === 1 ? '1 region' : `${names.length} regions`]
  // Who gives own round trips may call them by the names of published ones.
  const isCompared =
    isDeepStrictEqual(names.toSorted(), compared.toSorted()) &&
    isDeepStrictEqual(rttMs, publishedRegions(names).rttMs)
  return isCompared ? [] : ['these round trips']
}
