import { defineConfig } from 'vitest/config'

/** One project per layer: `npx vitest run --project sim`. A wait without an end is a failure, hence the deadlines. */
const layer = (name: string, testTimeout: number, more: object = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout, ...more },
})

/** Of what decides: `npm run coverage`; docs/coverage.md explains each branch that is not taken. */
const decides = ['trust', 'codec', 'core', 'store']
const coverage = {
  provider: 'v8' as const,
  include: decides.map((folder) => `src/${folder}/**/*.ts`),
  reporter: [['text', { skipFull: true }], 'json'] as [['text', { skipFull: boolean }], 'json'],
  thresholds: Object.fromEntries(decides.map((folder) => [`src/${folder}/**`, { branches: 95 }])),
}

const fromBuild = { globalSetup: ['test/build-once.ts'] }

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    passWithNoTests: false,
    coverage,
    projects: [
      layer('unit', 10_000),
      layer('property', 120_000),
      layer('contract', 60_000),
      layer('attack', 120_000),
      layer('sim', 600_000),
      layer('integration', 120_000),
      layer('e2e', 180_000, fromBuild),
    ],
  },
})
