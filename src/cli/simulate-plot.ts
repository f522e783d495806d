/** How a release spreads through a simulated fleet: share of the nodes that have it, by time. */
import type { Plan } from '../sim/planner/plan.ts'
import type { Question } from '../sim/planner/question.ts'
import { type Plot, subtitleLines } from './plot.ts'
import { errorText } from './simulate-accuracy.ts'
import { whoGetIt } from './simulate-text.ts'
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
    y: { title: shareOf(plan), scale: 'linear' },
    series: [
      {
        name: 'nodes',
        points: [[0, 0], ...plan.curve.map(({ ms, share }) => [ms / unit.ms, share * 100] as const)],
      },
    ],
    mark: 'step',
  }
}

const shareOf = (plan: Plan): string =>
  whoGetIt(plan) === undefined
    ? 'nodes that have it, checked, %'
    : 'nodes that have it, checked, % of all but those dead without it'

/** Drawn is the first release alone. */
function p99Of(plan: Plan, unit: { readonly title: string; readonly ms: number }): string {
  const { timeMs, releases } = plan
  if (Number.isNaN(timeMs.p99.median)) return 'nobody has it'
  const text = `${(timeMs.p99.median / unit.ms).toFixed(unit.ms === 1 ? 0 : 2)} ${unit.title}`
  const who = whoGetIt(plan)
  return `99 %${who === undefined ? '' : ` of ${who}`} after ${text}${releases === 1 ? '' : ` (median of ${releases} releases; drawn is the first)`}`
}
