/** Where nodes die, each figure says of which of them it is. */
import { expect, test } from 'vitest'
import { plotOf } from '../../../src/cli/simulate-plot.ts'
import { questionOf, type SimulateOptions } from '../../../src/cli/simulate-question.ts'
import { describe as text } from '../../../src/cli/simulate-text.ts'
import { plan } from '../../../src/sim/planner/plan.ts'
import { runOne } from '../../../src/sim/planner/run-one.ts'

const OPTIONS: SimulateOptions = {
  ...{ nodes: '300', regions: 'us,eu,ap', size: '5MiB', churn: '0', link: '1Gbit', gateways: 'any' },
  ...{ seed: '1', releases: '1' },
}

test.each([
  { nodes: '300', size: '20MiB', churn: '60', lacking: 0 },
  { nodes: '1000', size: '5MiB', churn: '90', lacking: 10, seed: '3' },
])(
  'of $nodes nodes of which $churn % die times are told as of those that get it, with how many these are',
  async ({ lacking, ...typed }) => {
    const question = questionOf({ ...OPTIONS, ...typed })
    const answer = await plan(question, 1, () => {})
    const many = answer.reached.median
    expect(answer.unfinished).toBeGreaterThanOrEqual(lacking)
    expect(many).toBeGreaterThan(50)
    expect(many + answer.unfinished).toBeLessThan(question.nodes / 2)
    const said = text(answer, question)
    expect(said).not.toMatch(/half of them|% of nodes/)
    expect(said).toMatch(
      new RegExp(`^half of the ${many} that get it have it, checked, after .*, 99 % after`, 'm'),
    )
    expect(said).toMatch(new RegExp(`^time to 50 % of the ${many} that get it `, 'm'))
    const { subtitle, y } = plotOf(answer, question)
    expect(subtitle[1]).toMatch(new RegExp(`^99 % of the ${many} that get it after`))
    expect(y.title).toMatch(/of all but those dead without it$/)
  },
)

test('and of all where each has it', async () => {
  const question = questionOf({ ...OPTIONS, nodes: '12', size: '1MiB' })
  const answer = await plan(question, 2, () => {})
  expect(answer.reached).toEqual({ median: 12, min: 12, max: 12 })
  expect(text(answer, question)).toMatch(/^half of them have it, .*\n(.*\n)*time to 50 % of nodes /m)
  expect(plotOf(answer, question)).toMatchObject({ y: { title: 'nodes that have it, checked, %' } })
})

test.each(['4KiB', '5MiB'])('of %s each node says no more because others die', (size) => {
  const asked = { ...OPTIONS, size }
  const calm = runOne(questionOf(asked), () => {})
  const dying = runOne(questionOf({ ...asked, churn: '90' }), () => {})
  expect(dying.timesMs.length).toBeLessThan(200)
  expect(dying.controlBytesPerNode).toBeLessThan(calm.controlBytesPerNode)
})

test('what those received that died before they had checked it is not told as received by those that have it', () => {
  const question = questionOf({ ...OPTIONS, size: '4KiB', churn: '90' })
  const { receivedBytesPerNode, payloadBytes, timesMs } = runOne(
    { ...question, host: { hopMs: 60, hopSpreadMs: 0, blockMs: 1 } },
    () => {},
  )
  expect(timesMs.length).toBeGreaterThan(0)
  // So few live to hand it on that hardly anybody has it twice.
  expect(receivedBytesPerNode / payloadBytes).toBeLessThan(1.4)
})
