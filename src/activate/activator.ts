import type { Limits } from '../limits.ts'
import type { Channel, Digest, Pattern, ReleaseId } from '../model/ids.ts'
import type { ManifestEntry } from '../model/manifest.ts'
import { parsePattern } from '../model/names.ts'
import type { ActivationOutcome, ActivatorPort, EffectOf, LogPort } from '../runtime/ports.ts'
import { ChannelFolder, releaseOf, type TreeNotes } from './channel-folder.ts'
import { activateError, failedOutcome } from './errors.ts'
import { type Health, type Hook, runHooks } from './hooks.ts'
import { groupId, type Ownership } from './ownership.ts'
import { type ContentStore, changedPaths, readManifest } from './read-manifest.ts'
import { makeDirectories, openDirectory } from './safe-directory.ts'
import { buildTree, differenceOf, removeTree } from './tree.ts'

export { createMarkOnly } from './mark-only.ts'

export interface ActivatorInit {
  readonly dir: string
  /** Octal text such as "0440", or its number; files of the manifest's own mode without. */
  readonly mode?: string | number | undefined
  /** Name or number. */
  readonly group?: string | number | undefined
  readonly hooks: readonly {
    readonly channels: readonly string[]
    readonly command: readonly string[]
    readonly timeoutMs: number
  }[]
  readonly health?: Health
  readonly store: ContentStore
  readonly limits: Limits
  readonly log?: LogPort
}

export interface Activator extends ActivatorPort {
  /** Checks folder and group before the first activation. @throws MeshError ACTIVATE_UNSAFE_DIR, CONFIG_INVALID */
  start(): Promise<void>
  /** Paths that the last activation of this channel changed, added or removed. */
  changed(channel: Channel): readonly string[]
}

interface Ready {
  /** Real path of `dir`. */
  readonly base: string
  readonly ownership: Ownership
}

/** One activation on its way. */
interface Work {
  readonly channel: Channel
  readonly release: ReleaseId
  readonly files: readonly ManifestEntry[]
  readonly folder: ChannelFolder
  readonly ownership: Ownership
  /** The tree shown so far. */
  readonly before: string | undefined
  readonly notes: TreeNotes
  readonly fallback: boolean
}

/**
 * Makes releases appear as files, all at once: a whole tree is built beside the active one, made durable, and
 * shown by replacing the link `current`. Then hooks and the health check run, again after a crash in between.
 */
export function createActivator(init: ActivatorInit): Activator {
  const { dir, store, limits } = init
  const hooks: readonly Hook[] = init.hooks.map((hook) => ({
    ...hook,
    channels: hook.channels.map((pattern): Pattern => parsePattern(pattern)),
  }))
  const stopping = new AbortController()
  const lastChanged = new Map<Channel, readonly string[]>()
  const tails = new Map<Channel, Promise<unknown>>()
  const cleaned = new Set<Channel>()
  let ready: Ready | undefined

  async function start(): Promise<Ready> {
    const mode = typeof init.mode === 'string' ? Number.parseInt(init.mode, 8) : init.mode
    ready ??= { base: await openDirectory(dir), ownership: { mode, gid: await groupId(init.group) } }
    return ready
  }

  /** One after another within a channel; never rejects. */
  function inTurn(channel: Channel, work: () => Promise<ActivationOutcome>): Promise<ActivationOutcome> {
    const outcome = (tails.get(channel) ?? Promise.resolve())
      .then(work)
      .catch((error: unknown): ActivationOutcome => failedOutcome(error, dir))
    tails.set(channel, outcome)
    return outcome
  }

  async function activate(
    channel: Channel,
    release: ReleaseId,
    pages: readonly Digest[],
    fallback: boolean,
    again: boolean,
  ): Promise<ActivationOutcome> {
    if (stopping.signal.aborted) throw activateError('ACTIVATE_FAILED', 'the node stops')
    const { base, ownership } = await start()
    // Again before each activation: what was safe at start may not be any longer.
    await makeDirectories(base, ChannelFolder.below(channel))
    const folder = new ChannelFolder(base, channel)
    if (!cleaned.has(channel)) await folder.removeUnfinished()
    cleaned.add(channel)
    const [before, notes] = [await folder.activeTree(), await folder.notes()]
    if (again && isAhead(before, release, notes)) return { kind: 'healthy', changed: 0 }
    const files = await readManifest(store, release, pages, limits)
    const work: Work = { channel, release, files, folder, ownership, before, notes, fallback }
    const tree = await wholeTree(work)
    if (tree === before && notes.done === tree) {
      lastChanged.set(channel, [])
      return { kind: 'healthy', changed: 0 }
    }
    return show(work, tree)
  }

  /** The name of a tree that holds exactly this release: one that is there, each digest checked, or a new one. */
  async function wholeTree(work: Work): Promise<string> {
    const { folder, files, ownership, release, before } = work
    const builds = await folder.builds(release)
    const candidates = new Set(
      before !== undefined && builds.includes(before) ? [before] : builds.toReversed(),
    )
    for (const tree of candidates) {
      const difference = await differenceOf(folder.treePath(tree), files, ownership)
      if (difference === undefined) return tree
      note(
        'error',
        'ACTIVATE_DRIFT',
        `${folder.treePath(tree)} was changed (${difference}); built anew`,
        work,
      )
      if (tree !== before) await removeTree(folder.treePath(tree))
    }
    const name = await folder.freshName(release)
    await buildTree(
      store,
      { releases: folder.releases, name, last: before, files, ownership },
      limits,
      stopping.signal,
    )
    return name
  }

  async function show(work: Work, tree: string): Promise<ActivationOutcome> {
    const { channel, release, folder, before, notes } = work
    const older = [before, ...notes.trees].filter((name) => name !== undefined && name !== tree)
    const trees = [tree, ...new Set(older as string[])].slice(0, 1 + limits.keepTrees)
    const previous = releaseOf(trees.find((name) => releaseOf(name) !== release))
    const changed = changedPaths(await manifestOf(previous), work.files)
    await folder.show(tree)
    lastChanged.set(channel, changed)
    await folder.note({ trees, done: undefined, failed: undefined })
    await folder.prune(new Set(trees))
    const facts = {
      channel,
      release,
      previous,
      dir: folder.current,
      changedFile: await folder.writeChanged(changed),
      cwd: folder.path,
    }
    const unhealthy = await runHooks(
      hooks,
      work.fallback ? undefined : init.health,
      facts,
      limits,
      stopping.signal,
    )
    // Not done: the node stops and cut the hooks short; they run again at its next start.
    if (stopping.signal.aborted)
      throw activateError('ACTIVATE_FAILED', 'the node stops; hooks run again at its start')
    const passed = unhealthy === undefined || work.fallback
    await folder.note({ trees, done: passed ? tree : undefined, failed: passed ? undefined : tree })
    if (unhealthy === undefined) return { kind: 'healthy', changed: changed.length }
    if (!work.fallback) return unhealthy
    note('error', unhealthy.code, `${unhealthy.text}; back on last-known-good all the same`, work)
    return { kind: 'healthy', changed: changed.length }
  }

  /** Undefined where the store does not have it any longer: then every path counts as changed. */
  const manifestOf = (release: ReleaseId | undefined): Promise<readonly ManifestEntry[] | undefined> =>
    release === undefined
      ? Promise.resolve(undefined)
      : readManifest(store, release, undefined, limits).catch(() => undefined)

  function note(
    level: 'warn' | 'error',
    code: 'ACTIVATE_DRIFT' | Unhealthy['code'],
    text: string,
    work: Work,
  ): void {
    init.log?.note({ kind: 'note', level, code, text, channel: work.channel, release: work.release })
  }

  return {
    start: async () => void (await start()),
    activate: ({ channel, release, pages, fallback, previous }: EffectOf<'activate'>) =>
      inTurn(channel, () => activate(channel, release, pages, fallback, previous === release)),
    restore: (channel, release, pages) =>
      inTurn(channel, () => activate(channel, release, pages, false, true)),
    changed: (channel) => lastChanged.get(channel) ?? [],
    async stop() {
      stopping.abort()
      await Promise.allSettled(tails.values())
    },
  }
}

/**
 * Did the node stop between showing a newer tree and noting that it is active? Then that one is the target and is
 * activated next; going back for a moment would show applications an older release.
 */
const isAhead = (shown: string | undefined, release: ReleaseId, notes: TreeNotes): boolean =>
  shown !== undefined &&
  releaseOf(shown) !== release &&
  notes.failed !== shown &&
  !notes.trees.slice(1).includes(shown)

type Unhealthy = Extract<ActivationOutcome, { kind: 'unhealthy' }>
