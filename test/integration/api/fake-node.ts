import { createHash } from 'node:crypto'
import type { NodeView, ReleaseChange } from '../../../src/api/node-view.ts'
import { type ApiServer, startApi } from '../../../src/api/server.ts'
import { MeshError } from '../../../src/errors.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { Channel, Digest, FleetId, Name, Pattern, PeerId, ReleaseId } from '../../../src/model/ids.ts'

export const CHANNEL = 'payments/prod' as Channel
export const sha = (text: string): string => createHash('sha256').update(text).digest('hex')

export interface FakeRelease {
  readonly id: ReleaseId
  readonly counter: number
  readonly message: string
  readonly files: Readonly<Record<string, string>>
}

/** A node in memory: releases are activated by the test, contents are what it says. */
export class FakeNode implements NodeView {
  readonly channels = new Map<string, FakeRelease[]>()
  readonly gone = new Set<string>()
  readonly listeners = new Set<(change: ReleaseChange) => void>()
  /** Told where an activation cannot be said. */
  readonly missed = new Set<() => void>()
  waitingFor: string[] = []
  stores = (channel: Channel): boolean => !channel.startsWith('elsewhere/')
  failure: Error | undefined
  /** Awaited by `files`, so that a test can act while a request reads. */
  beforeFiles: (release?: ReleaseId) => Promise<void> = async () => undefined

  activate(files: Record<string, string>, message = 'first', channel: string = CHANNEL): FakeRelease {
    const releases = this.channels.get(channel) ?? []
    const counter = releases.length + 1
    const id = sha(`${channel} ${counter} ${JSON.stringify(files)}`) as ReleaseId
    const before = releases.at(-1)?.files ?? {}
    const release = { id, counter, message, files }
    this.channels.set(channel, [...releases, release])
    const paths = [...new Set([...Object.keys(before), ...Object.keys(files)])]
    const changed = paths.filter((path) => before[path] !== files[path]).sort()
    for (const listener of this.listeners)
      listener({ channel: channel as Channel, release: id, clock: { ops: counter }, changed })
    return release
  }

  #release(channel: Channel, wanted?: ReleaseId): FakeRelease | undefined {
    if (this.failure !== undefined) throw this.failure
    const releases = this.channels.get(channel) ?? []
    if (wanted === undefined) return releases.at(-1)
    const found = releases.find(({ id }) => id === wanted)
    if (found === undefined || this.gone.has(wanted))
      throw new MeshError('CONTENT_GONE', 'no longer stored here')
    return found
  }

  #entry(channel: Channel) {
    const { id, counter, message } = this.#release(channel) as FakeRelease
    const facts = { release: id, clock: { ops: counter }, publisher: 'ops' as Name, message }
    return {
      channel,
      active: { ...facts, activatedAt: '2026-01-02T03:04:05.000Z' },
      heads: [{ ...facts, created: '2026-01-02T03:04:00.000Z' }],
      state: 'active' as const,
      gate: null,
      lastError: null,
      fetch: null,
    }
  }

  status() {
    return {
      peerId: '12D3KooWnode' as PeerId,
      fleetId: sha('fleet') as FleetId,
      version: '1.2.3',
      uptimeSeconds: 7,
      labels: { region: 'eu' },
      addresses: ['/ip4/127.0.0.1/tcp/4001'],
      listening: ['/ip4/127.0.0.1/tcp/4001'],
      peers: { connected: 2, byRegion: { eu: 2 } },
      root: { version: 1, expires: '2028-01-01T00:00:00.000Z' },
      patterns: ['payments/**' as Pattern],
      channels: [...this.channels.keys()].map((channel) => this.#entry(channel as Channel)),
      store: { bytes: 4096, readOnly: false },
      problems: [],
    }
  }

  ready = () => ({ ready: this.waitingFor.length === 0, waitingFor: this.waitingFor })

  channel(channel: Channel): ReturnType<NodeView['channel']> {
    if (this.failure !== undefined) throw this.failure
    if (!this.channels.has(channel)) return undefined
    const history = (this.channels.get(channel) ?? []).slice(0, -1).map(({ id, counter, message }) => ({
      release: id,
      clock: { ops: counter },
      message,
      activatedAt: '2026-01-01T00:00:00.000Z',
    }))
    return { ...this.#entry(channel), history }
  }

  async files(channel: Channel, wanted?: ReleaseId) {
    const release = this.#release(channel, wanted)
    await this.beforeFiles(release?.id)
    if (release === undefined) return undefined
    const files = Object.entries(release.files).map(([path, text]) => ({
      path,
      mode: 0o444,
      size: Buffer.byteLength(text),
      digest: sha(text) as Digest,
    }))
    return { release: release.id, files }
  }

  async file(channel: Channel, path: string, wanted?: ReleaseId) {
    const listing = await this.files(channel, wanted)
    return listing && { release: listing.release, file: listing.files.find((file) => file.path === path) }
  }

  async read(channel: Channel, path: string, wanted?: ReleaseId, range?: { start: number; end: number }) {
    const bytes = Buffer.from(this.#release(channel, wanted)?.files[path] ?? '')
    return chunks(range === undefined ? bytes : bytes.subarray(range.start, range.end + 1))
  }

  async car(channel: Channel, wanted?: ReleaseId) {
    const release = this.#release(channel, wanted)
    if (release === undefined) throw new MeshError('API_NOT_FOUND', 'no such release')
    const car = Buffer.from(`car of ${release.id}`)
    return { bytes: car.length, parts: chunks(car) }
  }

  subscribe(channel: Channel, listener: (change: ReleaseChange) => void, missed: () => void) {
    const own = (change: ReleaseChange) => (change.channel === channel ? listener(change) : undefined)
    this.listeners.add(own)
    this.missed.add(missed)
    return () => {
      this.listeners.delete(own)
      this.missed.delete(missed)
    }
  }

  metrics = async () => '# TYPE confmesh_ready gauge\nconfmesh_ready 1\n'
}

/** In small pieces, as blocks come. */
async function* chunks(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 4) yield bytes.subarray(at, at + 4)
}

export interface Served {
  readonly api: ApiServer
  readonly problems: { code: string; text: string }[]
}

export async function serve(
  node: NodeView,
  more: { listen?: string; hosts?: string[]; token?: string; limits?: Partial<Limits> } = {},
): Promise<Served> {
  const problems: { code: string; text: string }[] = []
  const api = await startApi(node, more.listen ?? '127.0.0.1:0', {
    hosts: more.hosts ?? [],
    token: more.token,
    version: '1.2.3',
    limits: { ...LIMITS, ...more.limits },
    onProblem: (code, text) => problems.push({ code, text }),
  })
  return { api, problems }
}
