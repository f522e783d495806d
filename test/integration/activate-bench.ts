/** An activator over a real folder, with releases in a store in memory. */
import { chmod, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Activator, type ActivatorInit, createActivator } from '../../src/activate/activator.ts'
import type { EffectOf } from '../../src/core/effects.ts'
import { LIMITS } from '../../src/limits.ts'
import type { ActivationOutcome } from '../../src/runtime/ports.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { CHANNEL, type TestRelease } from '../contract/store-fixtures.ts'

export class ActivateBench {
  readonly dir: string
  readonly store: MemoryStore
  readonly notes: EffectOf<'note'>[] = []
  #activator: Activator | undefined

  private constructor(dir: string, store: MemoryStore) {
    this.dir = dir
    this.store = store
  }

  static async start(releases: readonly TestRelease[]): Promise<ActivateBench> {
    const dir = await mkdtemp(join(tmpdir(), 'confmesh-activate-'))
    await chmod(dir, 0o755)
    const store = new MemoryStore({ limits: LIMITS })
    await store.open()
    for (const { writes } of releases) await store.commit(writes)
    return new ActivateBench(dir, store)
  }

  /** As after a restart: nothing but what lies on disk is known. */
  restarted(init: Partial<ActivatorInit> = {}): Activator {
    const log = { note: (note: EffectOf<'note'>) => void this.notes.push(note) }
    this.#activator = createActivator({
      dir: this.dir,
      hooks: [],
      store: this.store,
      limits: LIMITS,
      log,
      ...init,
    })
    return this.#activator
  }

  get activator(): Activator {
    return this.#activator ?? this.restarted()
  }

  activate(release: TestRelease, previous?: TestRelease, fallback = false): Promise<ActivationOutcome> {
    return this.activator.activate({
      kind: 'activate',
      channel: release.channel,
      release: release.id,
      pages: release.pages,
      previous: previous?.id,
      ahead: undefined,
      after: { ticket: 1 } as EffectOf<'activate'>['after'],
      fallback,
    })
  }

  /** @param ahead what the core takes for newer than its record */
  restore(release: TestRelease, ahead?: TestRelease): Promise<ActivationOutcome> {
    return this.activator.restore(release.channel, release.id, release.pages, ahead?.id)
  }

  path(...parts: readonly string[]): string {
    return join(this.dir, CHANNEL, ...parts)
  }

  async tree(): Promise<string> {
    return (await readlink(this.path('current'))).replace('.releases/', '')
  }

  /** Path → content of what applications see. */
  async visible(): Promise<Record<string, string>> {
    const root = this.path('current')
    const seen: Record<string, string> = {}
    for (const found of await readdir(root, { recursive: true, withFileTypes: true }))
      if (found.isFile()) {
        const path = join(found.parentPath, found.name)
        seen[path.slice(root.length + 1)] = await readFile(path, 'utf8')
      }
    return seen
  }

  async trees(): Promise<readonly string[]> {
    return (await readdir(this.path('.releases'))).filter((name) => /^[0-9a-f]{64}/.test(name)).sort()
  }

  codes(): readonly string[] {
    return this.notes.map(({ code }) => code)
  }

  async cleanUp(): Promise<void> {
    await this.#activator?.stop()
    await rm(this.dir, { recursive: true, force: true })
  }
}
