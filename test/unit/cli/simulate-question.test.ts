import { describe, expect, test } from 'vitest'
import { plotOf } from '../../../src/cli/simulate-plot.ts'
import {
  questionOf,
  rateOf,
  regionsOf,
  type SimulateOptions,
  sizeOf,
} from '../../../src/cli/simulate-question.ts'
import { describe as text } from '../../../src/cli/simulate-text.ts'
import { buildFleet } from '../../../src/sim/planner/fleet.ts'
import { LargeRelease } from '../../../src/sim/planner/large.ts'
import { plan } from '../../../src/sim/planner/plan.ts'
import { transferMs } from '../../../src/sim/planner/question.ts'
import { quantileOf } from '../../../src/sim/planner/run-result.ts'

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
  ['--store', { store: 'fast' }],
  ['--store', { store: '999kB' }],
  ['--store', { size: '64GiB', store: '10MB' }],
  ['--size', { size: '64GiB', store: '10MB', link: '10Mbit' }],
  ['--churn', { churn: '0.05' }],
  ['--regions', { regions: 'office=50,plant=35' }],
])('%s is refused in one line: %o', (name, typed) => {
  expect(() => questionOf({ ...OPTIONS, ...typed })).toThrow(
    expect.objectContaining({
      code: 'USAGE',
      message: expect.stringMatching(new RegExp(`^${name}: [^\n]+$`)),
    }),
  )
})

test('what people type besides: blanks after commas, a percent sign, home with a round trip of nothing', () => {
  const typed = { regions: 'eu, us, plant=35', churn: '2.5%' }
  const { regions, failures } = questionOf({ ...OPTIONS, ...typed })
  expect(regions.names).toEqual(['eu-west-1', 'us-east-1', 'plant'])
  expect(failures.churn).toBe(0.025)
  expect(regionsOf('office=0,plant=35').rttMs[0]).toEqual([0, 35])
  expect(regionsOf('us=0,eu,plant=35')).toEqual(regionsOf('us,eu,plant=35'))
})

test('what is too much is told with what would do', () => {
  const refused = (typed: Partial<SimulateOptions>) => () => questionOf({ ...OPTIONS, ...typed })
  expect(refused({ nodes: '2' })).toThrow('2 in 3 regions: one for each at least')
  expect(refused({ nodes: '300000', size: '1MiB' })).toThrow('up to 13400 bytes is a single message')
  expect(refused({ size: '100M' })).toThrow('MiB')
  expect(refused({ link: '10Gbps' })).toThrow('Gbit')
  // 64 GiB at 2.5 MB/s, and at 10 Mbit/s
  expect(refused({ size: '64GiB', store: '10MB' })).toThrow('7.6 hours at a quarter of 10MB a second')
  expect(refused({ size: '64GiB', store: '10MB', link: '10Mbit' })).toThrow('15.3 hours on the slowest link')
  // Out of home twice, however many regions there are: the others hand it on.
  const [six, bordered] = ['us,eu,ap,us-west-2,ap-southeast-1,sa', { border: '10Mbit' }]
  expect(refused({ ...bordered, size: '20GiB', regions: six })).toThrow(
    '9.5 hours on the slowest link or border',
  )
  expect(refused({ ...bordered, size: '20GiB', regions: 'us,eu,ap' })).toThrow('9.5 hours')
  expect(refused({ ...bordered, size: '6GiB', regions: six })).not.toThrow()
  expect(refused({ ...bordered, size: '12GiB', regions: 'us,eu' })).not.toThrow()
})

test('a store holds nodes to a quarter of what it takes, where a release is large enough to be paced', () => {
  const downOf = (typed: Partial<SimulateOptions>) => {
    const { downNsPerByte } = buildFleet(questionOf({ ...OPTIONS, nodes: '3', size: '17MiB', ...typed }))
    return 8e9 / (downNsPerByte[1] as number)
  }
  expect(downOf({ store: '200MB' })).toBe(4e8)
  expect(downOf({ store: '200MB', size: '16MiB' })).toBe(1e9)
  expect(downOf({ store: '2GB' })).toBe(1e9)
  expect(downOf({ store: '200MB', link: '1Gbit/100Mbit' })).toBe(1e8)
})

test('the links of the answer are those that were asked about, and line time is theirs, however slow the store', async () => {
  const question = questionOf({ ...OPTIONS, nodes: '12', size: '64MiB', store: '100MB' })
  expect(question.links[0]?.downBitsPerSecond).toBe(1e9)
  const answer = await plan(question, 1, () => {})
  // A fifth of the link is a quarter of what the store takes.
  expect(answer.ofLineTime?.median).toBeGreaterThanOrEqual(5)
  expect(text(answer, question)).toMatch(/^Links: 100 % at 1 Gbit\/s up and 1 Gbit\/s down;/m)
  // Whoever dies meanwhile does so while it travels, which takes five times as long.
  expect(transferMs(question)).toBeCloseTo((64 * 2 ** 20 * 8) / 2e5)
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
  expect(said).toMatch(/half of the 5\d that get it have it, checked, after [\d.]+ m?s, 99 % after/)
  expect(said).toMatch(/^Model: abstract, pulled in blocks of 256 KiB; 1 release, seed 1/m)
  expect(said).toMatch(/^Not in it: /m)
})

test.each([
  ['100KiB', 102_400],
  ['300KiB', 153_600],
  ['3MiB', 262_144],
])('a release of %s is told to be in the blocks that were simulated', async (size, bytes) => {
  const question = questionOf({ ...OPTIONS, nodes: '12', size })
  expect((await plan(question, 1, () => {})).blockBytes).toBe(bytes)
})

describe('an answer', () => {
  const asked = (typed: Partial<SimulateOptions>) => questionOf({ ...OPTIONS, nodes: '60', ...typed })
  const NONE = { median: Number.NaN, min: Number.NaN, max: Number.NaN }
  const ZERO = { median: 0, min: 0, max: 0 }

  test('of a release that nobody has when the simulation ends has no figure that is none', async () => {
    const question = asked({ size: '3MiB' })
    const { timeMs, ...answer } = await plan(question, 1, () => {})
    const nobody = {
      ...{ timeMs: { p50: NONE, p99: NONE, all: NONE }, ofLineTime: NONE, reached: ZERO },
      ...{ unfinished: 60, incomplete: { releases: 1, mostNodes: 60, outOfTime: 1 } },
      ...{ receivedBytesPerNode: NONE, duplicateShare: NONE, controlBytesPerNode: NONE },
    }
    const said = text({ ...answer, ...nobody }, question)
    expect(said).toMatch(/^none of them has it at the end/m)
    expect(said).toMatch(/^60 living nodes did not get it: not within 29 hours/m)
    expect(said).not.toMatch(/NaN|died/)
    const died = { ...question, failures: { ...question.failures, churn: 0.5 } }
    const three = { unfinished: 3, incomplete: { releases: 1, mostNodes: 3, outOfTime: 0 } }
    expect(text({ ...answer, timeMs, ...three }, died)).toMatch(/^3 living nodes did not get it: .* died/m)
  })

  test('of several releases says of how many it is that nodes did not get it, and of which nodes its times are', async () => {
    const question = asked({ size: '3MiB', churn: '5' })
    const answer = await plan(question, 2, () => {})
    const reached = { median: 57, min: 55, max: 60 }
    const some = {
      ...answer,
      reached,
      releases: 9,
      unfinished: 7,
      incomplete: { releases: 2, mostNodes: 5, outOfTime: 0 },
    }
    expect(text(some, question)).toMatch(
      /^half of the 55 to 60 that get it have it, .*\n.*\n.*\nIn 2 of 9 releases living nodes did not get it, in the worst 5 living nodes: /m,
    )
    const all = { median: 60, min: 60, max: 60 }
    expect(text({ ...answer, reached: all }, question)).toMatch(/^half of them have it/m)
  })

  test('where nobody is left that could have it has no endless figure, and its plot says so', async () => {
    const question = asked({ nodes: '9', size: '20MiB', churn: '90', fail: ['origin', 'gateway'], seed: '6' })
    const answer = await plan(question, 1, () => {})
    expect(answer.timeMs.p50.median).toBeNaN()
    expect(text(answer, question)).not.toMatch(/Infinity|NaN/)
    expect(plotOf(answer, question).subtitle[1]).toMatch(/^nobody has it;/)
  })

  test('of one message that gossip has not brought to all names sync, not blocks', async () => {
    const question = asked({ nodes: '300', churn: '90', fail: ['origin', 'gateway'] })
    const answer = await plan(question, 1, () => {})
    expect(answer.unfinished).toBeGreaterThan(0)
    const said = text(answer, question)
    expect(said).toMatch(
      /living nodes? did not get it: gossip did not reach them\. The program brings it to them by sync/,
    )
    expect(said).toMatch(/Not compared: 300 nodes, failures\./)
    // The curve ends where the living end that have it, not at all of them.
    const last = answer.curve.at(-1)?.share ?? Number.NaN
    expect(last).toBeLessThan(1)
    const { subtitle } = plotOf(answer, question)
    expect(subtitle[1]).toMatch(/^99 % of the \d+ that get it after/)
    expect(subtitle.slice(2).join(' ')).toMatch(
      /^accuracy: .*7 copies left the origin where the model has 6.*300 nodes/,
    )
  })

  test('names what of the question was never compared: fleet size and round trips, but not which region is home', async () => {
    const said = async (options: Parameters<typeof asked>[0]): Promise<string> => {
      const question = asked(options)
      return text(await plan(question, 1, () => {}), question)
    }
    expect(await said({ nodes: '200', regions: 'eu,us,ap' })).not.toMatch(/Not compared/)
    expect(await said({ nodes: '199', regions: 'us,eu,ap' })).toMatch(/Not compared: 199 nodes\./)
    expect(await said({ nodes: '200', regions: 'us,eu,sa' })).toMatch(/Not compared: these round trips\./)
    expect(await said({ nodes: '200', regions: 'us,eu-west-1=300,ap-northeast-1=600' })).toMatch(
      /Not compared: these round trips\./,
    )
    expect(await said({ nodes: '200', regions: 'us,eu' })).toMatch(/Not compared: 2 regions\./)
  })

  test('warns where the program would be slower than its links, until it is told of the store', async () => {
    const slow = asked({ nodes: '9', size: '17MiB' })
    expect(text(await plan(slow, 1, () => {}), slow)).toMatch(
      /^Too soon where stores are slow: .*16 MiB .*--store/m,
    )
    const told = asked({ nodes: '9', size: '17MiB', store: '100MB' })
    const said = text(await plan(told, 1, () => {}), told)
    expect(said).not.toMatch(/Too soon/)
    expect(said).toMatch(/^Nodes take no more than a quarter of what their store takes, 95\.4 MiB a second/m)
    expect(said).toMatch(/Not compared: 17 MiB, 9 nodes, slow stores\./)
    // A release that is not paced takes as much as there is.
    const small = asked({ nodes: '9', size: '1MiB', store: '100MB' })
    const unpaced = text(await plan(small, 1, () => {}), small)
    expect(unpaced).not.toMatch(/of what their store takes|slow stores/)
    expect(unpaced).toMatch(/^Of a release of up to 16 MiB nodes ask .*: --store has no effect\.$/m)
  })
})

test('what an answer claims is said to be no more than the model has', async () => {
  const said = async (typed: Partial<SimulateOptions>): Promise<string> => {
    const question = questionOf({ ...OPTIONS, nodes: '12', ...typed })
    return text(await plan(question, 1, () => {}), question)
  }
  const calm = await said({ size: '1MiB' })
  expect(calm).toMatch(/^A payload is .* The header goes before it by gossip: .* Own line time: /m)
  expect(calm).toMatch(/^Time begins .* no packet loss but of the header\.$/m)
  expect(calm).toMatch(/^Not in it: blocks that come twice, .*\nNot in it: slow disks, .*activation\.$/m)
  expect(calm).not.toMatch(/Deaths are found|larger than the program|the origin with/)
  expect(await said({ size: '1MiB', churn: '5' })).toMatch(
    /^Deaths are found out after 0\.5 s, over a border after 0\.7 s: .* 0\.4 s .* 0\.7 s after its last word, and 1\.7 s .* 75 s\.$/m,
  )
  expect(await said({ size: '17MiB', store: '100MB', link: 'mix' })).toMatch(
    /^Links: .*, the origin with the fastest; .*\n(.*\n)*Not in it: several releases at once/m,
  )
  const message = await said({ nodes: '4' })
  expect(message).toMatch(/^Not in it: sync, /m)
  expect(message).not.toMatch(/The header/)
  const question = questionOf({ ...OPTIONS, nodes: '12', size: '1MiB' })
  const coarse = { ...(await plan(question, 1, () => {})), blockBytes: 300_000 }
  expect(text(coarse, question)).toMatch(/^The blocks are larger than the program’s, /m)
})

test('how late larger blocks make times: whoever is to pass one on needs the whole, so that holders double at best', async () => {
  const question = questionOf({ ...OPTIONS, nodes: '12', size: '100MiB' })
  const answer = { ...(await plan(question, 1, () => {})), blockBytes: 2 * 2 ** 20 }
  const said = (many: number): string =>
    text({ ...answer, reached: { median: many, min: many, max: many } }, question)
  // Half of 200,000 after 16 more of 50 blocks each, or of 683 in the program.
  expect(said(200_000)).toMatch(
    /^The blocks are larger .* late: .* at least 32 % longer than the content takes on the fastest uplink, where the program’s make them 2\.3 % longer\.$/m,
  )
  expect(said(12)).toMatch(/ at least 4 % longer .* 0\.3 % longer\.$/m)
  expect(said(3)).toMatch(/ at least 2 % longer .* 0\.1 % longer\.$/m)
  expect(said(2)).toMatch(/^The blocks are larger than the program’s, which makes times a little late\.$/m)
  expect(said(0)).not.toMatch(/NaN|Infinity/)
})

test('and no fleet of the model is sooner than that', async () => {
  const question = questionOf({ ...OPTIONS, nodes: '60', regions: 'us', size: '100MiB' })
  const blockBytes = 2 * 2 ** 20
  const { timesMs } = new LargeRelease(question, blockBytes).run(() => {})
  const uplinkMs = (question.bytes * 8) / 1e6
  expect(quantileOf(timesMs, 0.5)).toBeGreaterThan(uplinkMs * (1 + (4 * blockBytes) / question.bytes))
})

test('why living nodes lack a release: not for want of its blocks, where the origin has them all', async () => {
  const question = questionOf({ ...OPTIONS, nodes: '12', size: '1MiB', churn: '90' })
  const lacking = { unfinished: 3, incomplete: { releases: 1, mostNodes: 3, outOfTime: 0 } }
  const found = { ...(await plan(question, 1, () => {})), ...lacking }
  expect(text(found, question)).toContain(
    'did not get it: all gateways of their region died, or of one that feeds it, or all their neighbours.',
  )
  const failures = { ...question.failures, originAfterPayloads: 1.2 }
  expect(text(found, { ...question, failures })).toContain('died with their only holders')
})

test('and that it is time that ran out only where it did', async () => {
  const question = questionOf({ ...OPTIONS, nodes: '12', size: '1MiB' })
  const answer = await plan(question, 1, () => {})
  expect(answer.incomplete.outOfTime).toBe(0)
  const said = (outOfTime: number, asked = question): string =>
    text({ ...answer, unfinished: 6, incomplete: { releases: 2, mostNodes: 3, outOfTime } }, asked)
  expect(said(2)).toMatch(/did not get it: not within 29 hours, which is all that is simulated\.$/m)
  expect(said(0)).toMatch(
    /did not get it: nobody got any of it for half a minute[^\d\n]* which ends a run\.$/m,
  )
  expect(said(1)).toMatch(/did not get it: not within 29 hours, .*, or nobody got any of it for .* a run\.$/m)
  const failures = { ...question.failures, churn: 0.5 }
  expect(said(2, { ...question, failures })).toMatch(/did not get it: not within 29 hours/)
  expect(said(1, { ...question, failures })).toMatch(/did not get it: all gateways/)
})

test('the hash of the one release that was simulated is in the answer: who asks the same sees that it is the same', async () => {
  const question = questionOf({ ...OPTIONS, nodes: '4' })
  const one = await plan(question, 1, () => {})
  expect(text(one, question)).toMatch(new RegExp(`^Model: .* events, hash ${one.hashes[0]}\\.$`, 'm'))
  expect(text(await plan(question, 2, () => {}), question)).toMatch(/^Model: .* events\.$/m)
})
