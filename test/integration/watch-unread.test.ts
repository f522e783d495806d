/** `watch` as a process. Nobody reads what it says, for days perhaps: it holds as much as goes into a pipe, whatever the node does meanwhile. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test, vi } from 'vitest'
import { short } from '../../src/cli/text.ts'
import { CHANNEL, FakeNode, serve } from './api/fake-node.ts'

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')
/** Of all of them an event is longer than a pipe takes. */
const PATHS = Array.from({ length: 1_000 }, (_, at) => `${'long/'.repeat(40)}${at}`)

async function watchUnread() {
  const node = new FakeNode()
  let turns = 0
  const activate = () => {
    turns += 1
    return node.activate(Object.fromEntries(PATHS.map((path) => [path, `${turns}`])))
  }
  const first = activate()
  const { api, problems } = await serve(node, {
    limits: { httpRequestTimeoutMs: 1_000, minHttpBytesPerSecond: 0 },
  })
  const args = [MAIN, 'watch', CHANNEL, '--api', api.url]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await api.stop()
  })
  await expect.poll(() => node.listeners.size).toBe(1)
  return { node, child, problems, activate, first }
}

test('a watch whose reader stands still reads no further, and tells it the newest release in the end', async () => {
  const { node, child, problems, activate, first } = await watchUnread()
  // Once for each line.
  const asked = vi.spyOn(node, 'channel')
  let newest = first
  const untilBounded = () => {
    newest = activate()
    return problems.length > 0 || asked.mock.calls.length > 20
  }
  await expect.poll(untilBounded, { interval: 20, timeout: 60_000 }).toBe(true)
  const text = expect.stringMatching(/^GET .*\/watch: the answer is not read; connection closed$/)
  expect(problems).toEqual([{ code: 'API_BUSY', text }])
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line.slice(0, 100))
    if (line.includes(short(newest.id))) break
  }
  expect(lines[0]).toContain(short(first.id))
  // Those between were replaced by the time they were told.
  const times = new Set(lines.slice(1, -1).map((line) => line.split(' ', 1)[0]))
  expect([...times]).toEqual(['2026-01-01T00:00:00.000Z'])
})

test('is over with its reader, also where a line of it waits', async () => {
  const { child, activate } = await watchUnread()
  activate()
  await once(child.stdout, 'readable')
  child.stdout.destroy()
  expect(await once(child, 'exit', { signal: AbortSignal.timeout(30_000) })).toEqual([0, null])
})

test.each(['SIGTERM', 'SIGINT'] as const)('%s ends it, also where a line of it waits', async (signal) => {
  const { child, activate } = await watchUnread()
  activate()
  await once(child.stdout, 'readable')
  const ended = once(child, 'exit', { signal: AbortSignal.timeout(30_000) })
  child.kill(signal)
  expect(await ended).toEqual([0, null])
})

test('of a channel that has nothing yet it says so, and waits for the first release', async () => {
  const node = new FakeNode()
  const { api } = await serve(node)
  const child = spawn(process.execPath, [MAIN, 'watch', CHANNEL, '--api', api.url])
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await api.stop()
  })
  await expect.poll(() => node.listeners.size).toBe(1)
  const { id } = node.activate({ a: '1' })
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  expect(line).toContain(short(id))
  const [said] = await once(createInterface({ input: child.stderr }), 'line')
  expect(said).toBe(`confmesh: no channel ${CHANNEL} known here yet`)
})

test('of one that the node does not store it is refused', async () => {
  const { api } = await serve(new FakeNode())
  onTestFinished(() => api.stop())
  const args = [MAIN, 'watch', 'elsewhere/prod', '--api', api.url]
  const child = spawn(process.execPath, args, { stdio: 'ignore' })
  expect(await once(child, 'exit', { signal: AbortSignal.timeout(30_000) })).toEqual([1, null])
})
