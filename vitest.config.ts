import { basename } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * One project per layer: `npx vitest run --project sim`. A wait without an end is a failure, hence the deadlines; that of
 * `expect.poll` is a second unless said, which a busy machine can take for anything.
 */
const layer = (name: string, testTimeout: number, more: object = {}) => ({
  test: {
    ...{ name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout },
    expect: { poll: { timeout: testTimeout / 2 } },
    ...more,
  },
})

/** Of what decides: `npm run coverage`; docs/coverage.md explains each branch that is not taken. */
const decides = ['trust', 'codec', 'core', 'store']
const coverage = {
  provider: 'v8' as const,
  include: decides.map((folder) => `src/${folder}/**/*.ts`),
  reporter: [['text', { skipFull: true }], 'json'] as [['text', { skipFull: boolean }], 'json'],
  thresholds: Object.fromEntries(decides.map((folder) => [`src/${folder}/**`, { branches: 95 }])),
}

/** Seconds that a file takes about, by path for the simulated fleets that keep a core busy for long, else by layer. */
const fleets: Record<string, number> = {
  'sim/fleet': 200,
  'sim/fleet-more': 200,
  'sim/planner-agreement': 130,
}
const others: Record<string, number> = { attack: 4, contract: 2, e2e: 23, integration: 3, sim: 30 }
const secondsOf = ({ project, moduleId }: TestSpecification): number =>
  fleets[`${project.name}/${basename(moduleId, '.test.ts')}`] ?? others[project.name] ?? 0

/**
 * Simulated fleets compute, and most other tests wait for processes and deadlines: some of each kind run beside one
 * another for as long as there are both, and no long one is left for the end, when nothing else would run beside it.
 */
class Paired extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const computing = sorted.filter(({ project }) => project.name === 'sim')
    computing.sort((a, b) => secondsOf(b) - secondsOf(a))
    const waiting = sorted.filter((file) => file.project.name in others && file.project.name !== 'sim')
    const order: TestSpecification[] = []
    for (let aheadS = 0; computing.length + waiting.length > 0; ) {
      const [of, sign] = aheadS <= 0 && computing.length > 0 ? [computing, 1] : [waiting, -1]
      const next = of.shift() ?? computing.shift()
      if (next === undefined) break
      aheadS += sign * secondsOf(next)
      order.push(next)
    }
    return [...order, ...sorted.filter(({ project }) => !(project.name in others))]
  }
}

/**
 * Unit tests of the pure core leave nothing behind and share a process; one each took as long as the tests themselves.
 * Not those that put another module in the place of one: it would have been loaded before.
 */
const PURE = 'codec|core|core-*|order|planner|runtime|trust'
const replacing = ['codec/costly-requests', 'core-submit/replaced'].map((name) => `test/unit/${name}.test.ts`)
const shared = {
  ...{ include: [`test/unit/@(${PURE})/**/*.test.ts`], exclude: replacing },
  ...{ isolate: false, restoreMocks: true },
}
const apart = ['test/unit/*.test.ts', `test/unit/!(${PURE})/**/*.test.ts`, ...replacing]
const UNIT_MS = 60_000
const unitPolls = { poll: { timeout: 5_000 } }

const fromBuild = { globalSetup: ['test/build-once.ts'] }

export default defineConfig({
  test: {
    pool: 'forks',
    // One more than a small machine has cores: some wait, and three keep two cores busy for nine tenths of the time.
    maxWorkers: 3,
    passWithNoTests: false,
    sequence: { sequencer: Paired },
    coverage,
    projects: [
      // Some compute for a second or two, which is ten times as much on a busy machine; none waits for long.
      layer('unit', UNIT_MS, { expect: unitPolls, include: apart }),
      layer('unit-pure', UNIT_MS, { expect: unitPolls, ...shared }),
      layer('property', 120_000),
      layer('contract', 60_000),
      layer('attack', 120_000),
      layer('sim', 600_000),
      layer('integration', 120_000),
      layer('e2e', 180_000, fromBuild),
    ],
  },
})
