import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '../codec/digest.ts'
import { decodeEnvelope } from '../codec/envelope.ts'
import type { Form } from '../codec/fields.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { type Floor, joinFloors } from '../model/floor.ts'
import type { Channel, Digest, FleetId, ReleaseId } from '../model/ids.ts'
import { comparePlaces } from '../model/place.ts'
import { contentOf } from './content.ts'
import { type Database, levelDatabase } from './database.ts'
import { faultOf, isAbsent, isDamage, storeError } from './faults.ts'
import { readFloorFiles, readFloorsAside } from './floor-files.ts'
import { blockIn, blockKey, FLEET_KEY, FORMAT_KEY, nameIn, PREFIX, USED_KEY } from './keys.ts'
import { checkFiles } from './level-files.ts'
import { checkFormat } from './meta.ts'
import type { Problem } from './problem.ts'
import {
  AUDIT,
  BEACON,
  type BlockEntry,
  CHANNEL,
  ENVELOPE,
  FLEET,
  FLOOR,
  FORMAT_RECORD,
  LEASE,
  MARK,
  ROOT,
  readRecord,
  SIZE,
} from './records.ts'

export type SignedKind = 'root' | 'release' | 'beacon'

/** What was found sound, once every record was read. */
export interface StoredContent {
  /** With what is active by the channel's record. */
  readonly channels: ReadonlyMap<Channel, ReleaseId | undefined>
  readEnvelope(release: ReleaseId): Promise<Uint8Array | undefined>
  readBlock(digest: Digest): Promise<Uint8Array | undefined>
}

export interface VerifyInit {
  readonly dir: string
  /** Where the second copy lies; undefined where that is not known. @param fleet the store's, where it can be read */
  readonly floorDirOf: (fleet: FleetId | undefined) => string | undefined
  readonly limits: Limits
  /**
   * Says what is wrong with the signatures of an envelope; undefined where they hold. Called for roots first,
   * ascending by version.
   */
  readonly checkEnvelope: (kind: SignedKind, envelope: Uint8Array) => string | undefined
  /** Called with the length of each record that was read. */
  readonly onRead?: (bytes: number) => void
  /** Last: what lies elsewhere is held against what is stored. */
  readonly checkElse?: (stored: StoredContent) => Promise<readonly Problem[]>
}

// biome-ignore lint/suspicious/noExplicitAny: each prefix has a form of its own type, used only to be read.
const FORMS: Readonly<Record<string, Form<any>>> = {
  [PREFIX.root]: ROOT,
  [PREFIX.floor]: FLOOR,
  [PREFIX.channel]: CHANNEL,
  [PREFIX.envelope]: ENVELOPE,
  [PREFIX.whole]: MARK,
  [PREFIX.size]: SIZE,
  [PREFIX.beacon]: BEACON,
  [PREFIX.lease]: LEASE,
  [PREFIX.audit]: AUDIT,
}
const META: typeof FORMS = { [FORMAT_KEY]: FORMAT_RECORD, [FLEET_KEY]: FLEET, [USED_KEY]: MARK }

/**
 * Checks every stored byte of a stopped node: LevelDB's own checksums, each record's, each block's digest, each
 * signature, that whole releases are whole and that both copies of the floor are there. Changes nothing of ours;
 * what it finds, the next start of the node sets aside and fetches again.
 *
 * @throws MeshError STORE_MISSING, STORE_LOCKED, STORE_VERSION, STORE_FAILED
 */
export async function verifyStore(init: VerifyInit): Promise<readonly Problem[]> {
  const { dir } = init
  const database = levelDatabase(dir, { mustExist: true })
  // Opening rewrites LevelDB's log, so its files are read before; but only where no node has them open.
  const problems = await checkFiles(dir, Number.POSITIVE_INFINITY).catch((error: unknown) => {
    throw storeError(error, dir)
  })
  // Opening would drop what stands behind the damage in a log, and with it the evidence; where a damaged table is merged,
  // which opening begins, LevelDB may end this process.
  if (problems.length > 0) return problems
  await access(join(dir, 'CURRENT')).catch((error: unknown) => {
    if (!isAbsent(error)) throw storeError(error, dir)
    throw new MeshError('STORE_MISSING', `${dir} holds no store; check --data`, { dir })
  })
  try {
    await database.open()
  } catch (error) {
    if (!isDamage(error)) throw storeError(error, dir)
    return [{ where: dir, what: `LevelDB cannot open it: ${storeError(error, dir).message}` }]
  }
  try {
    return await new Verification(init, database).run()
  } finally {
    await database.close()
  }
}

class Verification {
  readonly #init: VerifyInit
  readonly #database: Database
  readonly #problems: Problem[] = []
  /** Sound blocks, with the keys they lie under: one, but where an entry of the index was lost. */
  readonly #good = new Map<Digest, readonly string[]>()
  readonly #sizes = new Map<Digest, BlockEntry>()
  readonly #envelopes = new Map<ReleaseId, Uint8Array>()
  readonly #whole: ReleaseId[] = []
  readonly #floors = new Map<Channel, Floor>()
  readonly #active = new Map<Channel, ReleaseId | undefined>()
  #fleet: FleetId | undefined
  readonly #signed: { readonly kind: SignedKind; readonly where: string; readonly envelope: Uint8Array }[] =
    []

  constructor(init: VerifyInit, database: Database) {
    this.#init = init
    this.#database = database
  }

  async run(): Promise<readonly Problem[]> {
    try {
      for await (const [key, value] of this.#database.entries()) {
        this.#record(key, value)
        this.#init.onRead?.(value.length)
      }
    } catch (error) {
      if (!isDamage(error)) throw storeError(error, this.#init.dir)
      this.#add(this.#init.dir, 'a table cannot be read to its end')
    }
    for (const [digest, { bytes, number }] of this.#sizes)
      if (this.#good.get(digest)?.includes(blockKey(digest, number)) !== true)
        this.#add(`block ${digest}`, `${bytes} bytes are listed, but no such block is here`)
    this.#checkSignatures()
    for (const release of this.#whole) await this.#checkWhole(release)
    await this.#checkFloorFiles()
    this.#problems.push(...((await this.#init.checkElse?.(this.#stored())) ?? []))
    return this.#problems
  }

  #add(where: string, what: string): void {
    this.#problems.push({ where, what })
  }

  #record(key: string, value: Uint8Array): void {
    const prefix = key.slice(0, key.indexOf('/') + 1)
    if (prefix === PREFIX.quarantine) return
    if (prefix === PREFIX.block) return this.#block(key, value)
    const form = META[key] ?? FORMS[prefix]
    if (form === undefined) return this.#add(key, 'no record of this store has such a key')
    const read: unknown = readRecord(form, key, value, this.#init.limits)
    if (read === undefined) return this.#add(key, 'its checksum does not hold')
    if (key === FORMAT_KEY) checkFormat(read as number, this.#init.dir)
    if (key === FLEET_KEY) this.#fleet = read as FleetId
    this.#keep(prefix, nameIn(prefix, key), read)
  }

  #block(key: string, bytes: Uint8Array): void {
    const digest = blockIn(key)?.digest
    if (digest === undefined) this.#add(key, 'no record of this store has such a key')
    else if (sha256(bytes) === digest) this.#good.set(digest, [...(this.#good.get(digest) ?? []), key])
    else this.#add(`block ${digest}`, 'its bytes do not give its digest')
  }

  #keep(prefix: string, name: string, read: unknown): void {
    switch (prefix) {
      case PREFIX.size:
        this.#sizes.set(name as Digest, read as BlockEntry)
        return
      case PREFIX.whole:
        this.#whole.push(name as ReleaseId)
        return
      case PREFIX.floor:
        // A first release may be in sight before there is a record of it.
        if (!this.#active.has(name as Channel)) this.#active.set(name as Channel, undefined)
        this.#floors.set(name as Channel, read as Floor)
        return
      case PREFIX.channel:
        this.#active.set(name as Channel, (read as { active?: { release: ReleaseId } }).active?.release)
        return
      case PREFIX.root:
        return this.#envelope('root', `root ${Number(name)}`, (read as { envelope: Uint8Array }).envelope)
      case PREFIX.beacon:
        return this.#envelope('beacon', `beacon ${name}`, (read as { envelope: Uint8Array }).envelope)
      case PREFIX.envelope:
        return this.#release(name as ReleaseId, (read as { bytes: Uint8Array }).bytes)
      default:
        return
    }
  }

  #envelope(kind: SignedKind, where: string, envelope: Uint8Array): void {
    this.#signed.push({ kind, where, envelope })
  }

  #checkSignatures(): void {
    const isRoot = ({ kind }: { readonly kind: SignedKind }): boolean => kind === 'root'
    const rootsFirst = [...this.#signed.filter(isRoot), ...this.#signed.filter((entry) => !isRoot(entry))]
    for (const { kind, where, envelope } of rootsFirst) {
      const wrong = this.#init.checkEnvelope(kind, envelope)
      if (wrong !== undefined) this.#add(where, wrong)
    }
  }

  #release(release: ReleaseId, envelope: Uint8Array): void {
    const { limits } = this.#init
    try {
      const { payload } = decodeEnvelope(envelope, limits.maxEnvelopeBytes, limits)
      if ((sha256(payload) as string) !== release)
        return this.#add(`release ${release}`, 'holds another release')
    } catch (error) {
      return this.#add(`release ${release}`, error instanceof Error ? error.message : String(error))
    }
    this.#envelopes.set(release, envelope)
    this.#envelope('release', `release ${release}`, envelope)
  }

  async #read(digest: Digest): Promise<Uint8Array | undefined> {
    const [key] = this.#good.get(digest) ?? []
    return key === undefined ? undefined : this.#database.get(key)
  }

  #stored(): StoredContent {
    return {
      channels: this.#active,
      readEnvelope: async (release) => this.#envelopes.get(release),
      readBlock: (digest) => this.#read(digest),
    }
  }

  async #checkWhole(release: ReleaseId): Promise<void> {
    const where = `release ${release}`
    const envelope = this.#envelopes.get(release)
    if (envelope === undefined) return this.#add(where, 'is noted as whole, but its header is not here')
    try {
      const { pages, blocks } = await contentOf(envelope, (page) => this.#read(page), this.#init.limits)
      const missing = [...pages, ...blocks].filter((digest) => !this.#good.has(digest))
      if (missing.length > 0)
        this.#add(where, `is noted as whole, but ${missing.length} blocks are not here, first ${missing[0]}`)
    } catch (error) {
      this.#add(where, error instanceof Error ? error.message : String(error))
    }
  }

  /** The file may be ahead of a store that lost its last writes, never behind. */
  async #checkFloorFiles(): Promise<void> {
    const { floorDirOf, limits } = this.#init
    const floorDir = floorDirOf(this.#fleet)
    if (floorDir === undefined) return
    const none = { floors: [], root: undefined, damaged: [], aside: [] }
    const read = async () => ({
      ...(await readFloorFiles(floorDir, limits)),
      aside: await readFloorsAside(floorDir, limits),
    })
    const files = await read().catch((error: unknown) => {
      if (faultOf(error) === 'missing') return none
      throw storeError(error, floorDir)
    })
    for (const name of files.damaged) this.#add(join(floorDir, name), 'its checksum does not hold')
    const copies = new Map<Channel, Floor>()
    for (const floor of [...files.floors, ...files.aside]) {
      // Another fleet's counts as absent, as at the start.
      if (floor.fleet !== this.#floors.get(floor.channel)?.fleet) continue
      const copy = copies.get(floor.channel)
      copies.set(floor.channel, copy === undefined ? floor : joinFloors(copy, floor))
    }
    for (const [channel, floor] of this.#floors) {
      const copy = copies.get(channel)
      if (copy === undefined) this.#add(floorDir, `the second copy of the floor of ${channel} is not there`)
      else if (comparePlaces(joinFloors(copy, floor).top, copy.top) > 0)
        this.#add(floorDir, `the second copy of the floor of ${channel} is behind the store`)
    }
  }
}
