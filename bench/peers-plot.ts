/** The bytes that leave the origin against the size of the fleet, each system's line, from the results of `peers`. */
import { join } from 'node:path'
import { writePlot } from '../src/cli/plot.ts'
import type { Case } from './peers.ts'

const PLOT = join(import.meta.dirname, '../docs/origin-egress.svg')
const PAYLOAD_BYTES = 1024 * 1024
/** A line needs two ends. */
const MIN_POINTS = 2

/** Into `docs`. @returns false where there is too little to draw: the picture that is there stays */
export async function drawEgress(cases: readonly Case[]): Promise<boolean> {
  const fit = cases.filter(
    ({ payloadBytes, failed }) => payloadBytes === PAYLOAD_BYTES && failed === undefined,
  )
  const names = [...new Set(fit.map(({ system }) => system))]
  const series = names
    .map((name) => ({
      name,
      points: fit
        .filter(({ system }) => system === name)
        .sort((a, b) => a.subscribers - b.subscribers)
        .map(({ subscribers, originPayloads }) => [subscribers, originPayloads] as const),
    }))
    .filter(({ points }) => points.length >= MIN_POINTS)
  if (series.length === 0) return false
  const failed = cases.filter((one) => one.payloadBytes === PAYLOAD_BYTES && one.failed !== undefined)
  await writePlot(PLOT, {
    title: 'What leaves the origin for one release of 1 MiB',
    subtitle: [
      'measured: real processes on one machine, origin and subscribers in two network namespaces;',
      'bytes of the origin’s interface over the payload; npm run bench -- peers',
      ...failed.map(({ system, subscribers }) => `failed: ${system} with ${subscribers}`),
    ],
    x: { title: 'subscribers', scale: 'log' },
    y: { title: 'payloads sent by the origin', scale: 'log' },
    series,
    mark: 'points',
  })
  return true
}
