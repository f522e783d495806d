/**
 * The ports of a node that is told to listen on any: where it can it has the same again in its next life. After a power
 * loss of a whole site nodes know one another by the records of the life before alone, and with no seed there nobody would
 * say where the others are by now.
 */
import type { Listener } from '@libp2p/interface'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { LevelDatastore } from 'datastore-level'
import type { LogPort } from '../runtime/ports.ts'
import { type Tcp, withListeners } from './listeners.ts'

/** Beside what libp2p keeps in the peer store, and under none of its prefixes. */
const KEY = '/confmesh/ports'
/** Another process has it by now, or this one may not have it any more. */
const IS_TAKEN: ReadonlySet<string> = new Set(['EADDRINUSE', 'EACCES'])

export class KeptPorts {
  /** By the entry of `listen`. */
  readonly #ports: Map<string, number>
  readonly #database: LevelDatastore['db']
  readonly #log: LogPort
  #changed = false

  private constructor(ports: Map<string, number>, database: LevelDatastore['db'], log: LogPort) {
    this.#ports = ports
    this.#database = database
    this.#log = log
  }

  /** Of what was kept, that of these entries; what cannot be read counts as nothing. */
  static async load(
    { db }: Pick<LevelDatastore, 'db'>,
    listen: readonly string[],
    log: LogPort,
  ): Promise<KeptPorts> {
    const any = new Set(
      listen
        .map((entry) => multiaddr(entry))
        .filter(isAny)
        .map(String),
    )
    const ports = new Map<string, number>()
    try {
      const bytes = await db.get(KEY)
      if (bytes !== undefined)
        for (const [entry, port] of portsIn(Buffer.from(bytes).toString()))
          if (any.has(entry)) ports.set(entry, port)
    } catch (error) {
      tell(log, `the ports that this node had cannot be read: ${(error as Error).message}; it takes others`)
    }
    return new KeptPorts(ports, db, log)
  }

  /** @returns a transport whose listeners take the port that they had, where it is free */
  firstOn(make: Tcp): Tcp {
    return withListeners(make, (listener) => this.#keeping(listener))
  }

  /** Once it listens. A disk that takes nothing costs the next life its port, not this one its start. */
  async save(): Promise<void> {
    if (!this.#changed) return
    try {
      await this.#database.put(KEY, Buffer.from(JSON.stringify([...this.#ports])))
    } catch (error) {
      tell(this.#log, `the ports of this node are not kept: ${(error as Error).message}`)
    }
  }

  #keeping(listener: Listener): Listener {
    const listen = listener.listen.bind(listener)
    listener.listen = async (address) => {
      if (!isAny(address)) return listen(address)
      const kept = this.#ports.get(address.toString())
      if (kept === undefined || !(await this.#takes(listen, address, kept))) await listen(address)
      this.#note(address, listener)
    }
    return listener
  }

  async #takes(listen: Listener['listen'], address: Multiaddr, port: number): Promise<boolean> {
    try {
      await listen(multiaddr(address.toString().replace(/\/tcp\/0$/, `/tcp/${port}`)))
      return true
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (!IS_TAKEN.has(code)) throw error
      const text = `listen: port ${port}, which this node had before, cannot be had (${code}); it takes another one`
      this.#log.note({ kind: 'note', level: 'info', code: 'NET_LISTEN', text })
      return false
    }
  }

  #note(address: Multiaddr, listener: Listener): void {
    const port = listener
      .getAddrs()
      .map(portOf)
      .find((one) => one !== undefined)
    const entry = address.toString()
    if (port === undefined || this.#ports.get(entry) === port) return
    this.#ports.set(entry, port)
    this.#changed = true
  }
}

const portOf = (address: Multiaddr): number | undefined => {
  const tcpPart = address.getComponents().find(({ name }) => name === 'tcp')
  return tcpPart === undefined ? undefined : Number(tcpPart.value)
}

const isAny = (address: Multiaddr): boolean => address.toString().endsWith('/tcp/0')

/** @throws Error where it is none of what is written here */
function portsIn(text: string): [entry: string, port: number][] {
  const ports: unknown = JSON.parse(text)
  const isPort = (port: unknown) => Number.isInteger(port) && Number(port) > 0 && Number(port) < 2 ** 16
  const isPair = (pair: unknown) => Array.isArray(pair) && typeof pair[0] === 'string' && isPort(pair[1])
  if (!Array.isArray(ports) || !ports.every(isPair)) throw new Error('they are no ports')
  return ports
}

function tell(log: LogPort, text: string): void {
  log.note({ kind: 'note', level: 'warn', code: 'STORE_FAILED', text })
}
