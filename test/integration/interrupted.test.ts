/** Who ends `get --out` or `export` in the midst of a file finds nothing of it: a later publish of the folder would sign it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { CHANNEL, FakeNode, serve } from './api/fake-node.ts'

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')

/** What it writes out comes to a stop after the first bytes. */
async function stalled() {
  const dir = mkdtempSync(join(tmpdir(), 'confmesh-interrupted-'))
  const node = new FakeNode()
  node.activate({ 'app.yaml': 'a: 1\n' })
  const end = Promise.withResolvers<void>()
  node.read = async () =>
    (async function* () {
      yield Buffer.from('a:')
      await end.promise
    })()
  node.car = async (channel) => ({ bytes: 5, parts: await node.read(channel, 'app.yaml') })
  const { api } = await serve(node)
  onTestFinished(async () => {
    end.resolve()
    await api.stop()
    rmSync(dir, { recursive: true })
  })
  return { dir, api: api.url }
}

test.each([
  ['get', '--out', 'SIGINT'],
  ['get', '--out', 'SIGHUP'],
  ['export', 'release.car', 'SIGTERM'],
] as const)('%s %s: %s ends it, and leaves nothing of the file', async (command, word, signal) => {
  const { dir, api } = await stalled()
  const args = [command, CHANNEL, ...(word === '--out' ? [word, dir] : [join(dir, word)]), '--api', api]
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: 'ignore' })
  onTestFinished(() => void child.kill('SIGKILL'))
  await expect.poll(() => readdirSync(dir)).toEqual([expect.stringMatching(/\.(part|new)$/)])
  const ended = once(child, 'exit', { signal: AbortSignal.timeout(30_000) })
  child.kill(signal)
  expect(await ended).toEqual([null, signal])
  expect(readdirSync(dir)).toEqual([])
})
