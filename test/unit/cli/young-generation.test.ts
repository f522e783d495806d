import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const MODULE = join(import.meta.dirname, '../../../src/cli/young-generation.ts')

/** MiB of the new space after work that makes it grow as far as it may, in a process of its own. */
function grown(bounded: boolean): number {
  const program = `
    import { getHeapSpaceStatistics } from 'node:v8'
    import { boundYoungGeneration } from ${JSON.stringify(MODULE)}
    if (${bounded}) boundYoungGeneration()
    let kept = []
    for (let i = 0; i < 3_000_000; i++) {
      kept.push({ i })
      if (kept.length > 200_000) kept = []
    }
    console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size / 2 ** 20)`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  })
  expect(stderr).toBe('')
  return Number(stdout)
}

test('the young generation of a node stays at twice 4 MiB, where V8 would take many times that', () => {
  expect(grown(true)).toBe(8)
  expect(grown(false)).toBeGreaterThan(16)
})
