/** Every link to a node goes through its proxy, which cuts and slows: the network that the machine does not have. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** Bytes that wait in a slow link before its sender has to. */
const MAX_WAITING_BYTES = 1024 * 1024
/** Who dials is looked up for all new links of this time at once: one look reads every socket of the machine. */
const LOOK_UP_MS = 100

/** One connection: who dialled it is found by its port among the sockets of the processes in question. */
interface Pair {
  readonly target: string
  readonly inbound: Socket
  readonly outbound: Socket
  readonly delays: Set<{ readonly ms: number }>
}

export class Links {
  readonly #pidOf: (name: string) => number | undefined
  readonly #pairs = new Set<Pair>()
  readonly #servers: Server[] = []
  readonly #cuts = new Set<ReadonlySet<string>>()
  readonly #slow = new Map<{ readonly ms: number }, string>()
  #joining: { readonly target: string; readonly port: number; readonly inbound: Socket }[] = []

  constructor(pidOf: (name: string) => number | undefined) {
    this.#pidOf = pidOf
  }

  /** Whoever dials `proxyPort` reaches the node at `port`. */
  async open(target: string, port: number, proxyPort: number): Promise<void> {
    const server = createServer((inbound) => this.#join(target, port, inbound))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(proxyPort, '127.0.0.1', resolve)
    })
    this.#servers.push(server)
  }

  /** No link between these and all others, in either direction, until what is given back is called. */
  cut(names: ReadonlySet<string>): () => void {
    this.#cuts.add(names)
    const ports = this.#lookUp()(names)
    for (const pair of this.#pairs) if (crosses(pair, names, ports)) destroy(pair)
    return () => this.#cuts.delete(names)
  }

  /** Bytes of all links from and to one node come later by so much, in each direction. */
  slow(name: string, ms: number): () => void {
    const delay = { ms }
    this.#slow.set(delay, name)
    const ports = this.#lookUp()(new Set([name]))
    for (const pair of this.#pairs) if (touches(pair, name, ports)) pair.delays.add(delay)
    return () => {
      this.#slow.delete(delay)
      for (const { delays } of this.#pairs) delays.delete(delay)
    }
  }

  stop(): void {
    for (const pair of this.#pairs) destroy(pair)
    for (const server of this.#servers) server.close()
  }

  #join(target: string, port: number, inbound: Socket): void {
    if (this.#cuts.size === 0 && this.#slow.size === 0) {
      this.#pass(target, port, inbound, [])
      return
    }
    inbound.on('error', () => inbound.destroy())
    if (this.#joining.length === 0) setTimeout(() => this.#joinAll(), LOOK_UP_MS)
    this.#joining.push({ target, port, inbound })
  }

  #joinAll(): void {
    const joining = this.#joining
    this.#joining = []
    const portsOf = this.#lookUp()
    const cuts = [...this.#cuts].map((names) => ({ names, ports: portsOf(names) }))
    const slow = [...this.#slow].map(([delay, name]) => ({ delay, name, ports: portsOf(new Set([name])) }))
    for (const one of joining.filter(({ inbound }) => !inbound.destroyed)) {
      if (cuts.some(({ names, ports }) => crosses(one, names, ports))) one.inbound.destroy()
      else {
        const delays = slow.filter(({ name, ports }) => touches(one, name, ports)).map(({ delay }) => delay)
        this.#pass(one.target, one.port, one.inbound, delays)
      }
    }
  }

  #pass(target: string, port: number, inbound: Socket, delays: readonly { readonly ms: number }[]): void {
    const outbound = connect(port, '127.0.0.1')
    const pair: Pair = { target, inbound, outbound, delays: new Set(delays) }
    this.#pairs.add(pair)
    inbound.once('close', () => this.#pairs.delete(pair))
    pass(inbound, outbound, pair.delays)
    pass(outbound, inbound, pair.delays)
  }

  /** Local ports of nodes' sockets, as /proc tells at this moment. */
  #lookUp(): (names: ReadonlySet<string>) => ReadonlySet<number> {
    const portOf = new Map<string, number>()
    for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
      const [, local = '', , , , , , , , inode = ''] = line.trim().split(/\s+/)
      portOf.set(inode, Number.parseInt(local.split(':')[1] ?? '', 16))
    }
    return (names) => {
      const inodes = [...names].flatMap((name) => socketsOf(this.#pidOf(name)))
      return new Set(inodes.flatMap((inode) => portOf.get(inode) ?? []))
    }
  }
}

type Dialled = Pick<Pair, 'target' | 'inbound'>

const crosses = (pair: Dialled, names: ReadonlySet<string>, ports: ReadonlySet<number>): boolean =>
  names.has(pair.target) !== ports.has(pair.inbound.remotePort ?? -1)

const touches = (pair: Dialled, name: string, ports: ReadonlySet<number>): boolean =>
  pair.target === name || ports.has(pair.inbound.remotePort ?? -1)

function destroy({ inbound, outbound }: Pair): void {
  inbound.destroy()
  outbound.destroy()
}

function socketsOf(pid: number | undefined): string[] {
  if (pid === undefined) return []
  try {
    const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`)
      } catch {
        return '' // closed meanwhile
      }
    })
    return links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? [])
  } catch {
    return [] // ended meanwhile
  }
}

/** Bytes keep their order, however the delay changes meanwhile. */
function pass(from: Socket, to: Socket, delays: ReadonlySet<{ readonly ms: number }>): void {
  const waiting: { readonly atMs: number; readonly bytes: Buffer }[] = []
  let waitingBytes = 0
  let timer: NodeJS.Timeout | undefined
  const send = (): void => {
    timer = undefined
    while (waiting[0] !== undefined && waiting[0].atMs <= performance.now()) {
      const { bytes } = waiting[0]
      waiting.shift()
      waitingBytes -= bytes.length
      if (to.writable && !to.write(bytes)) from.pause()
    }
    const [next] = waiting
    if (next !== undefined) timer = setTimeout(send, Math.max(0, next.atMs - performance.now()) + 1)
    if (!to.writableNeedDrain && waitingBytes < MAX_WAITING_BYTES) from.resume()
  }
  from.setNoDelay(true)
  from.on('data', (bytes) => {
    const delayMs = Math.max(0, ...[...delays].map(({ ms }) => ms))
    const atMs = Math.max(performance.now() + delayMs, waiting.at(-1)?.atMs ?? 0)
    waiting.push({ atMs, bytes })
    waitingBytes += bytes.length
    if (waitingBytes >= MAX_WAITING_BYTES) from.pause()
    if (timer === undefined) send()
  })
  to.on('drain', () => {
    if (waitingBytes < MAX_WAITING_BYTES) from.resume()
  })
  from.on('error', () => to.destroy())
  from.once('close', () => {
    clearTimeout(timer)
    to.destroy()
  })
}
