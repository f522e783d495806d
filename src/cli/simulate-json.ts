/** A simulated answer as programs read it: the figures, what was asked with every default, and each sentence about them. */
import type { Plan } from '../sim/planner/plan.ts'
import type { Question } from '../sim/planner/question.ts'
import { errorText } from './simulate-accuracy.ts'
import { assumptions, notes } from './simulate-text.ts'

export const jsonOf = (plan: Plan, question: Question) => ({
  ...plan,
  question: asked(question),
  notes: notes(plan, question),
  error: errorText(plan, question),
  assumptions: assumptions(plan, question),
})

const asked = ({ regions, storeBytesPerSecond, ...question }: Question) => ({
  links: question.links,
  gateways: question.gateways,
  borderBitsPerSecond: question.borderBitsPerSecond,
  storeBytesPerSecond: storeBytesPerSecond ?? null,
  failures: question.failures,
  loss: question.loss,
  rttMs: regions.rttMs,
  rttSource: regions.source,
})
