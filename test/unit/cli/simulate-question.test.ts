import { expect, test } from 'vitest'
import {
  questionOf,
  rateOf,
  regionsOf,
  type SimulateOptions,
  sizeOf,
} from '../../../src/cli/simulate-question.ts'
import { describe as text } from '../../../src/cli/simulate-text.ts'
import { plan } from '../../../src/sim/planner/plan.ts'

const OPTIONS: SimulateOptions = {
  ...{ nodes: '1000', regions: 'us,eu,ap', size: '4KiB', churn: '0', link: '1Gbit', gateways: 'any' },
  ...{ seed: '1', releases: '1' },
}

test.each([
  ['1', 1],
  ['4KiB', 4_096],
  ['1.5MiB', 1_572_864],
  ['2GB', 2e9],
  ['64GiB', 64 * 2 ** 30],
])('a size of %s', (typed, bytes) => {
  expect(sizeOf('--size', typed)).toBe(bytes)
})

test.each([
  ['1Mbit', 1e6],
  ['2.5Gbit', 2.5e9],
])('a rate of %s', (typed, bits) => {
  expect(rateOf('--link', typed)).toBe(bits)
})

test('regions: published ones by short or full name, own ones by their way home', () => {
  expect(regionsOf('eu,us-east-1').names).toEqual(['eu-west-1', 'us-east-1'])
  expect(regionsOf('eu,us').rttMs).toEqual([
    [0, 80.55],
    [80.55, 0],
  ])
  // Between the ship and the plant the way is over home; between two published regions it is the published one.
  expect(regionsOf('us,plant=35,ship=600,eu').rttMs).toEqual([
    [0, 35, 600, 80.55],
    [35, 0, 635, 115.55],
    [600, 635, 0, 680.55],
    [80.55, 115.55, 680.55, 0],
  ])
})

test.each<[string, Partial<SimulateOptions>]>([
  ['--nodes', { nodes: '0' }],
  ['--nodes', { nodes: '1000001' }],
  ['--nodes', { nodes: '2', regions: 'us,eu,ap' }],
  ['--nodes', { nodes: '500000', size: '1GiB' }],
  ['--nodes', { nodes: '1e3' }],
  ['--regions', { regions: '' }],
  ['--regions', { regions: 'us,us-east-1' }],
  ['--regions', { regions: 'us,moon' }],
  ['--regions', { regions: 'moon,us' }],
  ['--regions', { regions: 'us,moon=9999' }],
  ['--regions', { regions: 'us,../x=3' }],
  ['--size', { size: '0' }],
  ['--size', { size: '4 KiB' }],
  ['--size', { size: '65GiB' }],
  ['--churn', { churn: '91' }],
  ['--churn', { churn: '-1' }],
  ['--churn', { churn: 'ten' }],
  ['--fail', { fail: ['gateway', 'moon'] }],
  ['--link', { link: '1Gbit/1Gbit/1Gbit' }],
  ['--link', { link: 'fast' }],
  ['--link', { link: '1kbit' }],
  ['--size', { size: '64GiB', link: '1Mbit' }],
  ['--size', { size: '64GiB', link: '1Gbit/1Mbit' }],
  ['--size', { size: '64GiB', border: '1Mbit' }],
  ['--border', { border: '0Gbit' }],
  ['--gateways', { gateways: 'best' }],
  ['--seed', { seed: '0' }],
])('%s is refused in one line: %o', (name, typed) => {
  expect(() => questionOf({ ...OPTIONS, ...typed })).toThrow(
    expect.objectContaining({
      code: 'USAGE',
      message: expect.stringMatching(new RegExp(`^${name}: [^\n]+$`)),
    }),
  )
})

test('links: up and down apart, or a mix', () => {
  expect(questionOf({ ...OPTIONS, link: '50Mbit/200Mbit' }).links).toEqual([
    { share: 1, upBitsPerSecond: 5e7, downBitsPerSecond: 2e8 },
  ])
  const shares = questionOf({ ...OPTIONS, link: 'mix' }).links.map(({ share }) => share)
  expect(shares.reduce((sum, share) => sum + share)).toBe(1)
})

test('the answer says its model, what it rests on and how long it takes', async () => {
  const question = questionOf({ ...OPTIONS, nodes: '60', size: '3MiB', fail: ['gateway'], churn: '5' })
  const said = text(await plan(question, 1, () => {}), question)
  expect(said).toMatch(
    /60 nodes in 3 regions, a release of 3 MiB, while 5 % of the nodes die meanwhile, the first gateway/,
  )
  expect(said).toMatch(/half of them have it, checked, after [\d.]+ m?s, 99 % after/)
  expect(said).toMatch(/^Model: abstract, pulled in blocks of 256 KiB; 1 release, seed 1/m)
  expect(said).toMatch(/^Not in it: /m)
})

test('a release that nobody has when the simulation ends is told so, without a figure that is none', async () => {
  const question = questionOf({ ...OPTIONS, nodes: '60', size: '3MiB' })
  const { timeMs, ...answer } = await plan(question, 1, () => {})
  const none = { median: Number.NaN, min: Number.NaN, max: Number.NaN }
  const nobody = {
    ...{ timeMs: { p50: none, p99: none, all: none }, unfinished: 60, ofLineTime: none },
    ...{ receivedBytesPerNode: none, duplicateShare: none, controlBytesPerNode: none },
  }
  const said = text({ ...answer, ...nobody }, question)
  expect(said).toMatch(/^none of them has it at the end/m)
  expect(said).toMatch(/^60 nodes had not got it within 29 hours/m)
  expect(said).not.toMatch(/NaN|died/)
  const died = { ...question, failures: { ...question.failures, churn: 0.5 } }
  expect(text({ ...answer, timeMs, unfinished: 3 }, died)).toMatch(/^3 living nodes never got it: .* died/m)
})
