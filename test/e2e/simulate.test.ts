/** The planner's command as it is typed: releases side by side in workers of the build, drawn and answered as JSON. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { confmesh } from './real-fleet.ts'

const dir = mkdtempSync(join(tmpdir(), 'confmesh-simulate-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

interface Answer {
  readonly nodes: number
  readonly unfinished: number
  readonly timeMs: Readonly<Record<'p50' | 'p99' | 'all', { readonly median: number }>>
  readonly hashes: readonly string[]
}

const ASKED = ['simulate', '--nodes', '60', '--regions', 'us,eu,ap', '--size', '4KiB', '--releases', '2']

/** One value on stdout, and nothing on stderr: nobody looks. */
async function answer(...more: string[]): Promise<Answer> {
  const { code, out, err } = await confmesh([...ASKED, ...more, '--json'])
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out.trimEnd()).not.toContain('\n')
  return JSON.parse(out)
}

test('simulate answers with one JSON value and draws it; the same seed gives the same answer, another does not', async () => {
  const file = join(dir, 'spread.svg')
  const first = await answer('--plot', file)
  const { p50, p99, all } = first.timeMs
  expect(first).toMatchObject({ nodes: 60, unfinished: 0 })
  expect([p50.median, p99.median, all.median]).toEqual(
    [p50.median, p99.median, all.median].toSorted((a, b) => a - b),
  )
  expect(new Set(first.hashes).size).toBe(2)
  expect(readFileSync(file, 'utf8')).toMatch(/^<svg.*60 nodes, a release of 4 KiB.*<\/svg>\n$/s)
  expect(await answer()).toEqual(first)
  expect((await answer('--seed', '9')).hashes).not.toEqual(first.hashes)
})
