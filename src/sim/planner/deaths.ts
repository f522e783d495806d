/** Who dies silently while a release in blocks is on its way, and at which tick; of the origin see `origin-death.ts`. */
import { draw, happens, PURPOSE } from './draw.ts'
import type { Fleet } from './fleet.ts'
import { type Question, transferMs } from './question.ts'
import { ticksOfMs } from './ticks.ts'

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
