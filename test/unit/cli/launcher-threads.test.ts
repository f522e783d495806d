/** The launcher before a program of our own: how many things may hold a thread in it until nothing else goes on. */
import { execFile, execFileSync } from 'node:child_process'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

const SOURCES = join(import.meta.dirname, '../../../src/cli')

/** Who opens a pipe that nobody writes to holds a thread; so does a slow disk. */
const PROGRAM = `
import { constants, openSync } from 'node:fs'
import { open, stat } from 'node:fs/promises'
const [, pipe, count, patienceMs] = process.argv.slice(2)
const opening = Array.from({ length: Number(count) }, () => open(pipe, 'r'))
const isFree = await Promise.race([
  stat(pipe).then(() => true),
  new Promise((resolve) => setTimeout(resolve, Number(patienceMs), false)),
])
openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
await Promise.all(opening)
console.log(isFree)
process.exit()
`

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'confmesh-threads-'))
  for (const file of ['heap-growth.ts', 'launcher.ts', 'own-node.ts', 'parent-watch.ts'])
    await cp(join(SOURCES, file), join(dir, file))
  await writeFile(join(dir, 'package.json'), '{"type":"module"}')
  await writeFile(join(dir, 'main.ts'), PROGRAM)
  execFileSync('mkfifo', [join(dir, 'pipe')])
})
afterAll(() => rm(dir, { recursive: true, force: true }))

test.each([
  { what: 'a node has threads left where 47 are held', command: 'node', held: 47, is: true },
  { what: 'and none where all 48 are', command: 'node', held: 48, is: false },
  { what: 'as many as whoever starts it says', command: 'node', given: '5', held: 5, is: false },
  { what: 'other commands have those of Node', command: 'status', held: 4, is: false },
])(
  '$what',
  async ({ command, given, held, is }) => {
    const { UV_THREADPOOL_SIZE: _, ...env } = process.env
    // A busy machine needs time for what comes at all.
    const patienceMs = is ? 20_000 : 300
    const args = [join(dir, 'launcher.ts'), command, join(dir, 'pipe'), `${held}`, `${patienceMs}`]
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      env: { ...env, ...(given && { UV_THREADPOOL_SIZE: given }) },
    })
    expect(stdout).toBe(`${is}\n`)
  },
  30_000,
)
