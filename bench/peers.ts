/**
 * The same job by confmesh and by what one would pick instead: from one origin to N subscribers on this machine.
 * `npm run bench -- peers`; needs root for network namespaces, and takes what Debian and npm packages are there: what is not run
 * is said, and where nothing can be, or confmesh failed, that ends in exit 1.
 */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { aria2 } from './peers/aria2.ts'
import { confmesh } from './peers/confmesh.ts'
import { etcd } from './peers/etcd.ts'
import { gossipsub } from './peers/gossipsub.ts'
import { hypercore } from './peers/hypercore.ts'
import { Lab, type Usage } from './peers/lab.ts'
import { nats } from './peers/nats.ts'
import { nginxPoll, nginxSse } from './peers/nginx.ts'
import { nowMs, type Running, SEQ_DIGITS, type System, until } from './peers/system.ts'
import { drawEgress } from './peers-plot.ts'
import type { Measured } from './results.ts'
import { type Spread, spread } from './spread.ts'

const SYSTEMS: readonly System[] = [confmesh, nginxPoll, nginxSse, nats, etcd, aria2, hypercore, gossipsub]
/** Enough to see that the bench works; the whole takes an hour. */
const QUICK: readonly System[] = [confmesh, nginxSse]
const KIB = 1024
/** Links, meshes and first comparisons come to rest. */
const SETTLE_MS = { quick: 4_000, whole: 8_000 }
/** Before each release: what runs idly is taken off, and it changes as a fleet grows calm. */
const IDLE_MS = 2_500
/** Of one release; a system that needs longer fails there, and gets no larger payload. */
const DEADLINE_MS = 60_000
/** No further release of a cell begins after so long: slow cells have fewer rounds, and say so. */
const CELL_MS = 40_000
/** No further system begins after so long: what is not run is said. */
const WHOLE_MS = 45 * 60_000
/** After the last delivery: what is still on its way (offers, acknowledgements) belongs to the release. */
const TAIL_MS = 500

export interface Case {
  readonly system: string
  readonly subscribers: number
  readonly payloadBytes: number
  /** Rounds that were run. */
  readonly releases: number
  readonly timeMs: Spread
  /** Bytes out of the origin over payload bytes, idle traffic of the same length of time taken off: the median round. */
  readonly originPayloads: number
  readonly originPayloadsMost: number
  readonly bytesPerDeliveredByte: number
  readonly cpuMsPerDelivery: number
  readonly originRssMiB: number
  readonly rssMiBPerSubscriber: number
  readonly failed?: string
}

export interface PeersOptions {
  readonly quick: boolean
  readonly systems?: readonly string[]
  readonly subscribers?: readonly number[]
  readonly bytes?: readonly number[]
  readonly keep?: (soFar: Measured) => void
}

/**
 * @param o.keep is given all there is after every cell: a run that is stopped keeps what it has
 * @throws Error where no system can be run: an earlier result is worth more than one of nothing
 */
export async function peers(o: PeersOptions): Promise<Measured> {
  const skipped: string[] = []
  const cases: Case[] = []
  const endMs = performance.now() + WHOLE_MS
  const keep = (one: Case): void => {
    cases.push(one)
    // what the others cannot do is a result
    if (one.system === confmesh.name && one.failed !== undefined) process.exitCode = 1
    o.keep?.(summed(cases, skipped))
  }
  const skip = (why: string): void => {
    skipped.push(why)
    process.stderr.write(`  ${why}\n`)
  }
  const chosen = (o.quick && o.systems === undefined ? QUICK : SYSTEMS).filter(
    ({ name }) => o.systems === undefined || o.systems.some((start) => name.startsWith(start)),
  )
  const runnable = chosen.filter((system) => {
    const why = Lab.missing() ?? system.missing()
    if (why !== undefined) skip(`${system.name}: not run, ${why}`)
    return why === undefined
  })
  if (runnable.length === 0) throw new Error(['no system can be run', ...skipped].join('\n  '))
  // All systems at one size of the fleet before any at the next: a run that is stopped has whole rows.
  for (const subscribers of o.subscribers ?? (o.quick ? [4] : [10, 40, 100]))
    for (const system of runnable) {
      if (performance.now() > endMs) skip(`${system.name}, N = ${subscribers}: not run, the time was over`)
      else await measured(system, subscribers, o, { keep, skip })
    }
  await drawEgress(cases)
  return summed(cases, skipped)
}

function summed(cases: readonly Case[], skipped: readonly string[]): Measured {
  const about = [
    'one machine: the origin in one network namespace, all subscribers in another, joined by a wire without delay or limit; bytes are those of the network interfaces, retransmissions included, and headers as such a wire counts them, once for up to 64 KiB; those of all are what both ends and the loopback of either side sent, so also what etcd’s gateway says to etcd',
    'time from the moment the publisher was told to the moment a subscriber has the whole payload; CPU of every process on both sides; less what the same processes used in 2.5 s of idleness before each release; medians of the releases, the origin’s greatest in brackets, CPU as a mean',
    `5 releases of 1 and 64 KiB (2 in a quick run), 3 of 1 and 8 MiB; none begins once ${CELL_MS / 1_000} s are over, and each has ${DEADLINE_MS / 1_000} s to reach everybody`,
    ...SYSTEMS.map(({ name, about: how }) => `${name}: ${how}`),
    ...skipped,
  ]
  const rows = cases.map((one) => ({
    what: `${one.system}, N = ${one.subscribers}, ${one.payloadBytes / KIB} KiB, ${one.releases} ${one.releases === 1 ? 'release' : 'releases'}`,
    figure:
      one.failed ??
      `${one.originPayloads} (${one.originPayloadsMost}) payloads from the origin · ${one.bytesPerDeliveredByte} bytes per delivered byte · ${one.cpuMsPerDelivery} ms CPU per delivery · p50 ${one.timeMs.p50} ms, p99 ${one.timeMs.p99} ms · ${one.rssMiBPerSubscriber} MiB a subscriber`,
  }))
  return { about, rows, figures: { cases, skipped } }
}

async function measured(
  system: System,
  subscribers: number,
  o: PeersOptions,
  { keep, skip }: { readonly keep: (one: Case) => void; readonly skip: (why: string) => void },
): Promise<void> {
  const sizes = o.bytes ?? (o.quick ? [64 * KIB] : [KIB, 64 * KIB, 1024 * KIB, 8192 * KIB])
  const lab = new Lab()
  try {
    lab.start()
    const running = await system.start(lab, subscribers, o.quick)
    await delay(o.quick ? SETTLE_MS.quick : SETTLE_MS.whole)
    let seq = 0
    for (const [at, payloadBytes] of sizes.entries()) {
      const releases = o.quick ? 2 : payloadBytes > 512 * KIB ? 3 : 5
      process.stderr.write(`  ${system.name}, N = ${subscribers}, ${payloadBytes / KIB} KiB\n`)
      const one = await series(lab, running, {
        system: system.name,
        subscribers,
        payloadBytes,
        releases,
        firstSeq: seq + 1,
      })
      keep(one)
      seq += releases
      if (one.failed === undefined) continue
      const left = sizes.slice(at + 1).map((bytes) => `${bytes / KIB} KiB`)
      if (left.length > 0)
        skip(`${system.name}, N = ${subscribers}: ${left.join(', ')} not run, the size before failed`)
      break
    }
  } catch (error) {
    keep(failed({ system: system.name, subscribers, payloadBytes: 0, releases: 0 }, error))
  } finally {
    lab.stop()
  }
}

interface Series {
  readonly system: string
  readonly subscribers: number
  readonly payloadBytes: number
  readonly releases: number
  readonly firstSeq: number
}

async function series(lab: Lab, running: Running, s: Series): Promise<Case> {
  const startedMs = nowMs()
  const rounds: Round[] = []
  try {
    while (rounds.length < s.releases && nowMs() - startedMs < CELL_MS)
      rounds.push(await round(lab, running, s, s.firstSeq + rounds.length))
  } catch (error) {
    return failed(s, error)
  }
  const median = (of: (one: Round) => number): Spread => spread(rounds.map(of), 2)
  const originPayloads = median(({ originBytes }) => originBytes / s.payloadBytes)
  return {
    system: s.system,
    subscribers: s.subscribers,
    payloadBytes: s.payloadBytes,
    releases: rounds.length,
    timeMs: spread(rounds.flatMap(({ timesMs }) => timesMs)),
    originPayloads: originPayloads.p50,
    originPayloadsMost: originPayloads.max,
    bytesPerDeliveredByte: median(({ allBytes }) => allBytes / (s.payloadBytes * s.subscribers)).p50,
    // the mean: Linux counts in steps of 10 ms
    cpuMsPerDelivery: Number(
      (rounds.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / (rounds.length * s.subscribers)).toFixed(2),
    ),
    originRssMiB: Number((lab.rssBytes('origin') / 2 ** 20).toFixed(2)),
    rssMiBPerSubscriber: Number((lab.rssBytes('fleet') / 2 ** 20 / s.subscribers).toFixed(2)),
  }
}

interface Round extends Usage {
  readonly timesMs: readonly number[]
}

/** One release, less what runs idly in the same length of time. */
async function round(lab: Lab, running: Running, s: Series, seq: number): Promise<Round> {
  const idle = lab.usage()
  const idleMs = nowMs()
  await delay(IDLE_MS)
  const before = lab.usage()
  const startedMs = nowMs()
  const timesMs = await delivered(lab, running, s, seq)
  await delay(TAIL_MS)
  const after = lab.usage()
  const share = (nowMs() - startedMs) / (startedMs - idleMs)
  const net = (of: (usage: Usage) => number): number =>
    of(after) - of(before) - share * (of(before) - of(idle))
  return {
    timesMs,
    originBytes: net(({ originBytes }) => originBytes),
    allBytes: net(({ allBytes }) => allBytes),
    cpuMs: net(({ cpuMs }) => cpuMs),
  }
}

/** Milliseconds to each subscriber, of one release. */
async function delivered(lab: Lab, running: Running, s: Series, seq: number): Promise<readonly number[]> {
  const path = join(lab.dir, 'next')
  const number = String(seq).padStart(SEQ_DIGITS, '0')
  writeFileSync(
    path,
    `${number}${randomBytes(s.payloadBytes).toString('base64url')}`.slice(0, s.payloadBytes),
  )
  const sentMs = nowMs()
  await running.publish(seq, path)
  const got = await until(`release ${seq} at all ${s.subscribers}`, DEADLINE_MS, () => {
    const heard = running.said().filter((said) => said.got === seq)
    return heard.length >= s.subscribers ? heard : undefined
  })
  return got.map(({ atMs }) => (atMs ?? 0) - sentMs)
}

function failed(s: Omit<Series, 'firstSeq'>, error: unknown): Case {
  const { system, subscribers, payloadBytes, releases } = s
  const none = {
    originPayloads: 0,
    originPayloadsMost: 0,
    bytesPerDeliveredByte: 0,
    cpuMsPerDelivery: 0,
    originRssMiB: 0,
    rssMiBPerSubscriber: 0,
  }
  return {
    system,
    subscribers,
    payloadBytes,
    releases,
    timeMs: spread([]),
    ...none,
    failed: (error as Error).message,
  }
}
