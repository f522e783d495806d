/**
 * `npm run bench:large -- --bytes 4GiB` or `--files 100000`: one release of that size through a seed and two nodes, all real
 * processes on this machine: times, memory, and what a change of one file sends. Writes bench/results/large-4GiB.json or
 * large-100000-files.json.
 */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { optionsOf, wholeNumber } from '../scripts/options.ts'
import { converged, type InitResult, RealFleet, type RealNode } from '../test/e2e/real-fleet.ts'
import { total } from './metrics.ts'
import { loadNow, type Row, write } from './results.ts'

const CHANNEL = 'data/large'
const LAUNCHER = join(import.meta.dirname, '../dist/cli/launcher.js')
const MIB = 2 ** 20
const DEADLINE_MS = 3_600_000
const SMALL_FILE_BYTES = 700
const SAMPLE_MS = 200

const { values } = optionsOf({ options: { files: { type: 'string' }, bytes: { type: 'string' } } })

function bytesOf(text: string): number {
  const [, number, unit = 'B'] = /^(\d+)(B|KiB|MiB|GiB)?$/.exec(text) ?? []
  const bytes = Number(number) * ({ B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }[unit] ?? 1)
  if (bytes > 0) return bytes
  console.error(`--bytes ${text}: expected a size such as 4GiB (B, KiB, MiB, GiB)`)
  return process.exit(2)
}

/** Pseudo-random words: fast to make; some stretches repeat, as `uploadedBytes` shows. */
function fill(buffer: Buffer, state: number): number {
  let next = state | 1
  for (let at = 0; at + 4 <= buffer.length; at += 4) {
    next ^= next << 13
    next ^= next >>> 17
    next ^= next << 5
    buffer.writeInt32LE(next, at)
  }
  return next
}

function oneFile(dir: string, bytes: number): void {
  mkdirSync(dir, { recursive: true })
  const file = openSync(join(dir, 'data.bin'), 'w')
  const buffer = Buffer.alloc(8 * MIB)
  let state = 1
  for (let left = bytes; left > 0; left -= buffer.length) {
    state = fill(buffer, state)
    writeSync(file, buffer.subarray(0, Math.min(left, buffer.length)))
  }
  closeSync(file)
}

function manyFiles(dir: string, files: number): void {
  for (let at = 0; at < files; at += 1) {
    const folder = join(
      dir,
      `group-${String(at % 100).padStart(2, '0')}`,
      `set-${String(Math.floor(at / 100) % 50)}`,
    )
    mkdirSync(folder, { recursive: true })
    writeFileSync(
      join(folder, `file-${String(at)}.yaml`),
      `name: file-${String(at)}\n`.padEnd(SMALL_FILE_BYTES, `x${String(at)} `),
    )
  }
}

/** Greatest resident memory of a process so far, or of what is resident now its own; MiB. 0 where it is gone. */
const memoryMiB = (pid: number, what: 'VmHWM' | 'RssAnon'): number => {
  try {
    const text = readFileSync(`/proc/${String(pid)}/status`, 'utf8')
    return Math.round(Number(new RegExp(`^${what}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1024)
  } catch {
    return 0
  }
}

/**
 * Greatest memory of its own that each process was seen to have: what the kernel cannot take back, unlike the pages of the
 * store's tables that it maps.
 */
function watchOwn(nodes: readonly RealNode[]): { stop(): Readonly<Record<string, number>> } {
  const peaks: Record<string, number> = {}
  const look = (): void => {
    for (const { name, process: child } of nodes)
      peaks[name] = Math.max(peaks[name] ?? 0, memoryMiB(child.pid ?? 0, 'RssAnon'))
  }
  const sampler = setInterval(look, SAMPLE_MS).unref()
  return {
    stop() {
      clearInterval(sampler)
      return peaks
    },
  }
}

interface Published {
  readonly release: string
  readonly uploadedBytes: number
  readonly seconds: number
  readonly peakRssMiB: number
}

async function publish(dir: string, init: InitResult): Promise<Published> {
  const start = performance.now()
  const args = [
    'publish',
    CHANNEL,
    dir,
    '--key',
    init.publisherKey,
    '--seed',
    init.seedAddress,
    '--yes',
    '--json',
  ]
  const child = spawn(process.execPath, [LAUNCHER, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more
  })
  let peakRssMiB = 0
  const sampler = setInterval(() => {
    peakRssMiB = Math.max(peakRssMiB, memoryMiB(child.pid ?? 0, 'VmHWM'))
  }, SAMPLE_MS)
  await new Promise((resolve) => child.once('close', resolve))
  clearInterval(sampler)
  const said = JSON.parse(text) as { release?: string; uploadedBytes: number; error?: { message: string } }
  if (said.release === undefined) throw new Error(said.error?.message ?? text)
  return { release: said.release, uploadedBytes: said.uploadedBytes, seconds: seconds(start), peakRssMiB }
}

const seconds = (start: number): number => Number(((performance.now() - start) / 1000).toFixed(1))

const received = (nodes: readonly RealNode[]): Promise<number[]> =>
  Promise.all(nodes.map(({ api }) => total(api, 'confmesh_network_received_bytes_total')))

interface Figures {
  readonly files: number
  readonly bytes: number
  readonly first: Published
  readonly activeSeconds: number
  readonly listSeconds: number
  readonly listBytes: number
  readonly second: Published
  readonly secondActiveSeconds: number
  /** Received by each node for the change. */
  readonly changeBytes: readonly number[]
  /** Greatest resident memory of each process, MiB. */
  readonly peaks: Readonly<Record<string, number>>
  /** Of that its own, sampled. */
  readonly ownPeaks: Readonly<Record<string, number>>
}

async function startAll(fleet: RealFleet, init: InitResult): Promise<[RealNode, RealNode, RealNode]> {
  const seed = await fleet.start('seed', init.seedConfig)
  // The first shows its files to applications, the second only serves them.
  process.env.CONFMESH_NODE_MATERIALIZE_DIR = join(fleet.dir, 'files')
  const one = await fleet.startNode('node1', init)
  delete process.env.CONFMESH_NODE_MATERIALIZE_DIR
  return [seed, one, await fleet.startNode('node2', init)]
}

/** Seconds until it is active everywhere. */
async function active(nodes: readonly RealNode[], release: string): Promise<number> {
  const start = performance.now()
  await converged(nodes, CHANNEL, release, DEADLINE_MS)
  return seconds(start)
}

async function listed({ api }: RealNode): Promise<Pick<Figures, 'listSeconds' | 'listBytes'>> {
  const start = performance.now()
  const list = await fetch(`${api}/v1/channels/${encodeURIComponent(CHANNEL)}/files`)
  const listBytes = (await list.text()).length
  return { listSeconds: seconds(start), listBytes }
}

/** 1 KiB in the middle of the large file, or 100 bytes of a small one. */
function changeOne(dir: string, files: number, bytes: number): void {
  const path = join(dir, files > 0 ? 'group-00/set-0/file-0.yaml' : 'data.bin')
  const handle = openSync(path, 'r+')
  writeSync(handle, Buffer.alloc(files > 0 ? 100 : 1024, 9), 0, undefined, Math.floor(bytes / 3))
  closeSync(handle)
}

async function measure(fleet: RealFleet, files: number, bytes: number): Promise<Figures> {
  const dir = join(fleet.dir, 'content')
  if (files > 0) manyFiles(dir, files)
  else oneFile(dir, bytes)
  const init = await fleet.init()
  const all = await startAll(fleet, init)
  const [seed, ...nodes] = all
  const own = watchOwn(all)
  const first = await publish(dir, init)
  process.stdout.write(
    `  acknowledged after ${String(first.seconds)} s, publisher ${String(first.peakRssMiB)} MiB\n`,
  )
  const activeSeconds = await active(all, first.release)
  process.stdout.write(`  active everywhere ${String(activeSeconds)} s later\n`)
  const list = await listed(seed)
  const earlier = await received(nodes)
  changeOne(dir, files, bytes)
  const second = await publish(dir, init)
  const secondActiveSeconds = await active(all, second.release)
  await delay(1_000)
  const changeBytes = (await received(nodes)).map((now, at) => now - (earlier[at] ?? 0))
  const peaks = Object.fromEntries(all.map((node) => [node.name, memoryMiB(node.process.pid ?? 0, 'VmHWM')]))
  const figures = { files, bytes, first, activeSeconds, ...list, second, secondActiveSeconds, changeBytes }
  return { ...figures, peaks, ownPeaks: own.stop() }
}

const ABOUT = [
  'one release through a seed and two nodes, real processes on one machine; greatest resident memory of each process (VmHWM), and of that its own (RssAnon, five times a second): the rest are the store’s tables, which the kernel maps and takes back; the publisher reads, hashes and uploads',
  'then one file is changed (1 KiB in the large file, 100 bytes in a small one) and published again; bytes are all that libp2p connections received, idle traffic included',
]

function rowsOf(figures: Figures): Row[] {
  const { first, second, peaks, ownPeaks, changeBytes } = figures
  const memory = `${String(first.peakRssMiB)} · ${String(peaks.seed)} · ${String(peaks.node1)}, ${String(peaks.node2)}`
  const times = `${String(second.seconds)} · ${String(figures.secondActiveSeconds)}`
  return [
    { what: 'publish: read, uploaded and acknowledged by the seed, s', figure: String(first.seconds) },
    {
      what: 'from there until active on the seed and both nodes, s',
      figure: String(figures.activeSeconds),
    },
    { what: 'greatest resident memory, MiB: publisher · seed · nodes', figure: memory },
    {
      what: 'of that their own, MiB: seed · nodes',
      figure: `${ownPeaks.seed} · ${ownPeaks.node1}, ${ownPeaks.node2}`,
    },
    {
      what: 'list of files through the API: s, bytes',
      figure: `${String(figures.listSeconds)}, ${String(figures.listBytes)}`,
    },
    {
      what: 'a small change: uploaded bytes · received by each node',
      figure: `${String(second.uploadedBytes)} · ${changeBytes.join(', ')}`,
    },
    { what: 'a small change: publish · until active everywhere, s', figure: times },
  ]
}

async function run(): Promise<void> {
  if ((values.bytes === undefined) === (values.files === undefined)) {
    console.error('--bytes SIZE or --files NUMBER: expected one of them')
    process.exit(2)
  }
  const bytes = values.bytes === undefined ? 0 : bytesOf(values.bytes)
  const files = values.files === undefined ? 0 : wholeNumber('files', values.files)
  const before = loadNow()
  const fleet = new RealFleet()
  try {
    const figures = await measure(fleet, files, bytes)
    const name = files > 0 ? `large-${String(files)}-files` : `large-${values.bytes ?? ''}`
    const option = files > 0 ? `--files ${String(files)}` : `--bytes ${values.bytes ?? ''}`
    const origin = { name, isQuick: false, command: `npm run bench:large -- ${option}` }
    write(origin, before, { about: ABOUT, rows: rowsOf(figures), figures })
    for (const { what, figure } of rowsOf(figures)) process.stdout.write(`  ${what}: ${figure}\n`)
  } finally {
    await fleet.end()
  }
}

await run()
