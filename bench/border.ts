/**
 * Wide-area links on one machine: each node is reached through a proxy of its own, which holds back what comes from
 * another region by the one-way delay and counts it. Who dials is told by Linux: /proc says which process owns the
 * other end of a loopback connection.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** Beyond it a sender waits, as it would for a full pipe of that length. */
const MAX_UNDERWAY_BYTES = 4 * 1024 * 1024

export interface BorderOptions {
  readonly oneWayMs: number
  /** Region of a process; undefined: no node (a publisher), which is at home everywhere. */
  readonly regionOf: (pid: number) => string | undefined
  /** Processes that may dial. */
  readonly pids: () => readonly number[]
}

/** Bytes that crossed from one region into another, as `from→to`. */
export type Crossings = ReadonlyMap<string, number>

export class Border {
  readonly #options: BorderOptions
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()
  readonly #crossed = new Map<string, number>()

  constructor(options: BorderOptions) {
    this.#options = options
  }

  crossings(): Crossings {
    return new Map(this.#crossed)
  }

  /** @returns the port at which others reach the node that listens on `port` */
  async before(port: number, region: string): Promise<number> {
    const server = createServer({ pauseOnConnect: true }, (socket) => this.#accept(socket, port, region))
    this.#servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as { port: number }).port
  }

  end(): void {
    for (const socket of this.#sockets) socket.destroy()
    for (const server of this.#servers) server.close()
  }

  #accept(inbound: Socket, port: number, region: string): void {
    const pid = ownerOf(inbound.remotePort ?? 0, this.#options.pids())
    const from = (pid === undefined ? undefined : this.#options.regionOf(pid)) ?? region
    const outbound = connect(port, '127.0.0.1')
    this.#carry(inbound, outbound, from, region)
    this.#carry(outbound, inbound, region, from)
  }

  #carry(source: Socket, target: Socket, from: string, to: string): void {
    const delayMs = from === to ? 0 : this.#options.oneWayMs
    let underwayBytes = 0
    this.#sockets.add(source)
    source.setNoDelay(true)
    source.on('data', (part: Buffer) => {
      if (from !== to)
        this.#crossed.set(`${from}→${to}`, (this.#crossed.get(`${from}→${to}`) ?? 0) + part.length)
      if (delayMs === 0) {
        if (!target.write(part)) pauseUntilDrained(source, target)
        return
      }
      underwayBytes += part.length
      if (underwayBytes > MAX_UNDERWAY_BYTES) source.pause()
      setTimeout(() => {
        underwayBytes -= part.length
        if (underwayBytes <= MAX_UNDERWAY_BYTES) source.resume()
        if (target.writable) target.write(part)
      }, delayMs)
    })
    source.on('end', () => setTimeout(() => target.end(), delayMs))
    source.on('error', () => target.destroy())
    source.on('close', () => {
      this.#sockets.delete(source)
      setTimeout(() => target.destroy(), delayMs)
    })
    source.resume()
  }
}

function pauseUntilDrained(source: Socket, target: Socket): void {
  source.pause()
  target.once('drain', () => source.resume())
}

/** The process whose socket is bound to this loopback port and connected. */
function ownerOf(port: number, pids: readonly number[]): number | undefined {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const inode = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .find((row) => row[1] === local)?.[9]
  return inode === undefined ? undefined : pids.find((pid) => holds(pid, `socket:[${inode}]`))
}

function holds(pid: number, link: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === link)
  } catch {
    return false // ended, or closed a file, while we looked
  }
}
