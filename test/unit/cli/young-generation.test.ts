import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const MODULE = join(import.meta.dirname, '../../../src/cli/young-generation.ts')

const TWICE_MIB = 8

/** MiB of the new space after work that makes it grow as far as it may, in a process of its own. */
function grown(bounded: boolean): number {
  const program = `
    import { setTimeout } from 'node:timers/promises'
    import { getHeapSpaceStatistics } from 'node:v8'
    import { boundYoungGeneration } from ${JSON.stringify(MODULE)}
    if (${bounded}) boundYoungGeneration()
    let kept = []
    for (let i = 0; i < 3_000_000; i++) {
      kept.push({ i })
      if (kept.length > 200_000) kept = []
    }
    const mib = () =>
      getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size / 2 ** 20
    // A collection that is under way beside the program holds some pages twice until it is through.
    for (let tries = 0; tries < 500 && mib() > ${TWICE_MIB}; tries++) await setTimeout(10)
    console.log(mib())`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  return Number(stdout)
}

test('the young generation of a node stays at twice 4 MiB, where V8 would take many times that', () => {
  expect(grown(true)).toBe(TWICE_MIB)
  expect(grown(false)).toBeGreaterThan(16)
})
