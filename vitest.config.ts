import { defineConfig } from 'vitest/config'

/** One project per layer: `npx vitest run --project sim`. A wait without an end is a failure, hence the deadlines. */
const layer = (name: string, testTimeout: number, more: object = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout, ...more },
})

const fromBuild = { globalSetup: ['test/build-once.ts'] }

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    passWithNoTests: false,
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
