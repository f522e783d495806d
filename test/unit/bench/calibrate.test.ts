/** What is told of the model against real machines is told of the model as it is. */
import { expect, test } from 'vitest'
import { type Calibration, questionOf } from '../../../bench/calibrate.ts'
import { kept } from '../../../bench/results.ts'
import { runOne } from '../../../src/sim/planner/run-one.ts'

const { host, points } = kept('calibrate').figures as Calibration

test.each(points)(
  'the model is the one that was held against real processes: $processes, $bytes bytes',
  (point) => {
    const toDo =
      'bench/results/calibrate.json tells of another model: `node bench/calibrate-model.ts` asks this one, then docs/simulate.md and README.md take its figures over'
    expect(runOne(questionOf(point, host), () => {}).hash, toDo).toBe(point.modelHash)
  },
)
