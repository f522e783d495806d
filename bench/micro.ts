/** The parts of a release's journey that cost CPU or disk, one by one: operations per second and bytes allocated. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measure } from 'mitata'
import { sha256 } from '../src/codec/digest.ts'
import { decodeEnvelope, encodeEnvelope } from '../src/codec/envelope.ts'
import { decodeHeader } from '../src/codec/header.ts'
import { decodePage, encodePage } from '../src/codec/page.ts'
import { emptyChannel } from '../src/core/channel.ts'
import { order } from '../src/core/order.ts'
import { LIMITS } from '../src/limits.ts'
import { LevelStore } from '../src/store/level.ts'
import { authorised } from '../src/trust/authorise.ts'
import { CHANNEL, rootFor, signed } from './releases.ts'
import type { Measured, Row } from './results.ts'
import { type Spread, spread } from './spread.ts'

interface Bench {
  readonly name: string
  readonly run: () => unknown
  /** Operations in one call of `run`. */
  readonly per: number
}

interface Figure {
  readonly name: string
  /** Median of each run; the spread is over the runs. */
  readonly opsPerSecond: Spread
  /** Heap and array buffers, garbage included. */
  readonly allocatedBytes: number
}

/** `trust/public-key.ts` remembers some thousand signatures that were valid: each of so many in turn is a new one. */
const MORE_THAN_REMEMBERED = 10_000

function pure(): readonly Bench[] {
  const root = rootFor()
  const many = Array.from({ length: MORE_THAN_REMEMBERED }, (_, i) => signed(root, i + 1))
  const releases = many.slice(0, 100)
  const { envelope, release } = releases[0] as (typeof releases)[number]
  const bytes = encodeEnvelope(envelope)
  const page = encodePage(
    Array.from({ length: 1_000 }, (_, i) => {
      const digest = sha256(Buffer.from(`file ${i}`))
      const path = `services/region-${String(i % 10)}/service-${String(i).padStart(4, '0')}.yaml`
      return { path, mode: 0o444 as const, size: 2_048, digest, blocks: [{ digest, size: 2_048 }] }
    }).sort((a, b) => (a.path < b.path ? -1 : 1)),
  )
  const block = new Uint8Array(256 * 1024).fill(7)
  const context = { fleet: root.fleetId, rootVersion: 1, epoch: 1, authorised: () => true }
  let next = 0
  const verifyOne = (one: (typeof many)[number]) => {
    if (!authorised(root, one.envelope, one.release, LIMITS)) throw new Error('not authorised')
  }
  const orderAll = () => {
    let state = emptyChannel(root.fleetId, CHANNEL, 1)
    for (const one of releases) state = order(state, one.release, context).state
    return state.floor
  }
  if (orderAll().top.counter !== 100) throw new Error('the releases were not ordered')
  return [
    {
      name: 'verify one Ed25519 signature of a release',
      per: 1,
      run: () => {
        next = (next + 1) % many.length
        verifyOne(many[next] as (typeof many)[number])
      },
    },
    {
      name: 'the same signature once more, which is remembered',
      per: 1,
      run: () => verifyOne({ envelope, release }),
    },
    {
      name: `decode envelope and header (${bytes.length} bytes)`,
      per: 1,
      run: () => decodeHeader(decodeEnvelope(bytes, LIMITS.maxEnvelopeBytes, LIMITS).payload, LIMITS),
    },
    {
      name: `decode a manifest page of 1,000 files (${page.length} bytes)`,
      per: 1,
      run: () => decodePage(page, LIMITS),
    },
    { name: 'order a release (rules alone, no signature)', per: releases.length, run: orderAll },
    { name: 'sha256 of 256 KiB', per: 1, run: () => createHash('sha256').update(block).digest() },
  ]
}

const MIN_CPU_NS = 300e6
const ALLOCATION_BATCHES = 101
const LARGE_BYTES = 100_000

/** @returns the store's bench, and what closes it */
async function stored(): Promise<{ readonly bench: Bench; readonly close: () => Promise<void> }> {
  const root = rootFor()
  const dir = mkdtempSync(join(tmpdir(), 'confmesh-bench-'))
  const store = new LevelStore({
    dir: join(dir, 'store'),
    floorDir: join(dir, 'floor'),
    limits: LIMITS,
    log: { note: () => undefined },
  })
  await store.open()
  await store.load()
  let counter = 0
  const bench: Bench = {
    name: 'store a release of one 4 KiB block (LevelDB and floor file, synced)',
    per: 1,
    run: async () => {
      counter += 1
      const { envelope, release } = signed(root, counter)
      const bytes = new Uint8Array(4096).fill(counter % 251)
      const publisher = release.header.publisher
      await store.commit(
        [
          { kind: 'envelope', release: release.id, channel: CHANNEL, bytes: encodeEnvelope(envelope) },
          {
            kind: 'floor',
            floor: {
              fleet: root.fleetId,
              channel: CHANNEL,
              top: { epoch: 1, counter, publisher },
              ids: [release.id],
            },
          },
          { kind: 'block', digest: sha256(bytes), bytes },
          { kind: 'whole', release: release.id },
        ],
        true,
      )
    },
  }
  const close = async () => {
    await store.close()
    rmSync(dir, { recursive: true, force: true })
  }
  return { bench, close }
}

const heapBytes = (): number => {
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Median growth of one call over many batches; a batch that a collection fell into lies far from it and does not count. */
async function growth(run: () => unknown, calls: number): Promise<number> {
  const grown: number[] = []
  for (let i = 0; i < ALLOCATION_BATCHES; i++) {
    const before = heapBytes()
    for (let call = 0; call < calls; call++) await run()
    grown.push((heapBytes() - before) / calls)
  }
  return spread(grown).p50
}

/** What the measuring itself allocates is taken off. Where one call fills the young generation alone, calls are taken singly. */
async function allocated(run: () => unknown, per: number): Promise<number> {
  const calls = (await growth(run, 1)) > LARGE_BYTES ? 1 : 10
  const own = await growth(() => undefined, calls)
  return Math.max(0, Math.round(((await growth(run, calls)) - own) / per))
}

async function measureOne({ name, run, per }: Bench, runs: number): Promise<Figure> {
  const medians: number[] = []
  for (let i = 0; i < runs; i++) {
    const stats = await measure(run, { min_cpu_time: MIN_CPU_NS } as Parameters<typeof measure>[1])
    medians.push((per * 1e9) / stats.p50)
  }
  return { name, opsPerSecond: spread(medians), allocatedBytes: await allocated(run, per) }
}

export async function micro({ quick }: { readonly quick: boolean }): Promise<Measured> {
  const runs = quick ? 2 : 15
  const figures: Figure[] = []
  for (const bench of pure()) figures.push(await measureOne(bench, runs))
  const { bench, close } = await stored()
  try {
    figures.push(await measureOne(bench, runs))
  } finally {
    await close()
  }
  const rows = figures.map(
    ({ name, opsPerSecond: { p50, min, max }, allocatedBytes }): Row => ({
      what: name,
      figure: `${p50.toLocaleString('en')} /s (${min.toLocaleString('en')} to ${max.toLocaleString('en')}), ${allocatedBytes.toLocaleString('en')} B`,
    }),
  )
  return {
    about: [
      `one process; each figure is the median of ${runs} runs, each run the median of its samples; in brackets the slowest and the fastest run; bytes allocated per operation, garbage included`,
      'the store is LevelDB on the file system of the temporary folder; signing the release is part of its operation',
    ],
    rows,
    figures,
  }
}
