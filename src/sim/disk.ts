import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { type Floor, joinFloors } from '../model/floor.ts'
import type { Channel, Digest, FleetId, ReleaseId } from '../model/ids.ts'
import { isAlone, type StorePort, type Write } from '../runtime/ports.ts'
import { MemoryStore } from '../store/memory.ts'
import { between, chance, type Random } from './random.ts'
import { type Copy, hasSecondCopy, SecondCopies } from './second-copies.ts'
import { type OnStoreEvent, SimStore } from './store.ts'
import type { VirtualTime } from './time.ts'

/** Writes that reach the disk together or not at all. */
export interface Batch {
  readonly atMs: number
  readonly writes: readonly Write[]
  /** Blocks that a collection took away. */
  readonly gone: readonly Digest[]
  readonly synced: boolean
}

/** What a collection removes. */
export type Removal = Pick<Batch, 'writes' | 'gone'>

/** What lies on a disk, read from outside without asking the node. */
export interface OnDisk {
  /** Envelopes by when they came. */
  readonly envelopes: ReadonlyMap<ReleaseId, number>
  readonly floors: ReadonlyMap<Channel, Floor>
  /** Newest trust root, and when it came. */
  readonly root: { readonly version: number; readonly atMs: number }
  readonly blocks: ReadonlySet<Digest>
}

/**
 * What becomes of one write. Of a commit that holds a floor or a root the second copies alone were written when the process
 * died (`torn`), or the store's batch alone (`unshown`). An `io-error` is that one write's, a full disk stays so until it
 * has room.
 */
export type WriteFate = 'ok' | 'full' | 'io-error' | 'die-before' | 'die-torn' | 'die-unshown' | 'die-after'

interface Lies extends OnDisk {
  batches: number
  readonly envelopes: Map<ReleaseId, number>
  readonly floors: Map<Channel, Floor>
  root: OnDisk['root']
  readonly blocks: Set<Digest>
}

/**
 * A node's disk over all its lives: the store is a log of batches, beside it lie second copies. A crash takes what was under
 * way, any tail of the log that was not synced, and what was added before without a sync unless a later one waited for it; a lost store takes all but the second copies.
 */
export class SimDisk {
  full = false
  /** How often it lost or damaged something. */
  losses = 0
  /** Asked at every write, counted from 0 over all lives of the disk. */
  fate: ((write: number) => WriteFate) | undefined
  /** Kills the process in the middle of a write. */
  onDeath: () => void = () => {}
  readonly #time: VirtualTime
  readonly #random: Random
  readonly #fleetId: FleetId
  readonly #limits: Limits
  #log: Batch[] = []
  readonly #copies = new SecondCopies()
  /** Blocks whose bits flipped: they lie there and are of no use. */
  readonly #rotten = new WeakSet<Uint8Array>()
  /** What the log amounts to, as far as it was read; undefined once something was taken out of it. */
  #lies: Lies | undefined
  #life = 0
  #writes = 0

  constructor(time: VirtualTime, random: Random, fleetId: FleetId, limits: Limits) {
    this.#fleetId = fleetId
    this.#limits = limits
    this.#time = time
    this.#random = random
  }

  /** The disk as the next life of the node finds it. */
  open(emit: OnStoreEvent): StorePort {
    const life = ++this.#life
    // LevelDB makes synced tables of all that it finds in its logs.
    this.#replace(this.#log.map((batch) => ({ ...batch, synced: true })))
    const alive: OnStoreEvent = (event) => {
      if (life === this.#life) emit(event)
    }
    const memory = new MemoryStore({ fleetId: this.#fleetId, limits: this.#limits, emit: alive })
    return new SimStore(this, life, { log: this.#log, copies: this.#copies.all }, memory, alive)
  }

  /** It lost or damaged something in its life: what it holds says less. */
  get hurt(): boolean {
    return this.losses > 0
  }

  /** How many writes it has been asked for. */
  get writes(): number {
    return this.#writes
  }

  /** A full disk is looked at again and again, and says when it has room. */
  whenFree(life: number, then: () => void): void {
    this.#time.after(this.#limits.storeProbeMs, () => {
      if (life !== this.#life) return
      if (this.full) this.whenFree(life, then)
      else then()
    })
  }

  crash(): void {
    this.#life += 1
    const lastSynced = this.#log.findLastIndex((batch) => batch.synced)
    const kept = lastSynced + 1 + Math.floor(this.#random() * (this.#log.length - lastSynced))
    const settled = lastSettled(this.#log)
    this.#replace(
      this.#log
        .slice(0, kept)
        .filter((batch, at) => at <= settled || at > lastSynced || !this.#isLost(batch)),
    )
  }

  /** What was only added before a batch that does not count on it may be in a log that is not synced. */
  #isLost(batch: Batch): boolean {
    return !batch.synced && chance(this.#random, 1 / 2)
  }

  /** LevelDB's folder is gone; floors and the newest root have their second copy elsewhere. */
  loseStore(): void {
    this.losses += 1
    this.#replace([])
  }

  /** What a start finds in one copy alone is in both from then on, as in the real store; a full disk delays that. */
  heal(): void {
    if (this.full) return
    const atMs = this.#time.nowMs
    const copies = this.#copies.all
    const inLog = new SecondCopies()
    for (const { writes } of this.#log) inLog.take(writes, atMs)
    for (const { write } of inLog.all) this.#copies.take([write], atMs)
    const missing = copies.flatMap(({ write }) => (inLog.lacks(write) ? [write] : []))
    this.#append({ writes: missing, gone: [] }, true)
  }

  /** Some blocks are gone: the store is told so by its own checks. */
  rot(probability: number): void {
    this.losses += 1
    this.#replace(this.#filtered((write) => write.kind !== 'block' || !chance(this.#random, probability)))
  }

  /**
   * Bits flip in any record. Blocks really change, as their digest is looked at when they are read. Other records
   * bear a checksum, and the store leaves out those that fail it; of a floor or the newest root the other copy is left.
   */
  flip(probability: number): void {
    const share = (key: string): number => (key.startsWith('block ') ? probability : probability / 4)
    const keys = this.#written().filter((key) => chance(this.#random, share(key)))
    // Which copy of a floor it is depends on the time: a coin that takes no random number, so that runs stay as they were.
    const isCopy = Math.floor(this.#time.nowMs) % 2 === 1
    this.#damage(new Set(keys.map((key) => (isCopy && key.startsWith('floor ') ? `copy of ${key}` : key))))
  }

  /** Bits flip in this one. */
  flipRecord(key: string): void {
    this.#damage(new Set([key]))
  }

  /** The records that lie there, by names of their own; second copies are records apart. */
  records(): readonly string[] {
    const lie = new Set<string>()
    for (const { writes, gone } of this.#log) {
      for (const digest of gone) lie.delete(`block ${digest}`)
      for (const write of writes) {
        if (REMOVING.has(write.kind)) lie.delete(keyOf(write))
        else lie.add(keyOf(write))
      }
    }
    return [...lie, ...this.#copies.names].sort()
  }

  /** Whatever was once written, what was removed since included. */
  #written(): readonly string[] {
    return [...new Set(this.#log.flatMap(({ writes }) => writes.map(keyOf)))].sort()
  }

  /** A damaged record is gone, and what was written there earlier does not come back. */
  #damage(keys: ReadonlySet<string>): void {
    this.losses += 1
    this.#copies.damage(keys)
    const left = this.#filtered((write) => write.kind === 'block' || !keys.has(keyOf(write)))
    const changed = (write: Write): Write => {
      if (write.kind !== 'block' || !keys.has(keyOf(write))) return write
      const bytes = flipped(write.bytes, this.#random)
      this.#rotten.add(bytes)
      return { ...write, bytes }
    }
    this.#replace(left.map((batch) => ({ ...batch, writes: batch.writes.map(changed) })))
  }

  /** A view of this moment: later writes change it. Checkers look often, so that what was read is not read again. */
  onDisk(): OnDisk {
    const lies = this.#lies ?? {
      batches: 0,
      envelopes: new Map(),
      floors: new Map(),
      root: { version: 1, atMs: 0 },
      blocks: new Set(),
    }
    if (this.#lies === undefined) for (const { write, atMs } of this.#copies.all) lie(lies, write, atMs)
    this.#lies = lies
    for (; lies.batches < this.#log.length; lies.batches++) {
      const { atMs, writes, gone } = this.#log[lies.batches] as Batch
      for (const digest of gone) lies.blocks.delete(digest)
      for (const write of writes) {
        if (write.kind === 'envelope' && !lies.envelopes.has(write.release))
          lies.envelopes.set(write.release, atMs)
        if (write.kind === 'dropEnvelope') lies.envelopes.delete(write.release)
        if (write.kind === 'block' && !this.#rotten.has(write.bytes)) lies.blocks.add(write.digest)
        if (hasSecondCopy(write)) lie(lies, write, atMs)
      }
    }
    return lies
  }

  /** Appends after a while, unless the node has died by then. @throws MeshError STORE_FULL, STORE_FAILED */
  async write(
    life: number,
    writes: readonly Write[],
    synced: boolean,
    apply: () => Promise<void>,
  ): Promise<void> {
    const fate = await this.#turn(life, synced)
    const inStore = fate !== 'die-before' && fate !== 'die-torn'
    if (inStore) this.#append({ writes, gone: [] }, synced)
    if (fate === 'die-torn' || (inStore && fate !== 'die-unshown'))
      this.#copies.take(writes, this.#time.nowMs)
    if (fate !== 'ok') return this.#die()
    await apply()
  }

  /**
   * Appends what a collection removes, as any other write: it takes room, and it is one batch, so that there is no middle
   * to die in. @throws MeshError STORE_FULL, STORE_FAILED: then nothing is removed
   */
  async collect(life: number, remove: () => Promise<Removal>): Promise<void> {
    const fate = await this.#turn(life, false)
    if (fate !== 'die-before' && fate !== 'die-torn') this.#append(await remove(), false)
    if (fate !== 'ok') return this.#die()
  }

  /** Waits for its turn, and for what becomes of it. @throws MeshError STORE_FULL, STORE_FAILED */
  async #turn(life: number, synced: boolean): Promise<Exclude<WriteFate, 'full' | 'io-error'>> {
    await this.#delay(life, synced)
    const fate = this.fate?.(this.#writes) ?? 'ok'
    this.#writes += 1
    if (this.full || fate === 'full') throw new MeshError('STORE_FULL', 'the simulated disk is full')
    if (fate === 'io-error') throw new MeshError('STORE_FAILED', 'the simulated disk fails')
    return fate
  }

  /** In the middle of a write, which nobody hears of any more. */
  #die(): Promise<never> {
    this.onDeath()
    return new Promise(() => {})
  }

  read(life: number): Promise<void> {
    return this.#delay(life, false)
  }

  #append({ writes, gone }: Removal, synced: boolean): void {
    if (writes.length + gone.length > 0) this.#log.push({ atMs: this.#time.nowMs, writes, gone, synced })
  }

  /** A process that died waits for ever. */
  #delay(life: number, synced: boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#time.after(synced ? between(this.#random, 0.5, 8) : between(this.#random, 0.05, 0.5), () => {
        if (life === this.#life) resolve()
      })
    })
  }

  #replace(log: Batch[]): void {
    this.#log = log
    this.#lies = undefined
  }

  #filtered(keep: (write: Write) => boolean): Batch[] {
    return this.#log
      .map((batch) => ({ ...batch, writes: batch.writes.filter(keep) }))
      .filter(({ writes, gone }) => writes.length + gone.length > 0)
  }
}

/** Writes that take a record away. */
const REMOVING: ReadonlySet<Write['kind']> = new Set(['dropEnvelope', 'unwhole', 'dropLease'])

/** The last batch that waited for all before it, as those of the real store do (`database.ts`); -1 where none did. */
function lastSettled(log: readonly Batch[]): number {
  let settled = -1
  let isAwaited = false
  for (const [at, { synced, writes, gone }] of log.entries()) {
    if (!synced) isAwaited ||= gone.length > 0 || writes.some(({ kind }) => REMOVING.has(kind))
    else if (isAwaited || !isAlone(writes)) {
      settled = at
      isAwaited = false
    }
  }
  return settled
}

/** Of two copies the greater one counts. */
function lie(lies: Lies, write: Copy['write'], atMs: number): void {
  if (write.kind === 'root') {
    if (write.version > lies.root.version) lies.root = { version: write.version, atMs }
    return
  }
  const { floor } = write
  const before = lies.floors.get(floor.channel)
  lies.floors.set(floor.channel, before === undefined ? floor : joinFloors(before, floor))
}

/** Writes of one key are about one record: a later one replaces or removes it. */
function keyOf(write: Write): string {
  switch (write.kind) {
    case 'root':
      return `root ${write.version}`
    case 'floor':
      return `floor ${write.floor.channel}`
    case 'channel':
      return `channel ${write.record.channel}`
    case 'envelope':
    case 'dropEnvelope':
      return `envelope ${write.release}`
    case 'whole':
    case 'unwhole':
      return `whole ${write.release}`
    case 'block':
      return `block ${write.digest}`
    case 'beacon':
      return `beacon ${write.key}`
    case 'lease':
      return `lease ${write.lease.release}`
    case 'dropLease':
      return `lease ${write.release}`
    case 'audit':
      return 'audit'
  }
}

function flipped(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = Uint8Array.from(bytes)
  const at = Math.floor(random() * copy.length)
  copy[at] = (copy[at] ?? 0) ^ (1 << Math.floor(random() * 8))
  return copy
}
