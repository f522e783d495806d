/** How a release spreads through a simulated fleet: share of the nodes that have it, by time. */
import type { Plan } from '../sim/planner/plan.ts'
import type { Question } from '../sim/planner/question.ts'
import { type Plot, subtitleLines } from './plot.ts'
import { errorText } from './simulate-accuracy.ts'
import { bytesText } from './simulate-units.ts'

export function plotOf(plan: Plan, question: Question): Plot {
  const unit = plan.timeMs.all.median < 2_000 ? { title: 'ms', ms: 1 } : { title: 's', ms: 1_000 }
  return {
    title: `${plan.nodes.toLocaleString('en-US')} nodes, a release of ${bytesText(plan.bytes)}`,
    subtitle: [
      `simulated, model: ${plan.model}, ${plan.transport}; seed ${plan.seed}; home ${plan.regions[0]}`,
      `${p99Of(plan, unit)}; round trips: ${question.regions.source}`,
      ...subtitleLines(`accuracy: ${errorText(plan, question)}`),
    ],
    x: { title: `time since the origin accepted it, ${unit.title}`, scale: 'linear' },
    y: { title: 'living nodes that have it, checked, %', scale: 'linear' },
    series: [
      {
        name: 'nodes',
        points: [[0, 0], ...plan.curve.map(({ ms, share }) => [ms / unit.ms, share * 100] as const)],
      },
    ],
    mark: 'step',
  }
}

/** Drawn is the first release alone. */
function p99Of(
  { timeMs, releases, unfinished }: Plan,
  unit: { readonly title: string; readonly ms: number },
): string {
  if (Number.isNaN(timeMs.p99.median)) return 'nobody has it'
  const text = `${(timeMs.p99.median / unit.ms).toFixed(unit.ms === 1 ? 0 : 2)} ${unit.title}`
  const of = unfinished > 0 ? ' of those that get it' : ''
  return `99 %${of} after ${text}${releases === 1 ? '' : ` (median of ${releases} releases; drawn is the first)`}`
}
