import { setTimeout } from 'node:timers/promises'
import { formerlyActive, inDoubt } from '../core/restore.ts'
import { type Code, isMeshError } from '../errors.ts'
import type { Channel, Digest, Pattern, ReleaseId } from '../model/ids.ts'
import { endAll } from './end-all.ts'
import type { Effect, EffectOf, Event, Now, Ports } from './ports.ts'

/** Before a block that the disk refused is read again: what is short for a moment comes back within. */
const READ_PAUSES_MS = [50, 250, 1_000]
/** For so long, with jitter, whoever asked for one leaves this node alone: a disk that fails for good is not read without end. */
const UNREAD_RETRY_MS = 1_000
/**
 * Refused for so long a block counts as lost: it is fetched anew where others have it. What was last refused longer ago than
 * that says nothing of now: whoever asks for one comes back after a second.
 */
const UNREAD_LOST_MS = 60_000

/** What the driver needs of the core: one synchronous step. */
export interface Core {
  handle(event: Event, now: Now): readonly Effect[]
}

export interface Driver {
  /** Opens the store, feeds the core what it held, then opens the network. @throws MeshError of store or transport */
  start(): Promise<void>
  /**
   * Drains: no new events are taken, writes under way end, ports stop, each even where another cannot.
   * @param at told what is waited for, before each wait
   * @throws what the first failed with that could not stop
   */
  stop(at?: (what: string) => void): Promise<void>
  dispatch(event: Event): void
}

/**
 * Carries effects out in the order the core gave them and turns what comes of them into events. It decides
 * nothing and knows no stage; the simulator runs this very driver over simulated ports.
 *
 * Events are handled one at a time: one that arrives while effects are carried out waits in a queue.
 */
export function createDriver(
  core: Core,
  ports: Ports,
  options: {
    readonly onStep?: () => void
    readonly maxCacheBytes: number
    /** Of the channels that the node stores; without, files of others are not asked for. */
    readonly patterns?: readonly Pattern[]
  },
): Driver {
  const queue: Event[] = []
  const pending = new Set<Promise<void>>()
  let busy = false
  let held = false
  /** Blocks that the disk refused when they were read last, since when, and when last. */
  const unread = new Map<Digest, { readonly sinceMonoMs: number; readonly lastMonoMs: number }>()
  /** Reading all that is stored may take longer than a stop. */
  const stopping = new AbortController()

  function dispatch(event: Event): void {
    if (stopping.signal.aborted) return
    queue.push(event)
    drain()
  }

  function drain(): void {
    if (busy || held) return
    busy = true
    try {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        for (const effect of core.handle(next, ports.clock.now())) perform(effect)
        options.onStep?.()
      }
    } finally {
      busy = false
    }
  }

  /** Work that ends with an event. The promise given here never rejects: each caller turns failure into an event. */
  function track(work: Promise<void>): void {
    pending.add(work)
    void work.finally(() => pending.delete(work))
  }

  function perform(effect: Effect): void {
    switch (effect.kind) {
      case 'persist':
        return track(persist(effect))
      case 'serveBlock':
        return track(serveBlock(effect))
      case 'read':
        return track(
          readAgain(effect.digest).then((bytes) =>
            dispatch({ kind: 'blockRead', digest: effect.digest, bytes }),
          ),
        )
      case 'activate':
        return track(activate(effect))
      case 'withdraw':
        return ports.activator.withdraw(effect.channel, effect.release)
      case 'collect':
        return track(collect(effect))
      case 'note':
        return ports.log.note(effect)
      case 'count':
        return ports.metrics.count(effect)
      case 'observe':
        return ports.metrics.observe(effect)
      case 'wake':
        return ports.clock.wakeAt(effect.atMonoMs, () => dispatch({ kind: 'tick' }))
      default:
        return ports.transport.perform(effect)
    }
  }

  async function activate(effect: EffectOf<'activate'>): Promise<void> {
    const { channel, release, pages, previous, ahead, fallback } = effect
    const outcome =
      previous === release && !fallback
        ? await ports.activator.restore(channel, release, pages, ahead)
        : await ports.activator.activate(effect)
    dispatch({ kind: 'activated', channel, release, outcome })
  }

  /** What the disk says, which no event tells. */
  function noteFailure(level: 'debug' | 'warn' | 'error', error: unknown, what = ''): Code {
    const code = isMeshError(error) ? error.code : 'STORE_FAILED'
    const text = `${what}${error instanceof Error ? error.message : String(error)}`
    ports.log.note({ kind: 'note', level, code, text })
    return code
  }

  /**
   * What the disk refuses now, such as for want of descriptors, is not lost: the store says itself what is. It is noted once,
   * until it can be read again or counts as lost.
   */
  async function readBlock(digest: Digest): Promise<{ readonly bytes: Uint8Array | undefined } | 'failed'> {
    try {
      const bytes = await ports.store.readBlock(digest)
      unread.delete(digest)
      return { bytes }
    } catch (error) {
      const { monoMs } = ports.clock.now()
      const before = unread.get(digest)
      const goesOn = before !== undefined && monoMs - before.lastMonoMs <= UNREAD_LOST_MS
      if (!goesOn) noteFailure('error', error, `block ${digest.slice(0, 12)} not read: `)
      unread.set(digest, { sinceMonoMs: goesOn ? before.sinceMonoMs : monoMs, lastMonoMs: monoMs })
      return 'failed'
    }
  }

  /** One that cannot be read in the end is told as one that is not here: others have it. */
  async function readAgain(digest: Digest): Promise<Uint8Array | undefined> {
    for (const pauseMs of [...READ_PAUSES_MS, undefined]) {
      const read = await readBlock(digest)
      if (read !== 'failed') return read.bytes
      if (pauseMs !== undefined)
        await setTimeout(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined)
      if (stopping.signal.aborted) break
    }
    unread.delete(digest)
    return undefined
  }

  async function persist(effect: EffectOf<'persist'>): Promise<void> {
    try {
      await ports.store.commit(effect.writes, effect.sync)
    } catch (error) {
      // That it has no room for blocks, or waits for its disk, the store says itself, and not of each that is on its way.
      const isKnown =
        isMeshError(error) &&
        (error.details.isSaid === true ||
          (error.code === 'STORE_FULL' && effect.writes.every(({ kind }) => kind === 'block')))
      const code = noteFailure(isKnown ? 'debug' : 'error', error)
      dispatch({ kind: 'persistFailed', ticket: effect.ticket, code })
      return
    }
    dispatch({ kind: 'persisted', ticket: effect.ticket })
  }

  async function serveBlock(effect: EffectOf<'serveBlock'>): Promise<void> {
    const { id } = effect
    const read = await readBlock(effect.digest)
    if (read === 'failed') {
      // It holds the block, and gives it later: who hears "gone" asks no more, and nobody else may have it.
      const message = { type: 'busy', retryAfterMs: UNREAD_RETRY_MS } as const
      ports.transport.perform({ kind: 'reply', id, reply: { protocol: 'blocks', message } })
      ports.metrics.count({ kind: 'count', metric: 'busy', by: 1 })
      const { sinceMonoMs } = unread.get(effect.digest) ?? { sinceMonoMs: Number.POSITIVE_INFINITY }
      if (ports.clock.now().monoMs - sinceMonoMs >= UNREAD_LOST_MS) {
        unread.delete(effect.digest)
        dispatch({ kind: 'blockLost', digest: effect.digest })
      }
      return dispatch({ kind: 'served', id, bytes: 0 })
    }
    const { bytes } = read
    if (bytes !== undefined) dispatch({ kind: 'serving', id })
    const sent = ports.transport.replyBlock(id, bytes)
    if (bytes !== undefined) ports.metrics.count({ kind: 'count', metric: 'blocks_sent', by: 1 })
    const isGone = (await sent) === false
    dispatch({ kind: 'served', id, bytes: isGone ? 0 : (bytes?.byteLength ?? 0) })
  }

  async function shownNow(channels: Iterable<Channel>): Promise<ReadonlyMap<Channel, ReleaseId>> {
    const shown = new Map<Channel, ReleaseId>()
    for (const channel of channels) {
      const release = await ports.activator.shown(channel)
      if (release !== undefined) shown.set(channel, release)
    }
    return shown
  }

  async function collect(effect: EffectOf<'collect'>): Promise<void> {
    let digests: readonly Digest[] = []
    try {
      const { keep, envelopes, awaited, uploads, short } = effect
      const bound = { maxCacheBytes: short ? 0 : options.maxCacheBytes, envelopes, awaited, uploads }
      digests = await ports.store.collect(keep, bound, stopping.signal)
    } catch (error) {
      noteFailure('warn', error, 'cache not collected: ')
    }
    for (const digest of digests) unread.delete(digest)
    dispatch({ kind: 'collected', digests })
  }

  return {
    dispatch,
    async start() {
      // What the store finds out while it is read, and what the transport brings, which runs before the core's first effects
      // (dials), waits behind `started`.
      held = true
      await ports.store.open()
      const snapshot = await ports.store.load()
      const former = options.patterns === undefined ? [] : formerlyActive(snapshot, options.patterns)
      const shown = await shownNow(new Set([...inDoubt(snapshot), ...former]))
      await ports.transport.start(dispatch)
      const peers = (await ports.transport.rememberedPeers?.()) ?? snapshot.peers
      held = false
      queue.unshift({ kind: 'started', snapshot: { ...snapshot, peers }, shown })
      drain()
    },
    async stop(at = () => {}) {
      stopping.abort()
      ports.clock.stop()
      const said = (what: string, end: () => Promise<unknown>) => () => {
        at(what)
        return end()
      }
      await endAll([
        said('connections', () => ports.transport.stop()),
        said('activations', () => ports.activator.stop()),
        said('writes under way', () => Promise.allSettled(pending)),
        said('the store', () => ports.store.close()),
      ])
    },
  }
}
