import { lstatSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { newNode, nodeThatLooksOld, processesWith, systemNode } from './processes.ts'
import { confmesh, converged, type InitResult, publish, RealFleet, until } from './real-fleet.ts'

const CHANNEL = 'payments/prod'
const KILLS = 30
/** Nothing else would ever end a program whose launcher is gone; how soon it comes to see that is the machine's affair. */
const ORPHAN_MS = 30_000
const fleet = new RealFleet()
afterAll(() => fleet.end())

test('kill -9 of a node 30 times in a stream of releases, of its launcher in half of them: current is always whole, the newest is there at the end', async () => {
  const made = await fleet.init()
  const seed = await fleet.start('seed', made.seedConfig)
  const tree = join(fleet.dir, 'tree')
  const config = join(fleet.dir, 'fleet', 'files.yaml')
  writeFileSync(config, `${readFileSync(made.nodeConfig, 'utf8')}\nmaterialize:\n  dir: ${tree}\n`)
  const current = join(tree, CHANNEL, 'current')
  // On an old Node the launcher starts the program as a process of its own and is all that gets killed.
  const oldNode = systemNode() ?? nodeThatLooksOld(fleet.dir)
  const start = (kill: number) =>
    fleet.start('victim', config, fleet.own('victim'), { under: kill % 2 === 0 ? newNode : oldNode })
  const running = () => processesWith(config)

  const stream = publishing(made)
  for (let kill = 0; kill < KILLS; kill++) {
    const victim = await start(kill)
    expect(running(), 'the program, and on an old Node its launcher').toHaveLength(1 + (kill % 2))
    await moment((kill * 97) % 600)
    victim.process.kill('SIGKILL')
    await until('nothing of the victim runs', ORPHAN_MS, async () => running().length === 0)
    await victim.kill()
    expectWhole(current)
  }
  const newest = await stream.end()
  const last = await start(1)
  await converged([last], CHANNEL, newest)
  expectWhole(current)
  await last.kill('SIGTERM')
  await seed.kill('SIGTERM')
  expect(processesWith(fleet.dir)).toEqual([])
  const verified = await confmesh(['verify', '--data', last.data, '--json'])
  expect(verified.code, verified.out).toBe(0)
}, 600_000)

/** Releases one after another, each of two small files and a large one that all say its number. */
function publishing(made: InitResult): { end(): Promise<string> } {
  let stop = false
  const done = (async () => {
    let newest = ''
    for (let n = 1; !stop; n++) {
      const dir = fleet.files('app', {
        'a.txt': `${n}\n`,
        'b.txt': `${n}\n`,
        'large.bin': `${n}`.repeat(300_000),
      })
      newest = (await publish(made, CHANNEL, dir, { message: String(n) })).release
    }
    return newest
  })()
  // A failure is thrown where the stream's end is awaited, not while nobody looks.
  done.catch(() => undefined)
  return {
    end: () => {
      stop = true
      return done
    },
  }
}

/** All files say the same number: one tree or the other, never a mix. */
function expectWhole(current: string): void {
  if (lstatSync(current, { throwIfNoEntry: false }) === undefined) return
  const a = readFileSync(join(current, 'a.txt'), 'utf8')
  expect(readFileSync(join(current, 'b.txt'), 'utf8')).toBe(a)
  expect(readFileSync(join(current, 'large.bin'), 'utf8')).toBe(a.trim().repeat(300_000))
}

/** A moment to kill at, different each time: not a wait for something to happen. */
const moment = (ms: number): Promise<unknown> => {
  const end = performance.now() + ms
  return until('the moment to kill', ms + 1_000, async () => performance.now() >= end)
}
