/**
 * A key's own memory of the counters it signed, in KEY.counters.json: two runs against seeds that do not know of each
 * other must not sign one place twice. Kept per fleet, channel and epoch, or a thief's 2^53−1 would outlive the epoch.
 */
import { readFileSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import { isForbiddenCode, isFullCode, isMeshError, MeshError } from '../errors.ts'
import type { Channel, FleetId, ReleaseId } from '../model/ids.ts'
import type { Release } from '../model/release.ts'
import { unreadable } from './sources.ts'

/** Epochs of which a counter is kept beside the highest: a root that came to nothing, or an out-of-date one, is few behind. */
const MAX_EARLIER = 16

const COUNTER = z.strictObject({ epoch: z.int().positive(), counter: z.int().positive() })
const ENTRY = z.strictObject({
  /** The highest one, and the greatest counter in it. */
  ...COUNTER.shape,
  /** The same of lower ones, the highest first. Builds before it refuse a file that has it, rather than misread it. */
  earlier: z.array(COUNTER).max(MAX_EARLIER).optional(),
  /** What was signed last, newest first: a prefix of a release can be looked up here. */
  releases: z.array(z.string().regex(/^[0-9a-f]{64}$/)).max(64),
})
const MEMORY = z.strictObject({
  version: z.literal(1),
  fleets: z.record(z.string(), z.record(z.string(), ENTRY)),
})
type Memory = z.infer<typeof MEMORY>
type Entry = z.infer<typeof ENTRY>
type Counter = z.infer<typeof COUNTER>

const MAX_RELEASES = 64

/** The greatest counter of each epoch, the highest epoch first. */
const countersOf = (entry: Entry | undefined): readonly Counter[] =>
  entry === undefined ? [] : [{ epoch: entry.epoch, counter: entry.counter }, ...(entry.earlier ?? [])]

/** The counter of this epoch alone rises: the root of a higher one may never come into force. */
function raised(entry: Entry | undefined, { epoch, counter }: Counter): Omit<Entry, 'releases'> {
  const known = countersOf(entry)
  const greatest = Math.max(counter, known.find((one) => one.epoch === epoch)?.counter ?? 0)
  const others = known.filter((one) => one.epoch !== epoch)
  const [highest = { epoch, counter: greatest }, ...lower] = [...others, { epoch, counter: greatest }].sort(
    (a, b) => b.epoch - a.epoch,
  )
  return { ...highest, ...(lower.length === 0 ? {} : { earlier: lower.slice(0, MAX_EARLIER) }) }
}

export interface CounterMemory {
  /** Greatest counter signed in this epoch, 0 where none. */
  counter(fleet: FleetId, channel: Channel, epoch: number): number
  /**
   * The latest one in which something was signed and a release made under this root may be; where all are higher, the
   * highest, for builds before kept that one alone; 0 where nothing was signed.
   */
  epoch(fleet: FleetId, channel: Channel, root: number): number
  releases(fleet: FleetId, channel: Channel): readonly ReleaseId[]
  channels(fleet: FleetId): readonly Channel[]
  /** On disk when it returns: before anything signed leaves this host. @throws MeshError INPUT_PATH, STORE_FULL, STORE_FAILED */
  record(
    at: { readonly fleet: FleetId; readonly channel: Channel; readonly epoch: number },
    signed: { readonly counter: number; readonly release: ReleaseId },
  ): Promise<void>
}

/** Keys that lie in no file (stdin, environment, a KMS) have no memory: the seeds' word is all there is. */
export const noMemory: CounterMemory = {
  counter: () => 0,
  epoch: () => 0,
  releases: () => [],
  channels: () => [],
  record: async () => undefined,
}

/** Without a memory, for whoever may take the key from elsewhere. */
export const BY_ENVIRONMENT = ', or give the key by CONFMESH_KEY'

/**
 * @param otherwise what else helps where its folder cannot be written
 * @throws MeshError INPUT_PATH where the file is there and cannot be understood: guessing could sign a place twice
 */
export function openMemory(keyFile: string, otherwise = BY_ENVIRONMENT): CounterMemory {
  const path = `${keyFile}.counters.json`
  let memory = read(path)
  return {
    counter: (fleet, channel, epoch) =>
      countersOf(memory.fleets[fleet]?.[channel]).find((one) => one.epoch === epoch)?.counter ?? 0,
    epoch(fleet, channel, root) {
      const known = countersOf(memory.fleets[fleet]?.[channel])
      return (known.find((one) => one.epoch <= root) ?? known[0])?.epoch ?? 0
    },
    releases: (fleet, channel) => (memory.fleets[fleet]?.[channel]?.releases ?? []) as ReleaseId[],
    channels: (fleet) => Object.keys(memory.fleets[fleet] ?? {}).sort() as Channel[],
    async record({ fleet, channel, epoch }, { counter, release }) {
      const channels = memory.fleets[fleet] ?? {}
      const before = channels[channel]
      const releases = [release, ...(before?.releases ?? []).filter((id) => id !== release)].slice(
        0,
        MAX_RELEASES,
      )
      const entry = { ...raised(before, { epoch, counter }), releases }
      memory = { version: 1, fleets: { ...memory.fleets, [fleet]: { ...channels, [channel]: entry } } }
      await write(path, memory, otherwise)
    },
  }
}

/** Whoever removed it as damaged would sign a place twice, where the seed that has the first is away. */
function isNewer(said: unknown, { issues }: z.ZodError): boolean {
  const version = Number((said as { version?: unknown } | null)?.version)
  return version > 1 || issues.every(({ code }) => code === 'unrecognized_keys')
}

function parsed(path: string, said: unknown): Memory {
  const { data, error } = MEMORY.safeParse(said)
  if (data !== undefined) return data
  if (!isNewer(said, error)) throw error
  throw new MeshError(
    'CODEC_UNSUPPORTED',
    `${path} (this key's memory of its counters) was written by a newer confmesh; use that one, and do not remove the file`,
    { path },
    { cause: error },
  )
}

function read(path: string): Memory {
  try {
    return parsed(path, JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    if (isMeshError(error)) throw error
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return { version: 1, fleets: {} }
    // A disk or a share that fails for now: what is there is neither empty nor damaged.
    if (code !== undefined) throw unreadable(path, error)
    throw new MeshError(
      'INPUT_PATH',
      `${path} (this key's memory of its counters) is damaged; repair it, or remove it if every seed is reached`,
      { path },
      { cause: error },
    )
  }
}

async function write(path: string, memory: Memory, otherwise: string): Promise<void> {
  const aside = `${path}.${process.pid}.new`
  try {
    // Of a run that was killed, or put there by somebody who may write here: through a link another file would be emptied.
    await rm(aside, { force: true })
    const handle = await open(aside, 'wx', 0o600)
    try {
      await handle.writeFile(`${JSON.stringify(memory, null, 2)}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(aside, path)
    // Without it a power cut may bring the memory of before back, beside a signature that has left.
    const folder = await open(dirname(path), 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  } catch (error) {
    await rm(aside, { force: true }).catch(() => undefined) // what kept it from being written is told
    throw unwritten(path, error, otherwise)
  }
}

/** A key without its memory is the way out where nothing may be written: else a place may be signed twice for nothing. */
function unwritten(path: string, error: unknown, otherwise: string): MeshError {
  const { code, message } = error as NodeJS.ErrnoException
  const what = `cannot write ${path} (this key's memory of its counters): ${code ?? message}; nothing was signed`
  const options = { cause: error }
  if (isForbiddenCode(code)) {
    const advice = "make the key's folder, and that file, this user's own and writable"
    return new MeshError('INPUT_PATH', `${what}; ${advice}${otherwise}`, { path }, options)
  }
  return isFullCode(code)
    ? new MeshError('STORE_FULL', `${what}; free space or quota`, { path }, options)
    : new MeshError('STORE_FAILED', `${what}; try again`, { path }, options)
}

/** Several keys at hand: each remembers. */
export const joinMemories = (all: readonly CounterMemory[]): CounterMemory => ({
  counter: (fleet, channel, epoch) => Math.max(0, ...all.map((one) => one.counter(fleet, channel, epoch))),
  epoch: (fleet, channel, root) => Math.max(0, ...all.map((one) => one.epoch(fleet, channel, root))),
  releases: (fleet, channel) => [...new Set(all.flatMap((one) => one.releases(fleet, channel)))],
  channels: (fleet) => [...new Set(all.flatMap((one) => one.channels(fleet)))].sort(),
  async record(at, signed) {
    for (const one of all) await one.record(at, signed)
  },
})

/**
 * Before a key signs what somebody else prepared.
 * @param epoch the latest one that is known of besides
 * @throws MeshError ORDER_PLACE_TAKEN (it has signed another release there, or past it), INPUT_PATH
 */
export async function claim(memory: CounterMemory, { id, header, counter }: Release, epoch: number) {
  const { fleet, channel } = header
  const at = { fleet, channel, epoch: Math.max(epoch, memory.epoch(fleet, channel, header.root)) }
  const signed = memory.counter(fleet, channel, at.epoch)
  if (counter <= signed && !memory.releases(fleet, channel).includes(id))
    throw new MeshError(
      'ORDER_PLACE_TAKEN',
      `${channel}: a key given here has signed another release with counter ${signed}, and this one has ${counter}; prepare it anew, or name the newest trust root if the epoch was raised: --root FILE`,
    )
  await memory.record(at, { counter, release: id })
}
