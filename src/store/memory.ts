import { sha256 } from '../codec/digest.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Digest, FleetId, ReleaseId } from '../model/ids.ts'
import {
  type CacheBound,
  cachedBytes,
  type EventOf,
  type Snapshot,
  type StorePort,
  type Write,
} from '../runtime/ports.ts'
import { planAtOnce } from './collect.ts'
import { type ContentSource, Contents } from './content.ts'
import { MemoryDisk } from './memory-disk.ts'

export interface MemoryStoreInit {
  readonly limits: Limits
  readonly fleetId?: FleetId
  /** What survives; give the same one to the next store to restart. */
  readonly disk?: MemoryDisk
  /** Asked before each write: the disk takes no more bytes. */
  readonly isFull?: () => boolean
  readonly emit?: (event: EventOf<'blockLost' | 'storeMode'>) => void
}

/** The store of simulated nodes: same promises as on disk, no time of its own. */
export class MemoryStore implements StorePort {
  readonly disk: MemoryDisk
  readonly #init: MemoryStoreInit
  readonly #fresh = new Set<Digest>()
  #writes = 0
  #readOnly = false
  #open = false

  constructor(init: MemoryStoreInit) {
    this.#init = init
    this.disk = init.disk ?? new MemoryDisk()
  }

  async open(): Promise<void> {
    this.#open = true
  }

  async load(): Promise<Snapshot> {
    this.#check()
    const { latest, files, used } = this.disk
    const { fleetId } = this.#init
    const own = [...latest.floors.values(), ...files.floors.values()].filter(
      (floor) => fleetId === undefined || floor.fleet === fleetId,
    )
    // Both copies hold the greater floor again from here on.
    const healed = own.map((floor): Write => ({ kind: 'floor', floor }))
    this.disk.write(healed)
    const withFloor = new Set(own.map((floor) => floor.channel))
    const roots = new Map(latest.roots)
    if (files.root !== undefined) roots.set(files.root.version, files.root.envelope)
    return {
      roots: [...roots]
        .map(([version, envelope]) => ({ version, envelope }))
        .sort((a, b) => a.version - b.version),
      floors: own,
      floorLost:
        (used && own.length === 0) ||
        [...latest.channels.values(), ...latest.envelopes.values()].some(
          ({ channel }) => !withFloor.has(channel),
        ),
      channels: sorted(latest.channels),
      envelopes: sorted(latest.envelopes).map(({ release, channel, bytes }) => ({ release, channel, bytes })),
      whole: [...latest.whole].sort(),
      blocks: new Set([...latest.blocks.keys()].sort()),
      beacons: sorted(latest.beacons).map(({ key, at, envelope }) => ({ key, at, envelope })),
      leases: sorted(latest.leases),
      peers: [],
      corrupt: 0,
    }
  }

  async commit(writes: readonly Write[]): Promise<void> {
    this.#check()
    this.#beforeWrite()
    this.disk.write(writes)
    for (const write of writes) if (write.kind === 'block') this.#fresh.add(write.digest)
    this.#setReadOnly(false)
  }

  async readBlock(digest: Digest): Promise<Uint8Array | undefined> {
    this.#check()
    const bytes = this.disk.latest.blocks.get(digest)
    if (bytes !== undefined && sha256(bytes) === digest) return bytes
    if (bytes !== undefined) this.disk.remove([], [], [digest])
    this.#init.emit?.({ kind: 'blockLost', digest })
    return undefined
  }

  hasBlock(digest: Digest): boolean {
    return this.disk.latest.blocks.has(digest)
  }

  async readEnvelope(release: ReleaseId): Promise<Uint8Array | undefined> {
    this.#check()
    return this.disk.latest.envelopes.get(release)?.bytes
  }

  collect(keep: readonly ReleaseId[], bound: CacheBound, stop?: AbortSignal): Promise<readonly Digest[]> {
    // What comes from now on may be of an upload that begins now.
    this.#fresh.clear()
    for (const digest of bound.uploads) this.#fresh.add(digest)
    return this.reduce(keep, bound, stop)
  }

  /** The part of a collection that takes time: what came since it began stays. */
  async reduce(
    keep: readonly ReleaseId[],
    { maxCacheBytes, awaited, envelopes: named }: Omit<CacheBound, 'uploads'>,
    stop?: AbortSignal,
  ): Promise<readonly Digest[]> {
    this.#check()
    const { blocks, envelopes } = this.disk.latest
    if (cachedBytes(this.bytes(), blocks.size) <= maxCacheBytes) return []
    const before = new Set(envelopes.values())
    const contents = await this.#contents(stop)
    if (stop?.aborted === true) return []
    const arrived = [...envelopes.values()].flatMap((envelope) =>
      before.has(envelope) ? [] : [envelope.release],
    )
    const plan = planAtOnce({
      releases: contents.releases,
      named: contents.named,
      keep: new Set([...keep, ...arrived]),
      awaited: [...awaited, ...arrived],
      sizes: new Map([...blocks].map(([digest, bytes]) => [digest, bytes.length])),
      fresh: this.#fresh,
      maxCacheBytes,
    })
    this.#beforeWrite()
    const stay = new Set(named)
    const forgotten = plan.releases.filter((release) => !stay.has(release))
    const gone = [...plan.orphans, ...plan.blocks]
    this.disk.remove(plan.releases, forgotten, gone)
    return gone
  }

  bytes(): number {
    let bytes = 0
    for (const block of this.disk.latest.blocks.values()) bytes += block.length
    return bytes
  }

  async close(): Promise<void> {
    this.#open = false
  }

  /** As of now: what is written while it is read is read, too. */
  async #contents(stop?: AbortSignal): Promise<Contents> {
    const contents = new Contents(this.#init.limits)
    const { blocks, envelopes } = this.disk.latest
    const source: ContentSource = {
      hasBlock: (digest) => blocks.has(digest),
      readBlock: async (digest) => blocks.get(digest),
      readEnvelope: async (release) => envelopes.get(release)?.bytes,
    }
    for (;;) {
      const writes = this.#writes
      await contents.read([...envelopes.keys()], source, stop)
      if (writes === this.#writes) return contents
    }
  }

  #check(): void {
    if (!this.#open) throw new MeshError('STORE_FAILED', 'the store is not open')
  }

  #beforeWrite(): void {
    this.#writes += 1
    if (this.#init.isFull?.() !== true) return
    this.#setReadOnly(true)
    throw new MeshError('STORE_FULL', 'the disk takes no more bytes')
  }

  #setReadOnly(readOnly: boolean): void {
    if (this.#readOnly === readOnly) return
    this.#readOnly = readOnly
    this.#init.emit?.({ kind: 'storeMode', readOnly, ...(readOnly && { code: 'STORE_FULL' }) })
  }
}

/** Values in the order of their keys, as LevelDB gives them. */
const sorted = <V>(map: ReadonlyMap<string, V>): readonly V[] =>
  [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value)
