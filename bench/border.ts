/**
 * Wide-area links on one machine: each node is reached through a proxy of its own, which holds back what comes from
 * another region by the one-way delay and counts it. Who dials is told by Linux: /proc says which process owns the
 * other end of a loopback connection, and of a node which port it was told to listen on.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** Beyond it a sender waits, as it would for a full pipe of that length. */
const MAX_UNDERWAY_BYTES = 4 * 1024 * 1024

/** Bytes that crossed from one region into another, as `from→to`. */
export type Crossings = ReadonlyMap<string, number>

/** One end of a connection; without a port it is no node (a publisher), which is at home everywhere. */
interface End {
  readonly region: string
  readonly port?: number
}

export class Border {
  readonly #oneWayMs: number
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()
  readonly #crossed = new Map<string, number>()
  /** Of each node, by the port it listens on. */
  readonly #regions = new Map<number, string>()
  readonly #entered = new Map<number, number>()

  constructor(oneWayMs: number) {
    this.#oneWayMs = oneWayMs
  }

  crossings(): Crossings {
    return new Map(this.#crossed)
  }

  /** What came to the node that listens on this port out of other regions. */
  entered(port: number): number {
    return this.#entered.get(port) ?? 0
  }

  /** @returns the port at which others reach the node that listens on `port`, also once it is started anew */
  async before(port: number, region: string): Promise<number> {
    this.#regions.set(port, region)
    const server = createServer({ pauseOnConnect: true }, (socket) => this.#accept(socket, { port, region }))
    this.#servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return (server.address() as { port: number }).port
  }

  end(): void {
    for (const socket of this.#sockets) socket.destroy()
    for (const server of this.#servers) server.close()
  }

  #accept(inbound: Socket, node: End & { readonly port: number }): void {
    const dialler = this.#dialler(inbound.remotePort ?? 0) ?? { region: node.region }
    const outbound = connect(node.port, '127.0.0.1')
    this.#carry(inbound, outbound, dialler, node)
    this.#carry(outbound, inbound, node, dialler)
  }

  /** Undefined: no node. */
  #dialler(remotePort: number): End | undefined {
    const inode = inodeOf(remotePort)
    if (inode === undefined) return undefined
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const port = listensOn(pid)
      const region = port === undefined ? undefined : this.#regions.get(port)
      if (port !== undefined && region !== undefined && holds(pid, `socket:[${inode}]`))
        return { port, region }
    }
    return undefined
  }

  #carry(source: Socket, target: Socket, { region: from }: End, { region: to, port }: End): void {
    const delayMs = from === to ? 0 : this.#oneWayMs
    let underwayBytes = 0
    this.#sockets.add(source)
    source.setNoDelay(true)
    source.on('data', (part: Buffer) => {
      if (from !== to) {
        add(this.#crossed, `${from}→${to}`, part.length)
        if (port !== undefined) add(this.#entered, port, part.length)
      }
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

function add<K>(counts: Map<K, number>, key: K, bytes: number): void {
  counts.set(key, (counts.get(key) ?? 0) + bytes)
}

/** Of the socket that is bound to this loopback port and connected. */
function inodeOf(port: number): string | undefined {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .find((row) => row[1] === local)?.[9]
}

/** By its command line, which it has from its first moment: a node dials before it says that it is ready. */
export const portOf = (words: readonly string[]): number | undefined => {
  const [, port] = /\/tcp\/(\d+)$/.exec(words[words.indexOf('--listen') + 1] ?? '') ?? []
  return words.includes('--listen') && port !== undefined ? Number(port) : undefined
}

function listensOn(pid: string): number | undefined {
  try {
    return portOf(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0'))
  } catch {
    return undefined // ended while we looked
  }
}

function holds(pid: string, link: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === link)
  } catch {
    return false // ended, or closed a file, while we looked
  }
}
