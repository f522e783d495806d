/** Who dies silently while a release in blocks is on its way, and at which tick; of the origin see `origin-death.ts`. */
import { LIMITS } from '../../limits.ts'
import { draw, happens, PURPOSE } from './draw.ts'
import type { Fleet } from './fleet.ts'
import { type Question, transferMs } from './question.ts'
import { ticksOfMs } from './ticks.ts'

/** A model's figure: in the program a neighbour that is asked for a block and silent is known to be so after `blockSilenceMs`. */
export const DETECT_TICKS = ticksOfMs(500)
/** In other regions: whoever lives gives signs of it to whom it lets wait. So long after the last of them, in the program. */
export const ABROAD_TICKS = ticksOfMs(LIMITS.blockSilenceMs + LIMITS.borderSilenceMs)

export function* deathsOf(
  question: Question,
  fleet: Fleet,
): Generator<readonly [tick: number, node: number]> {
  const { failures, seed } = question
  const transferTicks = ticksOfMs(transferMs(question))
  if (failures.gateway)
    for (const [first] of fleet.gateways)
      if (first !== undefined) yield [Math.floor(transferTicks / 2), first]
  if (failures.churn === 0) return
  for (let node = 1; node < fleet.size; node++)
    if (happens(draw(seed, node, PURPOSE.death, 0), failures.churn))
      yield [draw(seed, node, PURPOSE.death, 1) % Math.floor(transferTicks * 1.5), node]
}
