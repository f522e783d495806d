import { lstatSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { confmesh, converged, json, RealFleet, type RealNode, until } from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const KILLS = 30
const fleet = new RealFleet()
afterAll(() => fleet.end())

test('kill -9 of a node 30 times in a stream of releases: current is always whole, the newest is there at the end', async () => {
  const made = await fleet.init()
  await fleet.start('seed', made.seedConfig)
  const tree = join(fleet.dir, 'tree')
  const config = join(fleet.dir, 'fleet', 'files.yaml')
  writeFileSync(config, `${readFileSync(made.nodeConfig, 'utf8')}\nmaterialize:\n  dir: ${tree}\n`)
  const start = (): Promise<RealNode> =>
    fleet.start('victim', config, ['--data', join(fleet.dir, 'victim'), '--listen', '/ip4/127.0.0.1/tcp/0'])

  let newest = ''
  let stop = false
  const publishing = (async () => {
    for (let n = 1; !stop; n++) {
      const dir = fleet.files('app', {
        'a.txt': `${n}\n`,
        'b.txt': `${n}\n`,
        'large.bin': `${n}`.repeat(300_000),
      })
      const { code, value } = await json([
        'publish',
        CHANNEL,
        dir,
        '--key',
        made.publisherKey,
        '--seed',
        made.seedAddress,
        '--yes',
        '-m',
        String(n),
      ])
      expect(value).not.toHaveProperty('error')
      expect(code).toBe(0)
      newest = (value as unknown as { release: string }).release
    }
  })()

  for (let kill = 0; kill < KILLS; kill++) {
    const victim = await start()
    await wait((kill * 97) % 600)
    await victim.kill('SIGKILL')
    expectWhole(join(tree, CHANNEL, 'current'))
  }
  stop = true
  await publishing
  const last = await start()
  await converged([last], CHANNEL, newest)
  expectWhole(join(tree, CHANNEL, 'current'))
  await last.kill('SIGTERM')
  const verified = await confmesh(['verify', '--data', join(fleet.dir, 'victim'), '--json'])
  expect(verified.code, verified.out).toBe(0)
}, 600_000)

/** Both files say the same number: one tree or the other, never a mix. */
function expectWhole(current: string): void {
  if (lstatSync(current, { throwIfNoEntry: false }) === undefined) return
  const a = readFileSync(join(current, 'a.txt'), 'utf8')
  expect(readFileSync(join(current, 'b.txt'), 'utf8')).toBe(a)
  expect(readFileSync(join(current, 'large.bin'), 'utf8')).toBe(a.trim().repeat(300_000))
}

/** A moment to kill at, different each time: not a wait for something to happen. */
const wait = (ms: number): Promise<unknown> => {
  const end = performance.now() + ms
  return until('the moment to kill', ms + 1_000, async () => performance.now() >= end)
}
