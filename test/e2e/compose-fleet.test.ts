import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'

const root = resolve(import.meta.dirname, '../..')
let dir: string

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-compose-'))
  mkdirSync(join(dir, 'bin'))
  symlinkSync(join(root, 'dist/cli/launcher.js'), join(dir, 'bin/confmesh'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const makeFleet = () =>
  spawnSync('/bin/sh', [join(root, 'docker/make-fleet.sh')], {
    env: { PATH: `${join(dir, 'bin')}:${process.env.PATH}`, FLEET: dir },
    encoding: 'utf8',
  })

test('the fleet of docker/compose.yaml is made with the commands as they are, once', () => {
  expect(makeFleet()).toMatchObject({ status: 0, stderr: expect.not.stringContaining('confmesh:') })
  const { services } = parse(readFileSync(join(root, 'docker/compose.yaml'), 'utf8'), { merge: true })
  for (const { command } of Object.values<{ command?: string[] }>(services)) {
    if (command === undefined) continue
    expect(existsSync(join(dir, String(command[2]).replace('/fleet/', '')))).toBe(true)
  }
  const before = readFileSync(join(dir, 'seed-1/root.json'), 'utf8')
  expect(makeFleet().status).toBe(0)
  expect(readFileSync(join(dir, 'seed-1/root.json'), 'utf8')).toBe(before)
})

test('a run that was interrupted before its last file is made good by the next one', () => {
  const made = () => ['seed-1/root.json', 'seed-2/seed.yaml'].map((file) => existsSync(join(dir, file)))
  rmSync(join(dir, 'seed-2'), { recursive: true })
  writeFileSync(join(dir, '.making'), '')
  expect(makeFleet()).toMatchObject({ status: 0, stderr: expect.not.stringContaining('confmesh:') })
  expect(made()).toEqual([true, true])
  rmSync(join(dir, 'seed-2/seed.yaml'))
  writeFileSync(join(dir, '.making'), '')
  expect(makeFleet().status).toBe(0)
  expect(made()).toEqual([true, true])
  expect(existsSync(join(dir, '.making'))).toBe(false)
})

test('of a fleet that may have run nothing is removed, whatever was taken out of it', () => {
  const key = readFileSync(join(dir, 'seed-1/root-1.key'), 'utf8')
  renameSync(join(dir, 'seed-2'), join(dir, 'away'))
  const { status, stderr } = makeFleet()
  expect([status, stderr.trim().split('\n')]).toEqual([1, [expect.stringContaining(`make-fleet: ${dir}`)]])
  expect(readFileSync(join(dir, 'seed-1/root-1.key'), 'utf8')).toBe(key)
  renameSync(join(dir, 'away'), join(dir, 'seed-2'))
  // a run that was killed between its last file and its end
  writeFileSync(join(dir, '.making'), '')
  expect([makeFleet().status, existsSync(join(dir, '.making'))]).toEqual([0, false])
  expect(readFileSync(join(dir, 'seed-1/root-1.key'), 'utf8')).toBe(key)
})

test('nodes are told where the seed is reached by its name in the network of compose', () => {
  const { seeds } = parse(readFileSync(join(dir, 'seed-1/node.yaml'), 'utf8'))
  expect(seeds).toEqual([expect.stringMatching(/^\/dns\w*\/seed-1\/tcp\/\d+\/p2p\//)])
})
