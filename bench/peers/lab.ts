/**
 * Two network namespaces joined by one wire: the origin alone on one side, all subscribers on the other. What the
 * origin sends is what its end of the wire has counted, retransmissions and handshakes included; what subscribers say
 * to one another passes their own loopback, which counts too. Needs root, `ip` (iproute2) and /proc.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { cpuSeconds } from '../processes.ts'
import { program } from './program.ts'

export type Side = 'origin' | 'fleet'

export const ORIGIN_ADDRESS = '10.77.0.2'
const FLEET_ADDRESS = '10.77.0.1'

/** Linux counts memory in these. */
const PAGE_BYTES = 4096

export interface Usage {
  readonly originBytes: number
  readonly allBytes: number
  readonly cpuMs: number
}

export class Lab {
  readonly dir = mkdtempSync(join(tmpdir(), 'confmesh-peers-'))
  readonly #names: Readonly<Record<Side, string>>
  readonly #children: ChildProcess[] = []
  #inodes: Readonly<Record<Side, string>> = { origin: '', fleet: '' }

  constructor() {
    this.#names = { origin: `cm-origin-${process.pid}`, fleet: `cm-fleet-${process.pid}` }
  }

  /** Why there can be no lab on this machine; undefined: there can. */
  static missing(): string | undefined {
    if (process.getuid?.() !== 0) return 'network namespaces need root'
    return program('ip', 'iproute2')
  }

  start(): void {
    const { origin, fleet } = this.#names
    for (const name of [origin, fleet]) ip('netns', 'add', name)
    ip('link', 'add', 'wire', 'netns', origin, 'type', 'veth', 'peer', 'name', 'wire', 'netns', fleet)
    for (const [name, address] of [
      [origin, ORIGIN_ADDRESS],
      [fleet, FLEET_ADDRESS],
    ] as const) {
      ip('-n', name, 'addr', 'add', `${address}/24`, 'dev', 'wire')
      for (const link of ['lo', 'wire']) ip('-n', name, 'link', 'set', link, 'up')
    }
    const inode = (name: string) =>
      execFileSync('ip', ['netns', 'exec', name, 'readlink', '/proc/self/ns/net']).toString().trim()
    this.#inodes = { origin: inode(origin), fleet: inode(fleet) }
  }

  spawn(side: Side, argv: readonly string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.#names[side], ...argv], {
      stdio: ['pipe', 'pipe', 'inherit'],
      cwd: this.dir,
    })
    this.#children.push(child)
    return child
  }

  usage(): Usage {
    const origin = this.#sent('origin', 'wire')
    const all = origin + this.#sent('fleet', 'wire') + this.#sent('fleet', 'lo') + this.#sent('origin', 'lo')
    const cpuMs = [...this.#processes('origin'), ...this.#processes('fleet')].reduce(
      (sum, pid) => sum + cpuMsOf(pid),
      0,
    )
    return { originBytes: origin, allBytes: all, cpuMs }
  }

  /** Resident memory of a side, all its processes. */
  rssBytes(side: Side): number {
    return this.#processes(side).reduce((sum, pid) => sum + rssOf(pid), 0)
  }

  stop(): void {
    for (const side of ['origin', 'fleet'] as const)
      for (const pid of this.#processes(side)) {
        try {
          process.kill(pid, 'SIGKILL')
        } catch {
          // it has just ended by itself
        }
      }
    for (const child of this.#children) child.kill('SIGKILL')
    for (const name of Object.values(this.#names)) ip('netns', 'del', name)
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 })
  }

  #sent(side: Side, link: string): number {
    const name = this.#names[side]
    const shown = execFileSync('ip', ['-n', name, '-s', '-j', 'link', 'show', link]).toString()
    const [{ stats64 }] = JSON.parse(shown) as [{ stats64: { tx: { bytes: number } } }]
    return stats64.tx.bytes
  }

  #processes(side: Side): readonly number[] {
    const wanted = this.#inodes[side]
    if (wanted === '') return []
    return readdirSync('/proc').flatMap((name) => {
      const pid = Number(name)
      if (!Number.isInteger(pid)) return []
      try {
        return readlinkSync(`/proc/${pid}/ns/net`) === wanted ? [pid] : []
      } catch {
        return []
      }
    })
  }
}

const ip = (...argv: string[]): void => {
  execFileSync('ip', argv, { stdio: ['ignore', 'ignore', 'pipe'] })
}

function cpuMsOf(pid: number): number {
  try {
    return cpuSeconds(pid) * 1_000
  } catch {
    return 0 // it has just ended
  }
}

function rssOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES
  } catch {
    return 0
  }
}

/** What a program in the lab says: one JSON value a line. */
export interface Said {
  /** So many subscribers are connected. */
  readonly ready?: number
  /** A subscriber has the whole payload with this number, by the wall clock of the one machine. */
  readonly got?: number
  readonly atMs?: number
  /** Of a tracker: torrents that somebody has. */
  readonly swarms?: number
  /** Anything a system's two sides have to tell one another. */
  readonly about?: string
}

/** A program of ours in the lab (`worker.ts`): commands go in as JSON lines, what it says comes out. */
export class Program {
  readonly #child: ChildProcess
  readonly said: Said[] = []

  constructor(lab: Lab, side: Side, system: string, role: string, options: object) {
    const worker = join(import.meta.dirname, 'worker.ts')
    this.#child = lab.spawn(side, [process.execPath, worker, system, role, JSON.stringify(options)])
    const { stdout } = this.#child
    if (stdout === null) throw new Error('a program without an output')
    createInterface({ input: stdout }).on('line', (line) => this.said.push(JSON.parse(line) as Said))
  }

  tell(command: object): void {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`)
  }

  get ended(): boolean {
    return this.#child.exitCode !== null
  }
}
