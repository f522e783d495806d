/** Real nodes, several to a process: as many of them fit on one machine as a fleet of one process a node would not. */
import { type ChildProcess, spawn } from 'node:child_process'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface CrowdOptions {
  /** Configuration that all of them share. */
  readonly config: string
  /** Where their data folders lie. */
  readonly dir: string
  readonly nodes: number
  /** With one core to a process and hundreds of nodes its event loop is what is measured. */
  readonly nodesAProcess: number
  /** Priority of the processes, from 0 to 19; by default that of whoever starts them. */
  readonly niceness?: number
  /** Awaited after each process; `nodes`: so many have been started. */
  readonly stand?: (nodes: number) => Promise<void>
}

export class Crowd {
  readonly apis: string[] = []
  readonly children: ChildProcess[] = []
  readonly #arrivals: Arrivals

  constructor(arrivals: Arrivals) {
    this.#arrivals = arrivals
  }

  /** One process after another, so that none starves the handshakes of those before. */
  async start({ config, dir, nodes, nodesAProcess, niceness, stand }: CrowdOptions): Promise<void> {
    for (let first = 1; first <= nodes; first += nodesAProcess) {
      const count = Math.min(nodesAProcess, nodes - first + 1)
      const options = ['--config', config, '--dir', dir, '--first', `${first}`, '--count', `${count}`]
      const child = spawn(process.execPath, [join(import.meta.dirname, 'many-nodes.ts'), ...options], {
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      this.children.push(child)
      if (niceness !== undefined && child.pid !== undefined) setPriority(child.pid, niceness)
      this.#arrivals.listen(child)
      const line = await new Promise<string>((resolve, reject) => {
        createInterface(child.stdout).once('line', resolve)
        child.once('close', (code) => reject(new Error(`nodes ended with ${code}`)))
      })
      this.apis.push(...(JSON.parse(line) as { apis: string[] }).apis)
      await stand?.(first + count - 1)
    }
  }

  end(): void {
    for (const child of this.children) child.kill('SIGKILL')
  }
}

/** Times at which nodes ran a release, read off their logs: asking them would be part of what is measured. */
export class Arrivals {
  readonly #at = new Map<string, number[]>()
  #wake = () => {}

  listen(child: ChildProcess): void {
    if (child.stderr === null) return
    createInterface(child.stderr).on('line', (line) => {
      if (!line.includes('"RELEASE_ACTIVE"')) return
      const { release } = JSON.parse(line) as { release: string }
      this.#at.set(release, [...this.soFar(release), Date.now()])
      this.#wake()
    })
  }

  soFar(release: string): readonly number[] {
    return this.#at.get(release) ?? []
  }

  /** @throws Error where fewer ran it in time */
  async of(release: string, nodes: number, deadlineMs: number): Promise<readonly number[]> {
    const over = AbortSignal.timeout(deadlineMs)
    over.addEventListener('abort', () => this.#wake())
    for (;;) {
      const at = this.soFar(release)
      if (at.length >= nodes) return at
      if (over.aborted) throw new Error(`${at.length} of ${nodes} nodes ran ${release} in ${deadlineMs} ms`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
