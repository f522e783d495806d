import { changedPaths, NO_FILES } from '../api/changed-paths.ts'
import type {
  ActiveView,
  CertificateView,
  ChannelView,
  HeadView,
  HistoryView,
  NodeView,
  ReleaseChange,
} from '../api/node-view.ts'
import type { ActiveFacts, CoreChannelView, CoreView, LastError, Readiness } from '../core/view.ts'
import { type Code, MeshError } from '../errors.ts'
import type { Channel, Pattern, ReleaseId } from '../model/ids.ts'
import { literalOf, matchesAny } from '../model/pattern.ts'
import type { Release } from '../model/release.ts'
import { carBytes, writeCar } from '../publish/car.ts'
import type { StorePort } from '../runtime/ports.ts'
import type { Judgement } from '../trust/admission.ts'
import { type Content, lacking } from './content.ts'
import { peersByRegion } from './metrics.ts'

/** The core, now. */
export interface CoreNow {
  /** Every channel of the node: for the status alone. */
  view(): CoreView
  channelView(channel: Channel): CoreChannelView | undefined
  readiness(): Readiness
  release(release: ReleaseId): Release | undefined
  envelope(release: ReleaseId): Uint8Array | undefined
}

export interface ViewSources {
  readonly core: CoreNow
  /** Of the channels that this node stores. */
  readonly patterns: readonly Pattern[]
  readonly store: StorePort
  readonly content: Content
  readonly version: string
  readonly labels: Readonly<Record<string, string>>
  readonly addresses: () => readonly string[]
  readonly listening: () => readonly string[]
  readonly metrics: () => Promise<string>
  readonly startedAtMs: number
  /** Watchers were not told of an activation. */
  readonly onProblem: (channel: Channel, error: unknown) => void
}

export interface DaemonView extends NodeView {
  /** The core has taken in how an activation went: tell who watches, if another release is active now. */
  activated(channel: Channel): void
}

interface Watcher {
  readonly tell: (change: ReleaseChange) => void
  readonly missed: (() => void) | undefined
}

/** The node as the HTTP API sees it: the core's view in the contract's words, contents from the store. */
export function createView(sources: ViewSources): DaemonView {
  const watchers = new Map<Channel, Set<Watcher>>()
  const announced = new Map<Channel, Release>()

  const find = (channel: Channel): CoreChannelView | undefined => sources.core.channelView(channel)

  function releaseOf(channel: Channel, wanted: ReleaseId | undefined): Release | undefined {
    const id = wanted ?? find(channel)?.active?.id
    if (id === undefined) return undefined
    const release = sources.core.release(id)
    if (release?.header.channel === channel) return release
    throw elsewhere(sources, channel, id, release) ?? lacking(find(channel), id, false)
  }

  async function announce(channel: Channel): Promise<void> {
    const before = announced.get(channel)
    const release = find(channel)?.active?.release
    // An attempt that failed, or that only restored the files, is no activation.
    if (release === undefined || before?.id === release.id) return
    const changed = await changedSince(sources.content, before, release)
    const [now, last] = [find(channel)?.active?.id, announced.get(channel)?.id]
    // Stepped back from before it was told: who came in between has it.
    if (before !== undefined && now === before.id && last === before.id) tell(channel, before, changed)
    // One activated meanwhile announces itself, against the same release before: older news never come last.
    if (now !== release.id || last === release.id) return
    announced.set(channel, release)
    tell(channel, release, changed)
  }

  function tell(channel: Channel, { id, header }: Release, changed: readonly string[]): void {
    for (const watcher of watchers.get(channel) ?? [])
      watcher.tell({ channel, release: id, clock: Object.fromEntries(header.clock), changed })
  }

  return {
    status: () => status(sources),
    ready: () => sources.core.readiness(),
    stores: (channel) => matchesAny(sources.patterns, channel),
    channel(channel) {
      const entry = find(channel)
      if (entry !== undefined) return { ...channelView(entry), history: entry.history.map(historyView) }
      return namedChannels(sources.patterns).has(channel)
        ? { ...unpublished(channel), history: [] }
        : undefined
    },
    async files(channel, wanted) {
      const release = releaseOf(channel, wanted)
      return release === undefined
        ? undefined
        : { release: release.id, files: await sources.content.files(release) }
    },
    async file(channel, path, wanted) {
      const release = releaseOf(channel, wanted)
      return release === undefined
        ? undefined
        : { release: release.id, file: await sources.content.file(release, path) }
    },
    async read(channel, path, wanted, range) {
      const release = releaseOf(channel, wanted)
      if (release === undefined)
        throw new MeshError(
          'API_NOT_FOUND',
          `${channel} has no active release here; 'confmesh status' lists what has`,
        )
      return sources.content.bytes(release, path, range)
    },
    async car(channel, wanted) {
      const release = releaseOf(channel, wanted)
      const envelope = release === undefined ? undefined : sources.core.envelope(release.id)
      if (release === undefined || envelope === undefined)
        throw new MeshError('API_NOT_FOUND', `${channel} has no such release here`)
      const { sizes, blocks } = await sources.content.blocks(release)
      return { bytes: carBytes(envelope, sizes), parts: writeCar(envelope, blocks) }
    },
    subscribe(channel, tell, missed) {
      const watcher = { tell, missed }
      const set = watchers.get(channel) ?? new Set()
      watchers.set(channel, set.add(watcher))
      const active = find(channel)?.active?.release
      // What others wait for is told to them: who comes meanwhile is given it by itself.
      if (active === undefined) announced.delete(channel)
      else if (set.size === 1) announced.set(channel, active)
      return () => {
        set.delete(watcher)
        if (set.size === 0) watchers.delete(channel)
      }
    },
    metrics: sources.metrics,
    activated(channel) {
      if (!watchers.has(channel)) announced.delete(channel)
      else
        announce(channel).catch((error: unknown) => {
          sources.onProblem(channel, error)
          // Nobody would ever say it again. Who comes back is given it, and is told if the one before is active again.
          announced.delete(channel)
          for (const { missed } of watchers.get(channel) ?? []) missed?.()
        })
    },
  }
}

/**
 * What is looked for under a name that is not its own may be whole here all the same. Of a channel that this node stores
 * nothing is so plain: its store may have been lost meanwhile.
 */
function elsewhere(
  { core, patterns }: ViewSources,
  channel: Channel,
  id: ReleaseId,
  known: Release | undefined,
): MeshError | undefined {
  if (known !== undefined) {
    const text = `release ${id.slice(0, 12)} is of ${known.header.channel}; ask for it there`
    return new MeshError('API_NOT_FOUND', text)
  }
  if (core.channelView(channel) !== undefined || matchesAny(patterns, channel)) return undefined
  return new MeshError('API_NOT_FOUND', `no channel ${channel} known here; 'confmesh status' lists them`)
}

function status(sources: ViewSources): ReturnType<NodeView['status']> {
  const view = sources.core.view()
  const byRegion = peersByRegion(view.sessions)
  return {
    peerId: view.self,
    fleetId: view.fleetId,
    version: sources.version,
    uptimeSeconds: Math.floor((performance.now() - sources.startedAtMs) / 1000),
    labels: sources.labels,
    addresses: sources.addresses(),
    listening: sources.listening(),
    peers: {
      connected: [...byRegion.values()].reduce((sum, count) => sum + count, 0),
      byRegion: Object.fromEntries(byRegion),
    },
    root: { version: view.root.version, expires: iso(view.root.expires) },
    ...(view.own === undefined ? {} : { certificate: certificateView(view.own) }),
    patterns: sources.patterns,
    channels: channelViews(view, sources.patterns),
    store: { bytes: sources.store.bytes(), readOnly: view.readOnly !== undefined },
    problems: problemsOf(view),
  }
}

function certificateView(own: Judgement): CertificateView {
  if (own.kind === 'refused')
    return {
      valid: false,
      problem: { code: own.code, message: own.text },
      labels: {},
      pool: null,
      expires: null,
    }
  const { labels, pool, notAfter } = own.admission
  return {
    valid: true,
    problem: null,
    labels: Object.fromEntries(labels),
    pool: pool?.name ?? null,
    expires: iso(notAfter),
  }
}

const STORE_ADVICE: Partial<Record<Code, string>> = {
  STORE_FULL: 'free space, or see the log',
  STORE_CORRUPT: 'restart the node: it sets the damaged one aside',
}

function problemsOf({ root, twin, readOnly, isShort }: CoreView): { code: Code; message: string }[] {
  const problems: { code: Code; message: string }[] = []
  if (root.unreadable !== undefined) problems.push({ code: 'CODEC_UNSUPPORTED', message: root.unreadable })
  if (twin !== undefined) {
    const where = twin.length === 0 ? '' : `, reached at ${twin.join(', ')}`
    const message = `another process runs with this node's identity${where}; give each its own data folder`
    problems.push({ code: 'NET_DUPLICATE_ID', message })
  }
  if (readOnly !== undefined) {
    const advice = STORE_ADVICE[readOnly] ?? 'the log says which folder and why'
    problems.push({ code: readOnly, message: `the store takes no writes; ${advice}` })
  } else if (isShort) {
    const message =
      'too little room on its disk: content is neither fetched nor taken; free space, or see the log'
    problems.push({ code: 'STORE_FULL', message })
  }
  return problems
}

const iso = (ms: number): string => new Date(ms).toISOString()

const namedChannels = (patterns: readonly Pattern[]): Set<Channel> =>
  new Set(patterns.flatMap((pattern) => literalOf(pattern) ?? []))

/** What is stored, and what the configuration names although nothing of it is here yet. */
function channelViews(view: CoreView, patterns: readonly Pattern[]): ChannelView[] {
  const missing = namedChannels(patterns)
  for (const { channel } of view.channels) missing.delete(channel)
  return [...view.channels.map(channelView), ...[...missing].map(unpublished)].sort((a, b) =>
    a.channel < b.channel ? -1 : 1,
  )
}

const unpublished = (channel: Channel): ChannelView => ({
  channel,
  active: null,
  heads: [],
  state: 'empty',
  gate: null,
  lastError: null,
  fetch: null,
})

function channelView(entry: CoreChannelView): ChannelView {
  const { channel, state, gate, lastError, fetch } = entry
  return {
    channel,
    active: entry.active?.release === undefined ? null : activeView(entry.active, entry.active.release),
    heads: entry.heads.map(headView),
    state,
    gate,
    lastError: lastError === undefined ? null : lastErrorView(lastError),
    fetch: fetch === undefined ? null : { have: fetch.have, blocks: fetch.blocks },
  }
}

const lastErrorView = ({ code, text, release }: LastError): NonNullable<ChannelView['lastError']> =>
  release === undefined ? { code, message: text } : { code, message: text, release }

function activeView(active: ActiveFacts, { header }: Release): ActiveView {
  return {
    release: active.id,
    clock: Object.fromEntries(header.clock),
    publisher: header.publisher,
    message: header.message,
    activatedAt: iso(active.activatedAt),
  }
}

function headView({ id, header }: Release): HeadView {
  return {
    release: id,
    clock: Object.fromEntries(header.clock),
    publisher: header.publisher,
    message: header.message,
    created: iso(header.created),
  }
}

function historyView({ id, release, activatedAt }: ActiveFacts): HistoryView {
  return {
    release: id,
    clock: Object.fromEntries(release?.header.clock ?? []),
    message: release?.header.message ?? '',
    activatedAt: iso(activatedAt),
  }
}

async function changedSince(
  content: Content,
  before: Release | undefined,
  after: Release,
): Promise<readonly string[]> {
  // The manifest before may be gone from the store by now: then everything may have changed.
  const old = before === undefined ? NO_FILES : await content.files(before).catch(() => NO_FILES)
  return changedPaths(old, await content.files(after))
}
