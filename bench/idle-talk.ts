/** What a fleet in regions says while nothing is released, at an age. */
import { setTimeout as delay } from 'node:timers/promises'
import { idleRates } from './crossings.ts'
import { total } from './metrics.ts'
import type { Row } from './results.ts'
import { crossedBy, REGIONS, type Standing } from './standing-regions.ts'

export interface Idle {
  readonly nodesARegion: number
  /** Since the last node was started, as it begins. */
  readonly ageSeconds: number
  readonly seconds: number
  /** Over each border, one way. */
  readonly bytesPerSecondOverBorder: Readonly<Record<string, number>>
  readonly sentBytesPerSecondPerNode: number
}

/** At that age, or now where it is older. */
export async function idleAt(on: Standing, ageS: number, seconds: number): Promise<Idle> {
  await delay(Math.max(0, ageS * 1_000 - (performance.now() - on.fromMs)))
  const ageSeconds = Math.round((performance.now() - on.fromMs) / 1_000)
  const sent = async (): Promise<number> => {
    const all = [...on.living.values()].map(({ api }) => total(api, 'confmesh_network_sent_bytes_total'))
    return (await Promise.all(all)).reduce((sum, bytes) => sum + bytes, 0)
  }
  const before = await sent()
  const stretch = await crossedBy(on.border, () => delay(seconds * 1_000))
  const bytes = (await sent()) - before
  const rates = [...idleRates([stretch])].map(([border, rate]): [string, number] => [
    border,
    Math.round(rate),
  ])
  return {
    nodesARegion: on.nodes.length / REGIONS,
    ...{ ageSeconds, seconds },
    bytesPerSecondOverBorder: Object.fromEntries(rates),
    sentBytesPerSecondPerNode: Math.round((bytes * 1_000) / stretch.tookMs / on.living.size),
  }
}

export function idleRow(idle: Idle): Row {
  const rates = Object.values(idle.bytesPerSecondOverBorder).sort((a, b) => a - b)
  return {
    what: `${REGIONS} regions × ${idle.nodesARegion} nodes, idle, ${idle.ageSeconds} s after the last was started: over a border, one way, B/s (least to most) · sent by a node, B/s`,
    figure: `${rates[0]} to ${rates.at(-1)} · ${idle.sentBytesPerSecondPerNode}`,
  }
}
