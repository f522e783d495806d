import { randomUUID } from 'node:crypto'
import { lstat, open, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Channel, ReleaseId } from '../model/ids.ts'
import { isDigest } from '../model/names.ts'
import { activateError, isAbsent } from './errors.ts'
import { removeTree, syncDirectory, UNFINISHED } from './tree.ts'

const RELEASES = '.releases'
const LINK = 'current'
const NOTES = 'trees.json'
const CHANGED = 'changed'
const RUNNING = 'running'
/** A mark, and the process group unless it was not known yet. */
const RUN = /^([0-9a-f-]{36})(?: ([1-9][0-9]{0,9}))?$/

/** `<release>` or, built anew after somebody changed it, `<release>.<n>`. */
const TREE = /^([0-9a-f]{64})(?:\.([1-9][0-9]{0,8}))?$/

export interface TreeNotes {
  /** Names of trees, the active one first, or the one about to be, then those before it. */
  readonly trees: readonly string[]
  /** The tree whose hooks and health check are through. */
  readonly done: string | undefined
  /** The tree whose hooks or health check failed, and have not passed since. */
  readonly failed: string | undefined
  /** The tree is done, as a step back waits for nothing, but its hooks were not through with the list of changed paths. */
  readonly owed: boolean
}

/** The release a tree holds. */
export const releaseOf = (tree: string | undefined): ReleaseId | undefined => {
  const release = tree === undefined ? undefined : TREE.exec(tree)?.[1]
  return isDigest(release) ? (release as string as ReleaseId) : undefined
}

/** One channel's folder: its trees, the link to the active one, and what was noted of them. */
export class ChannelFolder {
  readonly path: string
  readonly releases: string
  readonly #current: string

  constructor(base: string, channel: Channel) {
    this.path = join(base, channel)
    this.releases = join(this.path, RELEASES)
    this.#current = join(this.path, LINK)
  }

  get current(): string {
    return this.#current
  }

  /** Folders of this channel below the base. */
  static below = (channel: Channel): string => `${channel}/${RELEASES}`

  treePath(tree: string): string {
    return join(this.releases, tree)
  }

  /**
   * The tree that `current` shows, by name; undefined where there is none or the link is not one of ours.
   * @throws MeshError ACTIVATE_UNSAFE_DIR where `current` is no link
   */
  async activeTree(): Promise<string | undefined> {
    try {
      const target = await readlink(this.#current)
      const name = target.startsWith(`${RELEASES}/`) ? target.slice(RELEASES.length + 1) : ''
      return TREE.test(name) ? name : undefined
    } catch (error) {
      if (isAbsent(error)) return undefined
      if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
      throw activateError(
        'ACTIVATE_UNSAFE_DIR',
        `${this.#current}: is no link of this node; move it away, its place is where the active release appears`,
      )
    }
  }

  /** Readers see the old tree or the new one: a link made aside replaces the old link by one rename. */
  async show(tree: string): Promise<void> {
    const aside = join(this.path, `.${LINK}.new`)
    await createAside(aside, () => symlink(`${RELEASES}/${tree}`, aside))
    await rename(aside, this.#current)
    await syncDirectory(this.path)
  }

  /** All that lies where the trees are, by name. */
  list(): Promise<readonly string[]> {
    return readdir(this.releases)
  }

  /** What a crash left half built, or half removed. @returns of each that stays, why */
  async removeUnfinished(listed: readonly string[], stop: AbortSignal): Promise<readonly string[]> {
    return this.#remove(
      listed.filter((name) => name.startsWith(UNFINISHED)),
      stop,
    )
  }

  /** Of the trees that are listed all but these go. @returns of each that stays, why */
  async prune(
    listed: readonly string[],
    keep: ReadonlySet<string>,
    stop: AbortSignal,
  ): Promise<readonly string[]> {
    return this.#remove(listed.filter((name) => TREE.test(name) && !keep.has(name)).sort(), stop)
  }

  /** An application may have put files of its own user into a tree: that keeps no release from being activated. */
  async #remove(names: readonly string[], stop: AbortSignal): Promise<readonly string[]> {
    const stays: string[] = []
    for (const name of names) {
      let path = this.treePath(name)
      try {
        path = await this.#setAside(name)
        await removeTree(path, stop)
      } catch (error) {
        // The next activation finds it where it lies.
        if (stop.aborted) break
        // Of what is below it something may be gone as well.
        if (!(await isGone(path))) stays.push(`${path} cannot be removed: ${String(error)}`)
      }
    }
    return stays
  }

  /** A tree that has its name is complete: what goes loses it first, as a crash may leave half of it. */
  async #setAside(name: string): Promise<string> {
    if (name.startsWith(UNFINISHED)) return this.treePath(name)
    const aside = this.treePath(`${UNFINISHED}${name}.${randomUUID()}`)
    await rename(this.treePath(name), aside)
    return aside
  }

  /** Lost or unreadable notes only make hooks run once more. */
  async notes(): Promise<TreeNotes> {
    try {
      const read: unknown = JSON.parse(await readFile(join(this.releases, NOTES), 'utf8'))
      const { trees, done, failed, owed } = (read ?? {}) as Record<string, unknown>
      return {
        trees: Array.isArray(trees)
          ? trees.filter((name): name is string => typeof name === 'string' && TREE.test(name)).slice(0, 16)
          : [],
        done: typeof done === 'string' ? done : undefined,
        failed: typeof failed === 'string' ? failed : undefined,
        owed: owed === true,
      }
    } catch {
      return { trees: [], done: undefined, failed: undefined, owed: false }
    }
  }

  async note(notes: TreeNotes): Promise<void> {
    await this.#replace(NOTES, `${JSON.stringify(notes)}\n`)
    await syncDirectory(this.releases)
  }

  /** Where hooks find the list of changed paths. */
  get changedFile(): string {
    return join(this.releases, CHANGED)
  }

  /**
   * The list of changed paths for hooks: in a file, as an environment holds neither 10,000 of them nor NUL. Where it
   * cannot be written there is none: the last one is of another activation.
   */
  async writeChanged(paths: readonly string[]): Promise<void> {
    await this.removeChanged()
    await this.#replace(CHANGED, paths.map((path) => `${path}\0`).join(''))
  }

  /** What the list holds; undefined where there is none, or it cannot be read. */
  async readChanged(): Promise<readonly string[] | undefined> {
    try {
      return (await readFile(this.changedFile, 'utf8')).split('\0').slice(0, -1)
    } catch {
      return undefined
    }
  }

  async removeChanged(): Promise<void> {
    await rm(this.changedFile, { force: true })
  }

  /** The command that runs now: should this process be killed, the next one knows by this what it left. */
  async noteRunning(mark: string, group?: number): Promise<void> {
    await this.#replace(RUNNING, group === undefined ? mark : `${mark} ${group}`, false)
  }

  /** The command that was not through when the process ended. */
  async leftRunning(): Promise<{ mark: string; group: number | undefined } | undefined> {
    const text = await readFile(join(this.releases, RUNNING), 'utf8').catch(() => '')
    const [, mark, group] = RUN.exec(text) ?? []
    return mark === undefined ? undefined : { mark, group: group === undefined ? undefined : Number(group) }
  }

  async removeRunning(): Promise<void> {
    await rm(join(this.releases, RUNNING), { force: true })
  }

  /** @param durable what a power cut ends as well need not outlive it */
  async #replace(name: string, text: string, durable = true): Promise<void> {
    const path = join(this.releases, name)
    const aside = `${path}.new`
    const handle = await createAside(aside, () => open(aside, 'wx', 0o644))
    try {
      await handle.writeFile(text)
      if (durable) await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(aside, path)
  }
}

/** Trees of this release among what is listed, the newest build last. */
export const buildsIn = (listed: readonly string[], release: ReleaseId): readonly string[] =>
  listed.filter((name) => releaseOf(name) === release).sort((a, b) => buildOf(a) - buildOf(b))

/** The tree shown so far and those before it. What is noted first was about to be shown: it may not have come to pass. */
export const seenTrees = ({ trees }: TreeNotes, before: string | undefined): readonly string[] => [
  ...new Set([...(before === undefined ? [] : [before]), ...(trees[0] === before ? trees : trees.slice(1))]),
]

/** A name no tree has. @param builds of this release, the newest last */
export function freshName(release: ReleaseId, builds: readonly string[]): string {
  const newest = builds.at(-1)
  return newest === undefined ? release : `${release}.${buildOf(newest) + 1}`
}

const isGone = (path: string): Promise<boolean> => lstat(path).then(() => false, isAbsent)

/** Exclusive creation, so that no link is followed; what a crash left of an earlier try goes. */
async function createAside<T>(aside: string, create: () => Promise<T>): Promise<T> {
  return create().catch(async (error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    await rm(aside, { force: true })
    return create()
  })
}

const buildOf = (tree: string): number => Number(TREE.exec(tree)?.[2] ?? 0)
