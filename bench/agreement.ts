/** The product's own cores beside the abstract model, the same fleets: what `simulate` says of its accuracy comes from here. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ComparedFleet, MOST_OFF } from '../src/sim/planner/agreement.ts'
import { CoreRelease } from '../src/sim/planner/core-release.ts'
import type { Question } from '../src/sim/planner/question.ts'
import { REAL_BLOCK_BYTES, runOne } from '../src/sim/planner/run-one.ts'
import { quantileOf, type RunResult } from '../src/sim/planner/run-result.ts'
import { MIB, question, THREE } from './planner-cases.ts'
import type { Row } from './results.ts'

/** Where `simulate` reads it. */
export const COMPARED_FILE = join(import.meta.dirname, '../src/sim/planner/compared.ts')

/** The two models' times at one share of the nodes: medians over the seeds. */
interface Compared {
  readonly coreMs: number
  readonly abstractMs: number
  /** The abstract model's share off, fleet by fleet: the median, and the quartiles around it. */
  readonly off: number
  readonly offFrom: number
  readonly offTo: number
}

export interface Agreed {
  readonly bytes: number
  readonly nodes: number
  readonly seeds: number
  readonly p50: Compared
  readonly p99: Compared
  readonly originCopies: number
  /** Of the first seed; none in what was kept before. */
  readonly modelHash?: string
}

/** What both are asked, by its seed. */
export const comparedQuestion = (bytes: number, nodes: number, seed: number): Question => ({
  ...question(THREE, nodes, bytes),
  seed,
})

export function agree(bytes: number, nodes: number, seeds: number): Agreed {
  const asked = Array.from({ length: seeds }, (_, n) => comparedQuestion(bytes, nodes, n + 1))
  // The model goes by the program's blocks as they are on average, wherever it counts what is under way.
  const cores = asked.map((one) => new CoreRelease(one, REAL_BLOCK_BYTES).run())
  const models = asked.map((one) => runOne(one, () => {}))
  const originCopies = over(
    cores.map(({ originBytes, payloadBytes }) => originBytes / payloadBytes),
    0.5,
  )
  return {
    ...{ bytes, nodes, seeds, originCopies },
    ...{ p50: compare(cores, models, 0.5), p99: compare(cores, models, 0.99) },
    ...(models[0] !== undefined && { modelHash: models[0].hash }),
  }
}

function compare(cores: readonly RunResult[], models: readonly RunResult[], q: number): Compared {
  const coresMs = cores.map(({ timesMs }) => quantileOf(timesMs, q))
  const modelsMs = models.map(({ timesMs }) => quantileOf(timesMs, q))
  const off = modelsMs.map((ms, at) => ms / (coresMs[at] as number) - 1)
  return {
    ...{ coreMs: over(coresMs, 0.5), abstractMs: over(modelsMs, 0.5) },
    ...{ off: over(off, 0.5), offFrom: over(off, 0.25), offTo: over(off, 0.75) },
  }
}

const over = (values: readonly number[], q: number): number => quantileOf(Float64Array.from(values).sort(), q)

export function agreedRow({ bytes, nodes, seeds, p50, p99, originCopies }: Agreed): Row {
  const percent = (share: number): string => (share * 100).toFixed(1)
  const offText = ({ off, offFrom, offTo }: Compared): string =>
    seeds === 1
      ? `${percent(off)} %`
      : `${percent(off)} % (quartiles ${percent(offFrom)} and ${percent(offTo)})`
  const ok = [p50, p99].every(({ off }) => Math.abs(off) <= MOST_OFF)
  return {
    what: `agreement: ${bytes < MIB ? '4 KiB' : `${bytes / MIB} MiB`}, ${nodes} nodes, 3 regions, ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}, p50 and p99 within ${MOST_OFF * 100} %`,
    figure: `${ok ? 'reached' : '**missed**'}: core ${p50.coreMs} / ${p99.coreMs} ms, abstract ${p50.abstractMs} / ${p99.abstractMs} ms: ${offText(p50)} and ${offText(p99)} off; ${Number(originCopies.toFixed(4))} copies out of the origin's core`,
  }
}

/** What of it the answers of `simulate` need. */
export function comparedFleet(agreed: Agreed): ComparedFleet {
  const { bytes, nodes, seeds, p50, p99, originCopies, modelHash } = agreed
  const quartiles = [p50, p99].flatMap(({ offFrom, offTo }) => [Math.abs(offFrom), Math.abs(offTo)])
  return {
    ...{ bytes, nodes, seeds, p50Off: rounded(p50.off), p99Off: rounded(p99.off) },
    ...{ halfWithin: rounded(Math.max(...quartiles)), originCopies: rounded(originCopies) },
    ...(modelHash !== undefined && { modelHash }),
  }
}

const rounded = (value: number): number => Number(value.toFixed(6))

export function comparedText(agreed: readonly Agreed[]): string {
  const fleets = agreed.map(comparedFleet).map((fleet) => {
    const fields = Object.entries(fleet).map(
      ([name, value]) => `    ${name}: ${typeof value === 'string' ? `'${value}'` : value},\n`,
    )
    return `  {\n${fields.join('')}  },\n`
  })
  return `/** Written by \`npm run bench -- planner\`: what it found, and nothing by hand. */
import type { ComparedFleet } from './agreement.ts'

export const COMPARED: readonly ComparedFleet[] = [\n${fleets.join('')}]\n`
}

export const keepCompared = (agreed: readonly Agreed[]): void =>
  writeFileSync(COMPARED_FILE, comparedText(agreed))
