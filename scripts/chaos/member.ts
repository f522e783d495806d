/** One node of the fleet under chaos: its process, its folders, its proxy, and what is done to them. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { LinkProxy } from './proxy.ts'
import type { Random } from './random.ts'

const LAUNCHER = join(import.meta.dirname, '../../dist/cli/launcher.js')
const DISK_BYTES = 96 * 1024 * 1024
const START_DEADLINE_MS = 60_000

export interface MemberOptions {
  readonly name: string
  readonly dir: string
  readonly config: string
  readonly region: string
  readonly port: number
  readonly proxyPort: number
  readonly apiPort: number
  readonly seeds: readonly string[]
  readonly say: (text: string) => void
}

export class Member {
  readonly name: string
  readonly api: string
  readonly proxy: LinkProxy
  readonly trees: string
  /** Ended though nobody ended it. */
  readonly died: string[] = []
  peerId = ''
  /** A fault of its process is under way. */
  busy = false
  hasDisk = false
  ready = false
  readonly #o: MemberOptions
  readonly #data: string
  #child: ChildProcess | undefined
  #expected = false
  #errors = ''

  constructor(options: MemberOptions) {
    this.#o = options
    this.name = options.name
    this.api = `http://127.0.0.1:${options.apiPort}`
    this.proxy = new LinkProxy(options.port)
    this.trees = join(options.dir, options.name, 'trees')
    this.#data = join(options.dir, options.name, 'data')
    mkdirSync(this.trees, { recursive: true })
    mkdirSync(this.#data, { recursive: true, mode: 0o700 })
  }

  /** The end of what it logged. */
  get lastWords(): string {
    return this.#errors.trim().slice(-600)
  }

  get up(): boolean {
    return this.#child !== undefined
  }

  /** A small disk of its own, where this machine lets us mount one. */
  mount(): boolean {
    try {
      execFileSync(
        'mount',
        ['-t', 'tmpfs', '-o', `size=${DISK_BYTES},mode=0700`, 'confmesh-chaos', this.#data],
        {
          stdio: 'pipe',
        },
      )
      this.hasDisk = true
    } catch {
      this.hasDisk = false
    }
    return this.hasDisk
  }

  async start(): Promise<void> {
    const o = this.#o
    const args = [
      'node',
      '--config',
      o.config,
      '--json',
      '--data',
      this.#data,
      '--api',
      `127.0.0.1:${o.apiPort}`,
    ]
    args.push('--listen', `/ip4/127.0.0.1/tcp/${o.port}`, '--label', `region=${o.region}`)
    for (const seed of o.seeds) args.push('--seed', seed)
    this.#expected = false
    this.ready = false
    const child = spawn(process.execPath, [LAUNCHER, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        CONFMESH_NODE_ANNOUNCE: `/ip4/127.0.0.1/tcp/${o.proxyPort}`,
        CONFMESH_NODE_MATERIALIZE_DIR: this.trees,
        CONFMESH_NODE_LOG_LEVEL: 'warn',
      },
    })
    this.#child = child
    this.#errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-4_000)
    })
    child.once('close', (code, signal) => {
      if (this.#child !== child) return
      this.#child = undefined
      this.ready = false
      if (this.#expected) return
      this.died.push(`${this.name} ended by itself (${code ?? signal}): ${this.#errors.trim().slice(-800)}`)
    })
    const said = new Promise<void>((resolve) =>
      createInterface(child.stdout).once('line', (line) => {
        if (this.#child !== child) return
        this.peerId = (JSON.parse(line) as { peerId: string }).peerId
        this.ready = true
        resolve()
      }),
    )
    // on a machine with more to do than cores it may come later still
    const patience = new Promise<void>((resolve) => setTimeout(resolve, START_DEADLINE_MS).unref())
    await Promise.race([said, patience, new Promise((resolve) => child.once('close', resolve))])
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.#expected = true
    const closed = new Promise((resolve) => child.once('close', resolve))
    child.kill('SIGCONT')
    child.kill(signal)
    await closed
  }

  freeze(frozen: boolean): void {
    this.#child?.kill(frozen ? 'SIGSTOP' : 'SIGCONT')
  }

  deleteStore(): void {
    rmSync(join(this.#data, 'store'), { recursive: true, force: true })
  }

  /** A few bytes of the store's files, anywhere. */
  flipBytes(random: Random): void {
    const store = join(this.#data, 'store')
    if (!existsSync(store)) return
    const files = readdirSync(store).filter((name) => /\.(ldb|log)$/.test(name))
    for (let flips = 0; flips < 3 && files.length > 0; flips++) {
      const path = join(store, random.pick(files))
      const { size } = statSync(path)
      if (size === 0) continue
      const file = openSync(path, 'r+')
      const byte = Buffer.alloc(1)
      const at = Math.floor(random() * size)
      readSync(file, byte, 0, 1, at)
      byte[0] = (byte[0] ?? 0) ^ (1 << Math.floor(random() * 8))
      writeSync(file, byte, 0, 1, at)
      closeSync(file)
    }
  }

  fillDisk(full: boolean): void {
    const filler = join(this.#data, 'filler')
    if (!full) {
      rmSync(filler, { force: true })
      return
    }
    const { bavail, bsize } = statfsSync(this.#data)
    try {
      writeFileSync(filler, Buffer.alloc(bavail * bsize))
    } catch {
      // the node took the last of it meanwhile: full is full
    }
  }

  async end(): Promise<void> {
    await this.kill()
    this.proxy.stop()
    if (this.hasDisk) execFileSync('umount', ['-l', this.#data], { stdio: 'pipe' })
  }
}
