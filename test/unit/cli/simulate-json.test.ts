import { expect, test } from 'vitest'
import { jsonOf } from '../../../src/cli/simulate-json.ts'
import { questionOf, type SimulateOptions } from '../../../src/cli/simulate-question.ts'
import { describe as text } from '../../../src/cli/simulate-text.ts'
import { plan } from '../../../src/sim/planner/plan.ts'

const OPTIONS: SimulateOptions = {
  ...{ nodes: '9', regions: 'us,eu,ap', size: '17MiB', churn: '0', link: '1Gbit', gateways: 'any' },
  ...{ seed: '1', releases: '1' },
}

test('programs are told all that people are: why nodes lack it, and that stores may be slow', async () => {
  const question = questionOf({ ...OPTIONS, churn: '10' })
  const lacking = { unfinished: 3, incomplete: { releases: 1, mostNodes: 3, outOfTime: 0 } }
  const answer = { ...(await plan(question, 1, () => {})), ...lacking }
  const { notes, assumptions, error } = jsonOf(answer, question)
  expect(notes).toEqual([
    expect.stringMatching(/^3 living nodes did not get it: all gateways/),
    expect.stringMatching(/^Too soon where stores are slow: /),
  ])
  const lines = text(answer, question).split('\n')
  expect(lines).toEqual(expect.arrayContaining([...notes, ...assumptions, `Accuracy: ${error}`]))
})

test('and nothing where there is nothing to note; what was not asked about is null', async () => {
  const question = questionOf({ ...OPTIONS, size: '1MiB' })
  expect(jsonOf(await plan(question, 1, () => {}), question)).toMatchObject({
    notes: [],
    question: { storeBytesPerSecond: null, rttMs: question.regions.rttMs, links: question.links },
  })
})
