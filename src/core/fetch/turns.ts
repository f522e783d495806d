/**
 * Who brings a block in while nothing comes, turn by turn: at first the one that is elected, then the four that rank
 * first, sixteen, sixty-four. Each turn lasts twice as long as the one before. Where all is late rather than dead, turns
 * of equal length would have the whole region ask its seed before the first has had time to answer.
 */

const MORE_BY_TURN = 4

/** Turns begin after 0, 1, 3, 7, 15 … times `stuckMs` without any block. */
const beginsMs = (turn: number, stuckMs: number): number => (2 ** turn - 1) * stuckMs

export function turnAt(withoutMs: number, stuckMs: number): number {
  let turn = 0
  while (beginsMs(turn + 1, stuckMs) <= withoutMs) turn += 1
  return turn
}

/** After how long without any block the next turn begins. */
export const nextTurnMs = (withoutMs: number, stuckMs: number): number =>
  beginsMs(turnAt(withoutMs, stuckMs) + 1, stuckMs)

/** Of those that may bring a block in, so many do by this turn: the first in rank. */
export const manyAt = (turn: number): number => MORE_BY_TURN ** turn
