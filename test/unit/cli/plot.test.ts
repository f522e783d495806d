import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openPlot, type Plot } from '../../../src/cli/plot.ts'
import { confmesh } from '../../e2e/command-line.ts'

const dir = mkdtempSync(join(tmpdir(), 'confmesh-plot-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const PLOT: Plot = {
  ...{ title: 'a title', subtitle: [], mark: 'points' },
  x: { title: 'x', scale: 'linear' },
  y: { title: 'y', scale: 'linear' },
  series: [{ name: 'one', points: [[1, 2]] }],
}

test('a place that takes no file is told before there is anything to draw', async () => {
  await expect(openPlot(join(dir, 'nowhere', 'a.svg'))).rejects.toMatchObject({ code: 'INPUT_PATH' })
  await expect(openPlot(dir)).rejects.toMatchObject({ code: 'INPUT_PATH' })
})

test('a disk without room for it is told as such', async () => {
  await expect((await openPlot('/dev/full'))(PLOT)).rejects.toMatchObject({
    code: 'STORE_FULL',
    message: expect.stringMatching(/^--plot: cannot write \/dev\/full: ENOSPC; free space/),
  })
})

test('of an answer that could not be drawn there is one JSON value all the same, and the failure beside it', async () => {
  const asked = ['simulate', '--nodes', '20', '--regions', 'us', '--plot', '/dev/full', '--json']
  const { code, out, err } = await confmesh(...asked)
  expect(JSON.parse(out)).toMatchObject({ nodes: 20 })
  expect(err).toMatch(/^confmesh: STORE_FULL: --plot: cannot write \/dev\/full: .*\n$/)
  expect(code).toBe(1)
})

test('a name of another format is refused: what is written is SVG', async () => {
  await expect(openPlot(join(dir, 'a.png'))).rejects.toMatchObject({ code: 'USAGE' })
})

test('nothing is left of the trial, and the plot comes where it was asked for', async () => {
  const file = join(dir, 'b.svg')
  const draw = await openPlot(file)
  expect(existsSync(file)).toBe(false)
  await draw(PLOT)
  expect(readFileSync(file, 'utf8')).toMatch(/^<svg.*a title/s)
})
