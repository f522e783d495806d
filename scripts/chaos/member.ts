/** One node of the fleet under chaos: its process, its folders, and how long nothing has been done to it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { behind } from './priority.ts'

/** Of it 64 MiB are not for content. */
const DISK_BYTES = 160 * 1024 * 1024
/** A stop that takes longer is no clean one. */
const STOP_MS = 30_000

export interface MemberOptions {
  readonly name: string
  readonly dir: string
  readonly config: string
  readonly region: string
  readonly port: number
  readonly proxyPort: number
  readonly apiPort: number
  /** Grows as seeds come up. */
  readonly seeds: readonly string[]
  readonly launcher: string
}

export class Member {
  readonly name: string
  readonly region: string
  readonly api: string
  readonly trees: string
  readonly data: string
  /** Ended though nobody ended it, or not cleanly when asked to. */
  readonly failures: string[] = []
  peerId = ''
  /** A fault of its process is under way. */
  busy = false
  hasDisk = false
  ready = false
  /** Grows with whatever is done to its process. */
  life = 0
  launcher: string
  readonly #o: MemberOptions
  #child: ChildProcess | undefined
  #expected = false
  #errors = ''
  #troubles = 0
  #calmSinceMs = 0

  constructor(options: MemberOptions) {
    this.#o = options
    this.name = options.name
    this.region = options.region
    this.launcher = options.launcher
    this.api = `http://127.0.0.1:${options.apiPort}`
    this.trees = join(options.dir, options.name, 'trees')
    this.data = join(options.dir, options.name, 'data')
    mkdirSync(this.trees, { recursive: true })
    mkdirSync(this.data, { recursive: true, mode: 0o700 })
  }

  /** The end of what it logged. */
  get lastWords(): string {
    return this.#errors.trim().slice(-600)
  }

  get up(): boolean {
    return this.#child !== undefined
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get address(): string {
    return `/ip4/127.0.0.1/tcp/${this.#o.proxyPort}/p2p/${this.peerId}`
  }

  /** For how long it has been up and nothing was done to it or its links; 0 while something is. */
  get calmMs(): number {
    return this.ready && this.#troubles === 0 ? performance.now() - this.#calmSinceMs : 0
  }

  /** Something is done to it until what is given back is called. */
  trouble(): () => void {
    this.#troubles += 1
    return () => {
      this.#troubles -= 1
      this.#calmSinceMs = performance.now()
    }
  }

  /** A small disk of its own, where this machine lets us mount one. */
  mount(): void {
    const args = ['-t', 'tmpfs', '-o', `size=${DISK_BYTES},mode=0700`, 'confmesh-chaos', this.data]
    try {
      execFileSync('mount', args, { stdio: 'pipe' })
      this.hasDisk = true
    } catch {
      this.hasDisk = false
    }
  }

  /** @param deadlineMs it may come later still: on a machine with more to do than cores it does */
  async start(deadlineMs: number): Promise<void> {
    const o = this.#o
    const args = ['node', '--config', o.config, '--json', '--data', this.data]
    args.push('--api', `127.0.0.1:${o.apiPort}`, '--listen', `/ip4/127.0.0.1/tcp/${o.port}`)
    args.push('--label', `region=${o.region}`)
    for (const seed of o.seeds) args.push('--seed', seed)
    this.life += 1
    this.#expected = false
    this.ready = false
    const child = spawn(process.execPath, [this.launcher, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        CONFMESH_NODE_ANNOUNCE: `/ip4/127.0.0.1/tcp/${o.proxyPort}`,
        CONFMESH_NODE_MATERIALIZE_DIR: this.trees,
        CONFMESH_NODE_LOG_LEVEL: 'warn',
      },
    })
    behind(child)
    this.#child = child
    this.#errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-4_000)
    })
    const closed = new Promise<void>((resolve) =>
      child.once('close', (code, signal) => {
        this.#closed(child, code ?? signal)
        resolve()
      }),
    )
    const said = new Promise<void>((resolve) =>
      createInterface(child.stdout).once('line', (line) => {
        if (this.#child === child) this.#isReady(line)
        // the reason of a start that failed is said here
        if (!this.ready) this.#errors += `${line}\n`
        resolve()
      }),
    )
    const patience = new Promise<void>((resolve) => setTimeout(resolve, deadlineMs).unref())
    await Promise.race([said, patience, closed])
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    this.life += 1
    this.#expected = true
    const closed = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
    child.kill('SIGCONT')
    child.kill(signal)
    const patience = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    const code = await closed
    clearTimeout(patience)
    if (signal === 'SIGTERM' && code !== 0)
      this.failures.push(`${this.name} did not stop cleanly (${code}): ${this.lastWords}`)
  }

  freeze(frozen: boolean): void {
    this.life += 1
    this.#child?.kill(frozen ? 'SIGSTOP' : 'SIGCONT')
  }

  async end(): Promise<void> {
    await this.kill()
    if (this.hasDisk) execFileSync('umount', ['-l', this.data], { stdio: 'pipe' })
  }

  #isReady(line: string): void {
    const said = JSON.parse(line) as { event?: string; peerId: string }
    if (said.event !== 'ready') return // an error: its end follows
    this.peerId = said.peerId
    this.ready = true
    this.#calmSinceMs = performance.now()
  }

  #closed(child: ChildProcess, how: number | string | null): void {
    if (this.#child !== child) return
    this.#child = undefined
    this.ready = false
    if (!this.#expected) this.failures.push(`${this.name} ended by itself (${how}): ${this.lastWords}`)
  }
}
