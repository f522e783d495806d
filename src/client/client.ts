import { hash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import { parse as parseYaml } from 'yaml'
import type { ChannelEntry, ChannelWithHistory, Files, Ready, ReleaseEvent, Status } from '../api/contract.ts'
import { isMeshError, MeshError } from '../errors.ts'
import { NoNode, readAnswer } from './answer.ts'
import { type Bounds, requireWithin } from './bounds.ts'
import { serverSentEvents } from './events.ts'
import { type StateFile, stateFile } from './state-file.ts'
import {
  bytes,
  type Endpoint,
  type GetOptions,
  get,
  open,
  parts,
  refusalOf,
  SILENCE_MS,
  text,
} from './transport.ts'

export interface ClientOptions {
  /** `http://host:port` or `unix:/path`; default `CONFMESH_API`, then `http://127.0.0.1:7480`. */
  readonly api?: string
  readonly token?: string
  /** Until an answer begins. Default 5,000 ms. */
  readonly timeoutMs?: number
  /** An answer that has begun is given up after so long without a byte. Default 30,000 ms. */
  readonly silenceMs?: number
  /** Greatest file taken into memory. Default 64 MiB. */
  readonly maxFileBytes?: number
  /** Greatest sum of a snapshot's files; while a watch goes from one to the next it holds both. Default 256 MiB. */
  readonly maxSnapshotBytes?: number
}

/** Everything of a channel at one release: never a mix of two. */
export interface Snapshot {
  readonly release: string
  readonly clock: Readonly<Record<string, number>>
  /** What is as it was in the snapshot before is the same array. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Paths that differ from the snapshot before; all of them in the first. */
  readonly changed: readonly string[]
  /** From the state file, because the node could not be reached yet. */
  readonly fromDisk: boolean
}

export interface WatchOptions {
  readonly signal?: AbortSignal
  /** Keep the last state here and start with it when the node is down. */
  readonly stateFile?: string
  /**
   * Told of each lost connection, of what could not be read, or written to the state file, and of a release over a bound of
   * the client (a warning of the process where this is left out); the watch goes on by itself.
   */
  readonly onDisconnect?: (error: Error) => void
}

/** Turns parsed text into a checked value, or throws; a zod schema's `parse` fits. */
export type Validator<T> = (value: unknown) => T

/** Of an answer in JSON, an event among them: the listing of the most files has some 30 MB where paths are short. */
export const MAX_JSON_BYTES = 64 * 1024 * 1024
/** Of a file that is read whole, unless `maxFileBytes` says otherwise. */
export const MAX_FILE_BYTES = 64 * 1024 * 1024
/** Of all files of a snapshot, unless `maxSnapshotBytes` says otherwise. */
export const MAX_SNAPSHOT_BYTES = 256 * 1024 * 1024
/** Three heartbeats of a watch: no node may be configured to send fewer. */
const WATCH_SILENCE_MS = 45_000
/** So much is hashed before the application has its turn again: some 10 ms. */
const TURN_BYTES = 16 * 1024 * 1024
const BACKOFF_MIN_MS = 200
const BACKOFF_MAX_MS = 10_000

/** Reads configuration from the node on this host. Holds no connection but in `watch`. */
export class Client {
  readonly #endpoint: Endpoint
  readonly #timeoutMs: number
  readonly #silenceMs: number
  readonly #bounds: Bounds

  constructor(options: ClientOptions = {}) {
    this.#endpoint = {
      // Empty is unset: a script may clear it so.
      url: options.api ?? (process.env.CONFMESH_API || 'http://127.0.0.1:7480'),
      token: options.token,
    }
    this.#timeoutMs = options.timeoutMs ?? 5_000
    this.#silenceMs = options.silenceMs ?? SILENCE_MS
    this.#bounds = {
      maxFileBytes: options.maxFileBytes ?? MAX_FILE_BYTES,
      maxSnapshotBytes: options.maxSnapshotBytes ?? Math.max(MAX_SNAPSHOT_BYTES, options.maxFileBytes ?? 0),
    }
  }

  /** A node of before some field is read as one that has nothing to say there. */
  async status(): Promise<Status> {
    const status = await this.#json<Status>('/v1/status', 'status')
    const { listening = [], patterns = [], problems = [], channels } = status
    return { ...status, listening, patterns, problems, channels: channels.map(entryOf) }
  }

  async ready(): Promise<Ready> {
    const response = await open(this.#endpoint, '/readyz', { timeoutMs: this.#timeoutMs })
    // "Not yet" is a 503 as well, and no problem.
    if (response.headers['content-type']?.startsWith('application/problem+json') === true)
      throw await refusalOf(response, this.#endpoint, '/readyz', this.#silenceMs)
    return readAnswer(this.#endpoint.url, await text(response, MAX_JSON_BYTES, this.#silenceMs), 'ready')
  }

  channel(channel: string): Promise<ChannelWithHistory> {
    return this.#channel(channel, undefined)
  }

  async #channel(channel: string, signal: AbortSignal | undefined): Promise<ChannelWithHistory> {
    const path = `/v1/channels/${encodeURIComponent(channel)}`
    return entryOf(await this.#json<ChannelWithHistory>(path, 'channel', signal))
  }

  files(channel: string, release?: string): Promise<Files> {
    return this.#files(channel, release, undefined)
  }

  #files(channel: string, release: string | undefined, signal: AbortSignal | undefined): Promise<Files> {
    return this.#json(`/v1/channels/${encodeURIComponent(channel)}/files${query(release)}`, 'files', signal)
  }

  /** One file's bytes. @throws MeshError API_NOT_FOUND, CONTENT_GONE, STORE_CORRUPT, API_UNAVAILABLE, NET_UNREACHABLE, NET_TIMEOUT */
  get(channel: string, path: string, release?: string): Promise<Uint8Array> {
    return this.#get(channel, path, release, undefined)
  }

  async #get(
    channel: string,
    path: string,
    release: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const response = await this.#ask(`${this.#filePath(channel, path)}${query(release)}`, { signal })
    return bytes(response, this.#bounds.maxFileBytes, this.#silenceMs)
  }

  /** One file as a stream, for large ones. @throws MeshError as `get`, the stream, too */
  async stream(channel: string, path: string, release?: string): Promise<AsyncIterable<Buffer>> {
    const response = await this.#ask(`${this.#filePath(channel, path)}${query(release)}`, {})
    return parts(response, this.#silenceMs)
  }

  /** A release as CAR. @throws MeshError as `get`, the stream, too */
  async car(channel: string, release?: string): Promise<AsyncIterable<Buffer>> {
    const path = `/v1/channels/${encodeURIComponent(channel)}/car${query(release)}`
    return parts(await this.#typed(path, 'application/vnd.ipld.car', {}), this.#silenceMs)
  }

  async json<T>(channel: string, path: string, validate: Validator<T>): Promise<T> {
    return validate(JSON.parse(Buffer.from(await this.get(channel, path)).toString('utf8')))
  }

  async yaml<T>(channel: string, path: string, validate: Validator<T>): Promise<T> {
    return validate(
      parseYaml(Buffer.from(await this.get(channel, path)).toString('utf8'), { maxAliasCount: 32 }),
    )
  }

  /** Every file of the active release. */
  async snapshot(channel: string, before?: Snapshot): Promise<Snapshot> {
    const { active } = await this.channel(channel)
    if (active === null)
      throw new MeshError(
        'API_NOT_FOUND',
        `${channel} has no active release here; 'confmesh status' lists what has`,
      )
    return this.#snapshotOf(channel, active, before)
  }

  /** Release named in every request: an activation meanwhile cannot mix two. What comes is held, for the next attempt. */
  async #snapshotOf(
    channel: string,
    { release, clock }: Pick<Snapshot, 'release' | 'clock'>,
    before: Snapshot | undefined,
    signal?: AbortSignal,
    had: Map<string, Uint8Array> = new Map(before?.files),
  ): Promise<Snapshot> {
    const listing = await this.#files(channel, release, signal)
    requireWithin(channel, listing, this.#bounds)
    const files = new Map<string, Uint8Array>()
    let hashed = 0
    for (const file of listing.files) {
      const held = had.get(file.path)
      const isSame = held !== undefined && isOf(held, file)
      const now = isSame ? held : await this.#get(channel, file.path, release, signal)
      files.set(file.path, now)
      had.set(file.path, now)
      if (isSame) hashed += file.size
      if (hashed < TURN_BYTES) continue
      hashed = 0
      await turn()
    }
    return {
      release,
      clock,
      files,
      changed: changedPaths(before?.files, files),
      fromDisk: false,
    }
  }

  /** Bare events: a line per activation, the current state first; reconnects for ever with backoff and jitter. */
  async *events(channel: string, options: WatchOptions = {}): AsyncGenerator<ReleaseEvent> {
    let lastSeen: string | undefined
    let backoffMs = BACKOFF_MIN_MS
    while (options.signal?.aborted !== true) {
      try {
        const headers: Record<string, string> = lastSeen === undefined ? {} : { 'last-event-id': lastSeen }
        const path = `/v1/channels/${encodeURIComponent(channel)}/watch`
        const response = await this.#typed(path, 'text/event-stream', { headers, signal: options.signal })
        // A stream that ends before a word of it is no better than none: such a node would be asked without a pause.
        const onAlive = (): void => {
          backoffMs = BACKOFF_MIN_MS
        }
        for await (const event of serverSentEvents(response, WATCH_SILENCE_MS, MAX_JSON_BYTES, onAlive)) {
          if (isAborted(options.signal)) return
          const change: ReleaseEvent = readAnswer(this.#endpoint.url, event.data, 'event')
          lastSeen = change.release
          yield change
        }
        throw new MeshError('NET_UNREACHABLE', 'the node closed the stream')
      } catch (error) {
        if (isAborted(options.signal)) return
        if (!passes(error)) throw error
        options.onDisconnect?.(error as Error)
        await pause(backoffMs, options.signal)
        backoffMs = longer(backoffMs)
      }
    }
  }

  /**
   * Whole snapshots: the last state from disk at once if there is one, then each activation. One over a bound of the client
   * is told and passed over.
   */
  async *watch(channel: string, options: WatchOptions = {}): AsyncGenerator<Snapshot> {
    const kept: StateFile | undefined =
      options.stateFile === undefined ? undefined : stateFile(options.stateFile, channel)
    let last = this.#lastOf(kept, options)
    if (last !== undefined && !isAborted(options.signal)) yield last
    const ended = new AbortController()
    const events = this.events(channel, { ...options, signal: eitherOf(ended.signal, options.signal) })
    try {
      for (let coming = events.next(); ; ) {
        const { value: event, done } = await coming
        if (done === true) return
        // Read one ahead: what is newer ends the attempts at this one.
        const newer = new AbortController()
        coming = events.next()
        const said = (): void => newer.abort()
        coming.then(said, said)
        if (last !== undefined && event.release === last.release && !last.fromDisk) continue
        const next = await this.#snapshotInTime(channel, event, last, options, newer.signal)
        if (next === undefined) continue
        try {
          kept?.write(next)
        } catch (error) {
          // The file only bridges a node's absence: what the node has is worth more than it.
          options.onDisconnect?.(error as Error)
        }
        last = next
        yield next
      }
    } finally {
      ended.abort()
    }
  }

  /** The node has the truth: without the file there is only nothing until it answers. */
  #lastOf(kept: StateFile | undefined, options: WatchOptions): Snapshot | undefined {
    try {
      return kept?.read()
    } catch (error) {
      options.onDisconnect?.(error as Error)
      return undefined
    }
  }

  /**
   * Tries for as long as the node is away, mends itself, or does not have it yet: of several nodes on one address another may
   * have told of it, and never does again. Undefined once something newer was said, or the watch is aborted.
   */
  async #snapshotInTime(
    channel: string,
    event: ReleaseEvent,
    before: Snapshot | undefined,
    options: WatchOptions,
    newer: AbortSignal,
  ): Promise<Snapshot | undefined> {
    // Where many applications begin at once, each is refused some files: an attempt goes on where the last one ended.
    const had = new Map(before?.files)
    for (let backoffMs = BACKOFF_MIN_MS; !isAborted(options.signal); ) {
      try {
        const snapshot = await this.#snapshotOf(channel, event, before, options.signal, had)
        return isAborted(options.signal) ? undefined : snapshot
      } catch (error) {
        if (isAborted(options.signal)) return undefined
        if (isMeshError(error) && error.code === 'LIMIT_BYTES' && error.details.status === undefined) {
          if (options.onDisconnect === undefined) process.emitWarning(error)
          else options.onDisconnect(error)
          // As often as it is asked for, it is as large: another release mends it, and to end would be to begin again.
          if (!newer.aborted) await once(newer, 'abort')
          return undefined
        }
        if (!isUnreadable(error) && !passes(error)) throw error
        options.onDisconnect?.(error as Error)
        await pause(backoffMs, eitherOf(newer, options.signal))
        if (newer.aborted) return undefined
        backoffMs = longer(backoffMs)
      }
    }
    return undefined
  }

  #filePath(channel: string, path: string): string {
    return `/v1/channels/${encodeURIComponent(channel)}/files/${path.split('/').map(encodeURIComponent).join('/')}`
  }

  /** With the client's own patience, whether it is an answer or a refusal. @throws MeshError as `get` */
  #ask(path: string, options: Pick<GetOptions, 'headers' | 'signal'>): Promise<IncomingMessage> {
    const [timeoutMs, silenceMs] = [this.#timeoutMs, this.#silenceMs]
    return get(this.#endpoint, path, { ...options, timeoutMs, silenceMs })
  }

  /** An answer of this content type, which no other server gives by chance. @throws MeshError as `get`; NoNode */
  async #typed(
    path: string,
    type: string,
    options: Pick<GetOptions, 'headers' | 'signal'>,
  ): Promise<IncomingMessage> {
    const response = await this.#ask(path, options)
    if (response.headers['content-type']?.startsWith(type) === true) return response
    response.destroy()
    throw new NoNode(this.#endpoint.url)
  }

  async #json<T>(path: string, what: Parameters<typeof readAnswer>[2], signal?: AbortSignal): Promise<T> {
    const response = await this.#ask(path, { signal })
    return readAnswer(this.#endpoint.url, await text(response, MAX_JSON_BYTES, this.#silenceMs), what)
  }
}

const entryOf = <T extends ChannelEntry>(entry: T): T => ({ ...entry, fetch: entry.fetch ?? null })

const PASSING = ['NET_UNREACHABLE', 'NET_TIMEOUT', 'API_BUSY', 'API_UNAVAILABLE', 'STORE_CORRUPT']

/** Worth another try: the node is away, busy, mending itself, or in a trouble of its own, such as with its disk. */
const passes = (error: unknown): boolean =>
  isMeshError(error) &&
  (PASSING.includes(error.code) || Number(error.details.status) >= 500) &&
  !(error instanceof NoNode)

const UNREADABLE = [
  ...['CONTENT_GONE', 'STORE_CORRUPT', 'API_UNAVAILABLE'],
  ...['STORE_FULL', 'STORE_FAILED', 'INTERNAL'],
]

/** The node answers, but not with the content of this release. */
const isUnreadable = (error: unknown): boolean =>
  isMeshError(error) && UNREADABLE.includes(error.code) && !(error instanceof NoNode)

/** Half to one and a half times as long, cut short by the signal. */
const pause = (ms: number, signal: AbortSignal | undefined): Promise<void> =>
  delay(ms * (0.5 + Math.random()), undefined, signal === undefined ? {} : { signal }).catch(() => undefined)

const eitherOf = (one: AbortSignal, other: AbortSignal | undefined): AbortSignal =>
  other === undefined ? one : AbortSignal.any([one, other])

const longer = (backoffMs: number): number => Math.min(backoffMs * 2, BACKOFF_MAX_MS)

const query = (release: string | undefined): string =>
  release === undefined ? '' : `?release=${encodeURIComponent(release)}`

/** Computed from the bytes: what lay in a file, or in the hands of an application, may be others by now. */
const isOf = (held: Uint8Array, { size, digest }: Files['files'][number]): boolean =>
  held.length === size && hash('sha256', held, 'hex') === digest

function changedPaths(
  before: ReadonlyMap<string, Uint8Array> | undefined,
  after: ReadonlyMap<string, Uint8Array>,
): string[] {
  const paths = new Set([...(before?.keys() ?? []), ...after.keys()])
  return [...paths]
    .filter((path) => {
      const [old, now] = [before?.get(path), after.get(path)]
      return old === undefined || now === undefined || (old !== now && Buffer.compare(old, now) !== 0)
    })
    .sort()
}

/** Asked anew after each wait: the compiler would take the first answer for good. */
const isAborted = (signal: AbortSignal | undefined): boolean => signal?.aborted ?? false
