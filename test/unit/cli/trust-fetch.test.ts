/** `trust fetch`: what it writes, and what it never writes over. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { newestPath, readRoot, saveEnvelope } from '../../../src/cli/root-files.ts'
import { bring } from '../../../src/cli/trust-fetch.ts'
import { decodeEnvelope } from '../../../src/codec/envelope.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { PeerId } from '../../../src/model/ids.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { renew } from '../../../src/trust/edit.ts'
import { ROOT, raised, rootBytes } from '../core/fleet.ts'
import { FakeSeed } from '../publish/fake-seed.ts'

const TWO = renew(ROOT, ROOT.expires + 1_000)
const THREE = renew(TWO, ROOT.expires + 2_000)
const FOUR = renew(THREE, ROOT.expires + 3_000)
/** Made from a backup, and never taken. */
const OTHER_TWO = renew(ROOT, ROOT.expires + 7)

let dir = ''
let said: string[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-trust-fetch-'))
  said = []
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation((text) => said.push(String(text)) > 0)
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(dir, { recursive: true, force: true })
})

const at = (name: string): string => join(dir, name)
const save = (name: string, root: TrustRoot): void =>
  saveEnvelope(at(name), decodeEnvelope(rootBytes(root), LIMITS.maxRootBytes, LIMITS))
const stored = (): Record<string, TrustRoot> =>
  Object.fromEntries(
    readdirSync(dir)
      .sort()
      .map((name) => [name, readRoot(at(name)).root]),
  )

function seedWith(...roots: TrustRoot[]): FakeSeed {
  const seed = new FakeSeed('a')
  for (const root of roots) seed.roots.set(root.version, rootBytes(root))
  seed.rootVersion = roots.at(-1)?.version ?? 1
  return seed
}

function fetched(name: string, ...seeds: FakeSeed[]): Promise<void> {
  const given = readRoot(at(name))
  const target = newestPath(given)
  const other = existsSync(target) ? readRoot(target) : undefined
  const standing = target === given.path ? given : other
  return bring(given, { target, standing }, { reached: seeds, missed: [] })
}

test('the newest is root.json, and each step to it is beside it; once more it is there already', async () => {
  save('root.json', ROOT)
  const seed = seedWith(ROOT, TWO, THREE)
  await fetched('root.json', seed)
  const all = { 'root.1.json': ROOT, 'root.2.json': TWO, 'root.json': THREE }
  expect(stored()).toEqual(all)
  expect(said.join('')).toMatch(
    /root\.2\.json is written\n.*root\.json is version 3 now\nseed .* is at root 3\n$/,
  )
  const before = readFileSync(at('root.json'), 'utf8')
  said = []
  await fetched('root.json', seed)
  expect(said.join('')).toMatch(/root\.json is version 3 already, .*\nseed .* is at root 3\n$/)
  expect([stored(), readFileSync(at('root.json'), 'utf8')]).toEqual([all, before])
})

test('of an older version that is kept under its number, root.json beside it is the newest', async () => {
  save('root.1.json', ROOT)
  await fetched('root.1.json', seedWith(ROOT, TWO))
  expect(stored()).toEqual({ 'root.1.json': ROOT, 'root.json': TWO })
  await fetched('root.1.json', seedWith(ROOT, TWO, THREE, FOUR))
  expect(stored()).toEqual({
    'root.1.json': ROOT,
    'root.2.json': TWO,
    'root.3.json': THREE,
    'root.json': FOUR,
  })
})

test.each([
  ['another than the fleet’s', OTHER_TWO],
  ['newer than all that the seeds have', FOUR],
] as const)('a root that is %s is not written over', async (_, root) => {
  save('root.1.json', ROOT)
  save('root.json', root)
  await expect(fetched('root.1.json', seedWith(ROOT, TWO, THREE))).rejects.toMatchObject({
    code: 'INPUT_EXISTS',
    message: expect.stringContaining(`version ${root.version}, and none of those from 1 to 3`),
  })
  expect(stored()).toEqual({ 'root.1.json': ROOT, 'root.json': root })
})

test('nor is an older one that is kept beside it', async () => {
  save('root.json', ROOT)
  save('root.2.json', OTHER_TWO)
  await expect(fetched('root.json', seedWith(ROOT, TWO, THREE))).rejects.toMatchObject({
    code: 'INPUT_EXISTS',
    message: expect.stringContaining('root.2.json'),
  })
  expect(stored()).toMatchObject({ 'root.2.json': OTHER_TWO, 'root.json': ROOT })
})

test('nor what another run put there meanwhile', async () => {
  save('root.json', ROOT)
  const seed = seedWith(ROOT, TWO, THREE)
  const ask = seed.ask.bind(seed)
  seed.ask = async (request) => {
    save('root.json', OTHER_TWO)
    return ask(request)
  }
  await expect(fetched('root.json', seed)).rejects.toMatchObject({ code: 'INPUT_EXISTS' })
  expect(stored()).toEqual({ 'root.json': OTHER_TWO })
})

test('where no seed agrees nothing is written; where one does the others are told', async () => {
  save('root.json', OTHER_TWO)
  const fork = seedWith(ROOT, TWO)
  await expect(fetched('root.json', fork)).rejects.toMatchObject({ code: 'TRUST_ROOT_FORK' })
  expect(stored()).toEqual({ 'root.json': OTHER_TWO })
  await fetched('root.json', seedWith(ROOT, OTHER_TWO), fork)
  expect(said.join('')).toMatch(
    /confmesh: TRUST_ROOT_FORK: .*has another root 2 than the one here[\s\S]*version 2 already/,
  )
})

test('a seed that is behind is none that has the root here, where another has something against it', async () => {
  save('root.json', OTHER_TWO)
  const other = raised(ROOT)
  for (const fork of [seedWith(ROOT, other), seedWith(ROOT, other, renew(other, ROOT.expires + 1_000))])
    for (const seeds of [
      [fork, seedWith(ROOT)],
      [seedWith(ROOT), fork],
    ])
      await expect(fetched('root.json', ...seeds)).rejects.toMatchObject({
        code: fork.roots.size === 2 ? 'TRUST_ROOT_FORK' : 'TRUST_ROOT_OLD',
      })
  expect([stored(), said.join('')]).toEqual([{ 'root.json': OTHER_TWO }, ''])
})

test('where one has it, and another something against it, no seed is to be handed it', async () => {
  save('root.json', OTHER_TWO)
  await fetched('root.json', seedWith(ROOT, OTHER_TWO), seedWith(ROOT, TWO), seedWith(ROOT))
  expect(said.join('')).toMatch(
    /root\.json is version 2 already\nseed .* is at root 2\nseed .* is at root 1\n$/,
  )
})

test('a root that no seed has yet is no matter where none has another', async () => {
  save('root.json', TWO)
  await fetched('root.json', seedWith(ROOT))
  expect(said.join('')).toMatch(/version 2 already, and .*\nseed .* is at root 1: hand it the newer ones/)
})

test('a version here that was another than the fleet’s is named, and a seed that lacks the newest', async () => {
  save('root.json', OTHER_TWO)
  const old = new FakeSeed('b')
  old.roots.set(1, rootBytes(ROOT))
  await fetched('root.json', seedWith(ROOT, TWO, THREE), old)
  expect(stored()).toEqual({ 'root.2.json': OTHER_TWO, 'root.json': THREE })
  expect(said.join('')).toMatch(
    /is at root 3; its root 2 was another[\s\S]*is at root 1: hand it the newer ones/,
  )
})

test('a file is an older version by its number alone where it is of that version', () => {
  save('root.1.json', ROOT)
  save('root.7.json', TWO)
  save('fleet.json', TWO)
  const paths = ['root.1.json', 'root.7.json', 'fleet.json'].map((name) => newestPath(readRoot(at(name))))
  expect(paths).toEqual(['root.json', 'root.7.json', 'fleet.json'].map(at))
})

test('one that comes between two questions is no fork', async () => {
  save('root.json', ROOT)
  const seed = seedWith(ROOT, TWO)
  const ask = seed.ask.bind(seed)
  let asked = 0
  seed.ask = async (request) => {
    const answer = await ask(request)
    if (request.type === 'roots' && request.since === 2) asked += 1
    if (asked === 1) seed.roots.set(3, rootBytes(THREE))
    return answer
  }
  await fetched('root.json', seed)
  expect(readRoot(at('root.json')).root).toEqual(TWO)
  expect(said.join('')).toMatch(/is at root 3 by now: fetch once more/)
})

test('of seeds whose roots both follow from the one here none is believed, in either order; each alone is', async () => {
  save('root.json', ROOT)
  const rival = () => Object.assign(seedWith(ROOT, OTHER_TWO), { peer: '12D3KooWb' as PeerId })
  const [two, three] = [raised(ROOT), renew(raised(ROOT), ROOT.expires + 2_000)]
  const asked = [
    [seedWith(ROOT, TWO), rival()],
    [rival(), seedWith(ROOT, TWO)],
    [seedWith(ROOT, two, three), rival()],
    [rival(), seedWith(ROOT, two, three)],
  ] as const
  for (const seeds of asked)
    await expect(fetched('root.json', ...seeds)).rejects.toMatchObject({
      message: expect.stringMatching(/both follow from the root here, so nothing was written/),
    })
  expect(stored()).toEqual({ 'root.json': ROOT })
  await fetched('root.json', rival())
  expect(stored()).toEqual({ 'root.1.json': ROOT, 'root.json': OTHER_TWO })
})
