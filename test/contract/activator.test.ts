/** What a driver may rely on, whether releases become files or are only marked. */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { createActivator, createMarkOnly } from '../../src/activate/activator.ts'
import type { EffectOf } from '../../src/core/effects.ts'
import { LIMITS } from '../../src/limits.ts'
import type { ActivatorPort } from '../../src/runtime/ports.ts'
import { HostFiles } from '../../src/sim/host-files.ts'
import { stream } from '../../src/sim/random.ts'
import { VirtualTime } from '../../src/sim/time.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { CHANNEL, makeRelease, type TestRelease } from './store-fixtures.ts'

const first = makeRelease(1, [{ path: 'app.yaml', content: 'a: 1\n' }])
const second = makeRelease(2, [{ path: 'app.yaml', content: 'a: 2\n' }])
/** Not in the store. */
const absent = makeRelease(3, [{ path: 'app.yaml', content: 'a: 3\n' }])

const effect = (release: TestRelease, previous?: TestRelease, fallback = false): EffectOf<'activate'> => ({
  kind: 'activate',
  channel: CHANNEL,
  release: release.id,
  pages: release.pages,
  previous: previous?.id,
  ahead: undefined,
  after: { ticket: 1 } as EffectOf<'activate'>['after'],
  fallback,
})

interface MadeActivator {
  readonly activator: ActivatorPort
  /** It leaves files, and can tell of which release. */
  readonly shows: boolean
  readonly dir?: string
}

async function filledStore(): Promise<MemoryStore> {
  const store = new MemoryStore({ limits: LIMITS })
  await store.open()
  for (const { writes } of [first, second]) await store.commit(writes)
  return store
}

async function fileActivator(): Promise<MadeActivator> {
  const dir = await mkdtemp(join(tmpdir(), 'confmesh-activator-'))
  await chmod(dir, 0o755)
  const store = await filledStore()
  return { activator: createActivator({ dir, hooks: [], store, limits: LIMITS }), dir, shows: true }
}

/** @param seed of its delays: what comes at once must not end in the order of those */
const simulated = (seed: number) => async (): Promise<MadeActivator> => {
  const time = new VirtualTime()
  const files = new HostFiles(time, stream(seed, 'files'), LIMITS, new Set(), () => {})
  const activator = files.activator(await filledStore())
  /** Virtual time goes on until the work is done. */
  const done = async <T>(work: Promise<T>): Promise<T> => {
    let ended = false
    const end = work.finally(() => {
      ended = true
    })
    while (!ended) {
      await new Promise(setImmediate)
      time.step(Number.POSITIVE_INFINITY)
    }
    return end
  }
  return {
    activator: {
      ...activator,
      activate: (order) => done(activator.activate(order)),
      restore: (...order) => done(activator.restore(...order)),
    },
    shows: true,
  }
}

const kinds: Readonly<Record<string, () => Promise<MadeActivator>>> = {
  'files and hooks': fileActivator,
  'mark only': async () => ({ activator: createMarkOnly(), shows: false }),
  'files of a simulated host': simulated(1),
  'files of another simulated host': simulated(2),
}

describe.each(Object.entries(kinds))('%s', (_, make) => {
  const dirs: string[] = []
  afterEach(async () => {
    for (const dir of dirs.splice(0)) await rm(dir, { recursive: true, force: true })
  })
  const made = async (): Promise<ActivatorPort> => {
    const { activator, dir } = await make()
    if (dir !== undefined) dirs.push(dir)
    return activator
  }

  test('a release, the next, the same again, and back: each is healthy', async () => {
    const activator = await made()
    expect(await activator.activate(effect(first))).toMatchObject({ kind: 'healthy' })
    expect(await activator.activate(effect(second, first))).toMatchObject({ kind: 'healthy' })
    expect(await activator.activate(effect(second, second))).toEqual({ kind: 'healthy', changed: 0 })
    expect(await activator.activate(effect(first, second, true))).toMatchObject({ kind: 'healthy' })
    expect(await activator.restore(CHANNEL, first.id, first.pages, undefined)).toEqual({
      kind: 'healthy',
      changed: 0,
    })
    await activator.stop()
  })

  test('it tells what is shown, where there are files', async () => {
    const { activator, dir, shows } = await make()
    if (dir !== undefined) dirs.push(dir)
    expect(await activator.shown(CHANNEL)).toBeUndefined()
    await activator.activate(effect(first))
    await activator.activate(effect(second, first))
    expect(await activator.shown(CHANNEL)).toBe(shows ? second.id : undefined)
    await activator.stop()
  })

  test('where it fails without having shown a release, it shows what it did', async () => {
    const { activator, dir, shows } = await make()
    if (dir !== undefined) dirs.push(dir)
    await activator.activate(effect(first))
    const outcome = await activator.activate(effect(absent, first))
    if (shows) expect(outcome).toMatchObject({ kind: 'failed' })
    expect('shown' in outcome).toBe(false)
    expect(await activator.shown(CHANNEL)).toBe(shows ? first.id : undefined)
    await activator.stop()
  })

  test('calls at once end one after another', async () => {
    const { activator, dir, shows } = await make()
    if (dir !== undefined) dirs.push(dir)
    const outcomes = await Promise.all([
      activator.activate(effect(first)),
      activator.activate(effect(second)),
    ])
    expect(outcomes.map(({ kind }) => kind)).toEqual(['healthy', 'healthy'])
    if (shows) expect(await activator.shown(CHANNEL)).toBe(second.id)
    await activator.stop()
  })

  test('an order that is withdrawn before its turn shows nothing, and asked for again it does', async () => {
    const { activator, dir, shows } = await make()
    if (dir !== undefined) dirs.push(dir)
    const outcomes = [activator.activate(effect(first)), activator.activate(effect(second, first))]
    activator.withdraw(CHANNEL, second.id)
    const [shown, withdrawn] = await Promise.all(outcomes)
    expect(shown).toMatchObject({ kind: 'healthy' })
    if (shows) expect(withdrawn).toMatchObject({ kind: 'failed' })
    expect(withdrawn !== undefined && 'shown' in withdrawn).toBe(false)
    expect(await activator.shown(CHANNEL)).toBe(shows ? first.id : undefined)
    expect(await activator.activate(effect(second, first))).toMatchObject({ kind: 'healthy' })
    await activator.stop()
  })

  test('what is shown already, or another release, cannot be withdrawn', async () => {
    const { activator, dir, shows } = await make()
    if (dir !== undefined) dirs.push(dir)
    await activator.activate(effect(first))
    activator.withdraw(CHANNEL, first.id)
    const next = activator.activate(effect(second, first))
    activator.withdraw(CHANNEL, first.id)
    expect(await next).toMatchObject({ kind: 'healthy' })
    expect(await activator.shown(CHANNEL)).toBe(shows ? second.id : undefined)
    await activator.stop()
  })

  test('it stops twice without harm', async () => {
    const activator = await made()
    await activator.stop()
    await activator.stop()
  })
})
