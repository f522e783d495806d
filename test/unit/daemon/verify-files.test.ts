/** Files that applications read are held against the store, as at a start. */
import { chmod, mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createActivator } from '../../../src/activate/activator.ts'
import type { EffectOf } from '../../../src/core/effects.ts'
import { verifyData } from '../../../src/daemon/verify.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Pattern } from '../../../src/model/ids.ts'
import { LevelStore } from '../../../src/store/level.ts'
import { CHANNEL, floorOf, make, ROOT, record, rootBytes } from '../core/fleet.ts'

let data: string
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'confmesh-verify-files-'))
  await chmod(data, 0o755)
})
afterEach(async () => {
  vi.restoreAllMocks()
  await rm(data, { recursive: true })
})

const made = make({ clock: { alice: 1 }, text: 'a=1\n', also: 'b=2\n' })
const dir = (): string => join(data, 'files')
const floorDir = (): string => join(dir(), '.confmesh', ROOT.fleetId.slice(0, 8))
const inSight = (...path: string[]): string => join(dir(), CHANNEL, 'current', ...path)

async function opened(): Promise<LevelStore> {
  const store = new LevelStore({
    dir: join(data, 'store'),
    floorDir: floorDir(),
    fleetId: ROOT.fleetId,
    limits: LIMITS,
    log: { note: () => {} },
  })
  await store.open()
  await store.load()
  return store
}

/** A node that was started, activated this release, and stopped. */
async function lived(): Promise<void> {
  await mkdir(dir())
  const store = await opened()
  const { id: release, envelope } = made
  const active = { release, epoch: 1, activatedAt: 0, soaked: true }
  await store.commit(
    [
      { kind: 'root', version: 1, envelope: rootBytes(ROOT) },
      { kind: 'envelope', release, channel: CHANNEL, bytes: envelope },
      { kind: 'floor', floor: floorOf(made) },
      ...[...made.content].map(([digest, bytes]) => ({ kind: 'block' as const, digest, bytes })),
      { kind: 'whole', release },
      { kind: 'channel', record: record([release], { active }) as never },
    ],
    true,
  )
  const activator = createActivator({ dir: dir(), hooks: [], store, limits: LIMITS })
  const pages = made.release.header.pages
  const order = {
    kind: 'activate',
    channel: CHANNEL,
    release,
    pages,
    fallback: false,
  } as EffectOf<'activate'>
  expect(await activator.activate(order)).toMatchObject({ kind: 'healthy' })
  await activator.stop()
  await store.close()
}

const verified = (patterns = ['**'], mode?: string) =>
  verifyData(data, LIMITS, floorDir(), { dir: dir(), mode, patterns: patterns as Pattern[] })

test.each<[string, string, () => Promise<unknown>]>([
  ['a byte', 'a.conf: other content', () => change('a.conf', 'a=2\n')],
  ['one more file', 'more.conf: not of this release', () => writeFile(inSight('more.conf'), '')],
  ['a file that is gone', 'b.conf: ENOENT', () => unlink(inSight('b.conf'))],
  ['a mode', 'a.conf: other mode', () => chmod(inSight('a.conf'), 0o644)],
])('%s that somebody changed is damage', async (_, what, act) => {
  await lived()
  expect(await verified()).toMatchObject({ problems: [], notes: [] })
  await act()
  expect(await verified()).toMatchObject({
    problems: [
      {
        where: join(dir(), CHANNEL, '.releases', made.id),
        what: expect.stringContaining(`was changed (${what}`),
      },
    ],
  })
  // The node does not look after what none of its patterns matches, and verify not after what is named nowhere.
  expect(await verified(['other/**'])).toMatchObject({ problems: [] })
  expect(await verifyData(data, LIMITS, floorDir())).toMatchObject({ problems: [] })
})

async function change(path: string, text: string): Promise<void> {
  await chmod(inSight(path), 0o644)
  await writeFile(inSight(path), text)
  await chmod(inSight(path), 0o444)
}

test('a channel whose files cannot be looked at is damage, and hides nothing else', async () => {
  await lived()
  const folder = join(inSight(), '..')
  await rename(folder, join(dir(), 'aside'))
  await symlink(folder, folder)
  expect(await verified()).toMatchObject({ problems: [{ what: expect.stringContaining('ELOOP') }] })
})

test('nothing in sight of what is active is damage; a tree that the store does not know cannot be judged', async () => {
  await lived()
  await rename(inSight(), join(dir(), 'aside'))
  expect(await verified()).toMatchObject({
    problems: [{ where: inSight(), what: expect.stringContaining('shows no release') }],
  })
  await rm(join(data, 'store'), { recursive: true })
  await rename(join(dir(), 'aside'), inSight())
  const bare = await opened()
  await bare.commit([{ kind: 'floor', floor: floorOf(made) }], true)
  await bare.close()
  expect(await verified()).toMatchObject({
    problems: [],
    notes: [expect.stringContaining('was not looked at: the header of release')],
  })
})
