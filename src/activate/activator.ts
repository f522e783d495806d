import { type Code, isMeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Channel, Digest, ReleaseId } from '../model/ids.ts'
import type { ManifestEntry } from '../model/manifest.ts'
import { parsePattern } from '../model/names.ts'
import { matchesAny } from '../model/pattern.ts'
import type { ActivationOutcome, ActivatorPort, LogPort } from '../runtime/ports.ts'
import { changedPaths, isSameContent } from './changed-paths.ts'
import { buildsIn, ChannelFolder, freshName, releaseOf, seenTrees, type TreeNotes } from './channel-folder.ts'
import { killLeft } from './descendants.ts'
import { diskGate } from './disk-gate.ts'
import { activateError, failedOutcome } from './errors.ts'
import { type Apart, Gate, type Turn } from './gate.ts'
import { type Health, type Hook, runHooks } from './hooks.ts'
import { Orders } from './orders.ts'
import { type Materialize, type Ownership, ownershipOf } from './ownership.ts'
import { type ContentStore, readManifest } from './read-manifest.ts'
import { makeDirectories, openDirectory } from './safe-directory.ts'
import { isDone, toldPaths } from './told.ts'
import { buildTree, differenceOf, noMoreOpen, pathsIn } from './tree.ts'
import type { Bad, Order, Shown, Whole, Work } from './work.ts'

export { createMarkOnly } from './mark-only.ts'

export interface ActivatorInit extends Materialize {
  readonly dir: string
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
}

interface Ready {
  /** Real path of `dir`. */
  readonly base: string
  readonly ownership: Ownership
}

/**
 * Makes releases appear as files, all at once: a whole tree is built beside the active one, made durable, and
 * shown by replacing the link `current`. Then hooks and the health check run, again after a crash in between.
 */
export const createActivator = (init: ActivatorInit): Activator => new FileActivator(init)

/**
 * Until a step back is done, what failed its check is in sight: it waits for no target. A list of more than one page names
 * thousands of files, or more than a gigabyte: a few of those would keep all other channels waiting for minutes.
 */
const turnOf = (fallback: boolean, pages = 1): Turn => (fallback ? 'first' : pages > 1 ? 'last' : 'second')

class FileActivator implements Activator {
  readonly #init: ActivatorInit
  readonly #hooks: readonly Hook[]
  readonly #stopping = new AbortController()
  readonly #orders = new Orders()
  readonly #tails = new Map<Channel, Promise<unknown>>()
  readonly #gate: Gate
  /** Of all channels together. */
  readonly #disk: Gate
  #ready: Ready | undefined

  constructor(init: ActivatorInit) {
    this.#init = init
    this.#gate = new Gate(init.limits.maxActivations)
    this.#disk = diskGate(init.limits)
    this.#hooks = init.hooks.map((hook) => ({ ...hook, channels: hook.channels.map(parsePattern) }))
  }

  async start(): Promise<void> {
    await this.#prepare()
  }

  activate(order: Order): Promise<ActivationOutcome> {
    return this.#carryOut(order, turnOf(order.fallback, order.pages.length))
  }

  withdraw(channel: Channel, release: ReleaseId): void {
    this.#orders.withdraw(channel, release)
  }

  /** After a start there may be hundreds, and gigabytes are read for each: a release that is new does not wait for those of others. */
  restore(
    channel: Channel,
    release: ReleaseId,
    pages: readonly Digest[],
    ahead: ReleaseId | undefined,
  ): Promise<ActivationOutcome> {
    return this.#carryOut({ channel, release, pages, fallback: false, ahead }, 'last')
  }

  #carryOut(order: Order, turn: Turn): Promise<ActivationOutcome> {
    const open = this.#orders.open(order)
    const outcome = this.#inTurn(order.channel, () => this.#activate(order, turn, open.signal))
    return outcome.finally(() => this.#orders.close(order.channel, open))
  }

  async shown(channel: Channel): Promise<ReleaseId | undefined> {
    try {
      const { base } = await this.#prepare()
      const folder = new ChannelFolder(base, channel)
      const tree = await folder.activeTree()
      // What failed its check is not what the node is ahead with, whether or not the core came to hear of that.
      if (tree === undefined || (await folder.notes()).failed === tree) return undefined
      return (await folder.list()).includes(tree) ? releaseOf(tree) : undefined
    } catch {
      // the next activation says what is wrong with the folder
      return undefined
    }
  }

  async stop(): Promise<void> {
    const why = activateError('ACTIVATE_FAILED', 'the node stops')
    this.#stopping.abort(why)
    this.#orders.stop(why)
    await Promise.allSettled(this.#tails.values())
  }

  async #prepare(): Promise<Ready> {
    this.#ready ??= { base: await openDirectory(this.#init.dir), ownership: await ownershipOf(this.#init) }
    return this.#ready
  }

  /** One after another within a channel; never rejects. */
  #inTurn(channel: Channel, work: () => Promise<ActivationOutcome>): Promise<ActivationOutcome> {
    const outcome = (this.#tails.get(channel) ?? Promise.resolve())
      .then(work)
      .catch((error: unknown): ActivationOutcome => failedOutcome(error, this.#init.dir))
    this.#tails.set(channel, outcome)
    return outcome
  }

  /**
   * A bounded number of channels at a time: each holds a manifest, writes files and starts processes. Hooks that take long
   * give their place away, so that a few that hang do not keep all other channels waiting until they are ended.
   */
  async #activate(order: Order, turn: Turn, signal: AbortSignal): Promise<ActivationOutcome> {
    const leave = await this.#gate.enter(turn, signal)
    let patience: NodeJS.Timeout | undefined
    try {
      const shown = await this.#disk.within((apart) => this.#put(order, signal, apart), turn, signal)
      if (shown.kind !== 'shown') return shown
      patience = setTimeout(leave, this.#init.limits.hookTurnMs)
      const outcome = await this.#judge(shown).catch((error: unknown) => failedOutcome(error, this.#init.dir))
      return outcome.kind === 'failed' ? { ...outcome, shown: true } : outcome
    } finally {
      clearTimeout(patience)
      leave()
    }
  }

  async #put(order: Order, signal: AbortSignal, apart: Apart): Promise<ActivationOutcome | Shown> {
    const { channel, release, pages, fallback, ahead } = order
    // It may have waited long for its turn.
    signal.throwIfAborted()
    const { base, ownership } = await this.#prepare()
    // Again before each activation: what was safe at start may not be any longer.
    await makeDirectories(base, ChannelFolder.below(channel))
    const folder = new ChannelFolder(base, channel)
    await this.#endLeft({ channel, release, folder })
    const listed = await folder.list()
    this.#noteLeft(await folder.removeUnfinished(listed, this.#stopping.signal), { channel, release })
    const [before, notes] = [await folder.activeTree(), await folder.notes()]
    const place = { channel, folder, listed, ownership, before, notes, fallback, signal, apart }
    if (ahead !== undefined && releaseOf(before) === ahead && notes.failed !== before)
      return this.#stay({ ...place, release: ahead })
    const files = await readManifest(this.#init.store, release, pages, this.#init.limits)
    const was = releaseOf(before) === release ? files : await this.#manifestOf(releaseOf(before))
    const work: Work = { ...place, release, files, was }
    const whole = await this.#wholeTree(work)
    const isInSight = whole.tree === before && listed.includes(before)
    if (!isInSight || notes.done !== whole.tree) return this.#show(work, whole)
    return { kind: 'healthy', changed: 0 }
  }

  /**
   * The node stopped between showing a newer tree and noting that it is active, or lost the note: going back until the
   * target is active would show applications an older release. It is built anew where it differs, as far as it is here.
   */
  async #stay(place: Omit<Work, 'files' | 'was'>): Promise<ActivationOutcome> {
    const { store, limits } = this.#init
    try {
      const files = await readManifest(store, place.release, undefined, limits)
      const { tree } = await this.#wholeTree({ ...place, files, was: files })
      if (tree !== place.before) {
        // Nobody hears of what somebody else changed: the next hooks are told of all.
        await place.folder.removeChanged()
        await place.folder.show(tree)
      }
    } catch (error) {
      place.signal.throwIfAborted()
      if (!isMeshError(error)) throw error
      // No fault of the release that was asked for, which would be fetched again.
      this.#note('warn', error.code, `shown unchecked: ${error.message}`, place)
    }
    return { kind: 'healthy', changed: 0 }
  }

  /** The name of a tree that holds exactly this release: one that is there, each digest checked, or a new one. */
  async #wholeTree(work: Work): Promise<Whole> {
    const { folder, files, ownership, release, before, was, listed, notes, signal, apart } = work
    const builds = buildsIn(listed, release)
    const candidates = before !== undefined && builds.includes(before) ? [before] : builds.toReversed()
    for (const tree of candidates) {
      const difference = await differenceOf(folder.treePath(tree), files, ownership, signal, apart)
      if (difference === undefined) return { tree, edited: [] }
      const text = `${folder.treePath(tree)} was changed (${difference}); built anew`
      this.#note('error', 'ACTIVATE_DRIFT', text, work)
    }
    if (before !== undefined && releaseOf(before) === release && !builds.includes(before))
      this.#note('error', 'ACTIVATE_DRIFT', `${folder.treePath(before)} was removed; built anew`, work)
    // What was built and never shown may be what fills the disk.
    const keep = new Set([...seenTrees(notes, before), ...builds])
    await this.#prune(work, keep)
    const name = freshName(release, builds)
    // Of what is not known any longer each file is tried: its digest decides.
    const changed = new Set(was === undefined ? [] : await changedPaths(was, files, isSameContent))
    const { signal: stop } = this.#stopping
    const plan = { releases: folder.releases, name, last: before, changed, files, ownership, stop }
    return { tree: name, edited: await buildTree(this.#init.store, plan, apart, signal) }
  }

  async #prune(work: Work, keep: ReadonlySet<string>): Promise<void> {
    const { folder, listed } = work
    const { signal: stop } = this.#stopping
    await this.#attempt(work, async () => this.#noteLeft(await folder.prune(listed, keep, stop), work))
  }

  async #show(work: Work, { tree, edited }: Whole): Promise<Shown> {
    const { channel, release, folder, ownership, before, was, notes, fallback } = work
    const { keepTrees } = this.#init.limits
    const all = [tree, ...seenTrees(notes, before).filter((name) => name !== tree)]
    const last = all.find((name) => releaseOf(name) !== release)
    const previous = releaseOf(last)
    const replaced = previous === releaseOf(before) ? was : await this.#manifestOf(previous)
    const changed = await changedPaths(replaced ?? [], work.files)
    const isDrifted = await this.#isDrifted(work, tree, changed)
    const isThrough = changed.length === 0 && isDone(before, notes) && !isDrifted
    // Where nothing is to be run the verdict is known: it is noted once, and nobody reads what changed.
    const isKnown = !this.#hasChecks(channel) && notes.failed === undefined
    // The one before is noted also where it goes: hooks that run again are told of it.
    const trees = all.slice(0, 1 + Math.max(1, keepTrees))
    const ahead = { trees, done: isKnown ? tree : undefined, failed: notes.failed, owed: false }
    await this.#noteAhead(work, ahead, async () => {
      const owed = isDone(before, notes) ? [] : await folder.readChanged()
      const { maxFiles } = this.#init.limits
      const isLost = replaced === undefined && last !== undefined
      const left = isLost ? await pathsIn(folder.treePath(last), maxFiles) : []
      const diff = { was: replaced, is: work.files, changed, left }
      return toldPaths({ ...diff, edited: isDrifted ? undefined : edited, owed, maxFiles })
    })
    await this.#swap(work, tree)
    const kept = await noMoreOpen(folder.releases, all.slice(1, 1 + keepTrees), ownership)
    await this.#prune(work, new Set([tree, ...kept]))
    const hooks = isThrough ? [] : this.#hooks
    const place = { channel, release, folder, fallback }
    return { ...place, kind: 'shown', tree, changed: changed.length, previous, hooks, trees, isKnown }
  }

  async #judge(shown: Shown): Promise<ActivationOutcome> {
    const { folder, fallback, tree, trees, changed, isKnown } = shown
    const bad = await this.#runHooks(shown)
    // Cut short by the stop: not done, so that they run again at the next start.
    this.#stopping.signal.throwIfAborted()
    // Not done either: they run again as soon as the host has room for them.
    if (bad?.kind === 'failed') return bad
    const passed = bad === undefined || fallback
    const failed = passed ? undefined : tree
    const verdict = { trees, done: passed ? tree : undefined, failed, owed: bad !== undefined }
    if (!isKnown)
      await this.#disk.within(() => this.#attempt(shown, () => folder.note(verdict)), turnOf(fallback))
    if (bad === undefined) return { kind: 'healthy', changed }
    if (!fallback) return bad
    this.#note('error', bad.code, `${bad.text}; back on last-known-good all the same`, shown)
    return { kind: 'healthy', changed }
  }

  /** Did somebody else change the tree in sight, as far as that is known, or cheap to know? */
  async #isDrifted(work: Work, tree: string, changed: readonly string[]): Promise<boolean> {
    const { folder, files, ownership, before, release, listed, signal, apart } = work
    // One that was removed and is built anew has the name it had.
    if (before === undefined || before === tree) return before !== undefined && !listed.includes(before)
    // Built anew only where it differs.
    if (releaseOf(before) === release) return true
    if (changed.length > 0) return false
    const difference = await differenceOf(folder.treePath(before), files, ownership, signal, apart)
    return difference !== undefined
  }

  /**
   * Before the tree is shown: where the disk does not take this, nothing is touched. But what failed its check does not
   * stay in sight for want of a note, without which hooks only run once more. And it counts as failed until there is
   * another verdict: a crash may leave it in sight.
   */
  async #noteAhead(work: Work, ahead: TreeNotes, told: () => Promise<readonly string[]>): Promise<void> {
    const { channel, folder, before, notes, fallback } = work
    const writes = [() => folder.note(ahead)]
    if (this.#hasChecks(channel)) writes.unshift(async () => folder.writeChanged(await told()))
    const mustGo = fallback || (before !== undefined && notes.failed === before)
    for (const write of writes) await (mustGo ? this.#attempt(work, write) : write())
  }

  /** What is in sight counts, also where the disk does not say that it stays: the record of it puts that right. */
  async #swap(work: Work, tree: string): Promise<void> {
    const { folder, signal } = work
    signal.throwIfAborted()
    await folder.show(tree).catch(async (error: unknown) => {
      if ((await folder.activeTree()) !== tree) throw error
      this.#noteFault(error, work)
    })
  }

  /** What may fail without an end to the activation: then it is said. */
  async #attempt(work: Pick<Work, 'channel' | 'release'>, write: () => Promise<unknown>): Promise<void> {
    await write().catch((error: unknown) => this.#noteFault(error, work))
  }

  #hasChecks(channel: Channel): boolean {
    const isOfHook = this.#hooks.some(({ channels }) => matchesAny(channels, channel))
    return isOfHook || this.#init.health?.command !== undefined
  }

  async #runHooks(shown: Shown): Promise<Bad | undefined> {
    const { channel, release, folder, fallback, hooks, previous } = shown
    const { health, limits } = this.#init
    const { changedFile } = folder
    const facts = { channel, release, previous, dir: folder.current, changedFile, cwd: folder.path }
    const inTurn = (write: () => Promise<void>): Promise<void> => this.#disk.within(write, turnOf(fallback))
    const runs = {
      begin: (mark: string) => inTurn(() => this.#attempt(shown, () => folder.noteRunning(mark))),
      // Where that fails, which is not said twice, its mark alone is known.
      started: (mark: string, group: number) => inTurn(() => folder.noteRunning(mark, group).catch(() => {})),
      end: () => inTurn(() => this.#attempt(shown, () => folder.removeRunning())),
    }
    return runHooks(hooks, fallback ? undefined : health, facts, runs, limits, this.#stopping.signal)
  }

  /** A command that the node left when it was killed, with no timeout any more, does not run beside the next ones. */
  async #endLeft(place: Pick<Work, 'channel' | 'release' | 'folder'>): Promise<void> {
    const left = await place.folder.leftRunning()
    if (left === undefined) return
    await killLeft(left.mark, left.group)
    await this.#attempt(place, () => place.folder.removeRunning())
  }

  /** Undefined where there is none, or the store does not have it any longer. */
  async #manifestOf(release: ReleaseId | undefined): Promise<readonly ManifestEntry[] | undefined> {
    if (release === undefined) return undefined
    const { store, limits } = this.#init
    return readManifest(store, release, undefined, limits).catch(() => undefined)
  }

  /** Said each time: the next activation tries again. */
  #noteLeft(texts: readonly string[], about: Pick<Work, 'channel' | 'release'>): void {
    for (const text of texts) this.#note('warn', 'ACTIVATE_LEFTOVER', text, about)
  }

  #noteFault(error: unknown, about: Pick<Work, 'channel' | 'release'>): void {
    const { code, text } = failedOutcome(error, this.#init.dir)
    this.#note('error', code, `${text}; the activation goes on without`, about)
  }

  #note(
    level: 'warn' | 'error',
    code: Code,
    text: string,
    { channel, release }: Pick<Work, 'channel' | 'release'>,
  ): void {
    this.#init.log?.note({ kind: 'note', level, code, text, channel, release })
  }
}
