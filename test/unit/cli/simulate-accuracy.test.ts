import { expect, test } from 'vitest'
import { agreementText, errorText } from '../../../src/cli/simulate-accuracy.ts'
import type { ComparedFleet } from '../../../src/sim/planner/agreement.ts'
import { COMPARED } from '../../../src/sim/planner/compared.ts'
import {
  BORDER_BITS_PER_SECOND,
  EQUAL_LINKS,
  LOSS,
  NO_FAILURES,
  type Question,
} from '../../../src/sim/planner/question.ts'
import { publishedRegions } from '../../../src/sim/planner/regions.ts'
import { isSmall } from '../../../src/sim/planner/run-one.ts'

const MIB = 2 ** 20
const ask = (nodes: number, bytes: number, more: Partial<Question> = {}): Question => ({
  ...{ nodes, bytes, regions: publishedRegions(['eu-west-1', 'us-east-1', 'ap-northeast-1']) },
  ...{ links: EQUAL_LINKS, gateways: 'any', borderBitsPerSecond: BORDER_BITS_PER_SECOND },
  ...{ failures: NO_FAILURES, loss: LOSS, seed: 1 },
  ...more,
})
const said = (question: Question): string =>
  errorText({ transport: isSmall(question.bytes) ? 'gossip' : 'blocks' }, question)

const FLEET: ComparedFleet = {
  ...{ bytes: 8 * MIB, nodes: 200, seeds: 3, p50Off: 0.01, p99Off: -0.0996, halfWithin: 0.1234 },
  originCopies: 1.0002,
}

test('each fleet that was compared is told, by how much the model is off there, and where that is too much', () => {
  expect(agreementText([FLEET, { ...FLEET, seeds: 1, p99Off: -0.1117 }])).toMatch(
    /in 3 regions \(− is too soon\): 8 MiB, 200 nodes: \+1 \/ −10 % \(median of 3 seeds, one in two within 12\.3 %\); 8 MiB, 200 nodes: \+1 \/ −11\.2 % \(1 seed\), more than the 10 % that are the goal$/,
  )
  expect(agreementText([{ ...FLEET, bytes: 4_096 - 600, p50Off: -0.0001, originCopies: 7 }])).toMatch(
    /: 4 KiB, 200 nodes: 0 \/ −10 % \(.*\), and 7 copies left the origin where the model has 6$/,
  )
})

test.each(COMPARED)('what was compared is not said to be compared with nothing: %o', ({ nodes, bytes }) => {
  expect(said(ask(nodes, bytes))).not.toMatch(/Not compared/)
})

test('the answer for blocks names all fleets with blocks, and no other', () => {
  const fleets = COMPARED.filter(({ bytes }) => !isSmall(bytes))
  expect(said(ask(20_000, 100 * MIB))).toContain(`${agreementText(fleets)}.`)
})

test('a size that was compared in other fleets alone is said not to be, with the fleet', () => {
  const most = COMPARED.toSorted((a, b) => a.nodes * a.bytes - b.nodes * b.bytes).at(-1) as ComparedFleet
  expect(said(ask(most.nodes, MIB))).toMatch(new RegExp(`Not compared: 1 MiB with ${most.nodes} nodes\\.`))
  const beyond = 2 * Math.max(...COMPARED.map(({ bytes }) => bytes))
  expect(said(ask(most.nodes, beyond))).toMatch(new RegExp(`Not compared: ${beyond / MIB} MiB\\.`))
  expect(said(ask(51, MIB))).toMatch(/Not compared: 51 nodes\./)
  expect(said(ask(51, MIB - 1))).toMatch(/Not compared: 1024 KiB, 51 nodes\./)
})
