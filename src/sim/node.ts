import type { CoreConfig } from '../core/config.ts'
import type { NodeCore } from '../core/node.ts'
import type { CoreView } from '../core/view.ts'
import type { Address, PeerId } from '../model/ids.ts'
import { createDriver, type Driver } from '../runtime/driver.ts'
import type { ClockPort, EffectOf, Now, TransportPort } from '../runtime/ports.ts'
import type { SimDisk } from './disk.ts'
import type { HostFiles } from './host-files.ts'
import type { SimNetwork } from './network.ts'
import { EPOCH_MS, type VirtualTime } from './time.ts'
import type { SimTransport } from './transport.ts'

export type CreateCore = (config: CoreConfig) => NodeCore

export interface SimNodeParts {
  readonly config: CoreConfig
  readonly disk: SimDisk
  readonly files: HostFiles
  readonly network: SimNetwork
  readonly time: VirtualTime
  readonly onNote: (peer: PeerId, note: EffectOf<'note'>) => void
  readonly onCount: (effect: EffectOf<'count'>) => void
  readonly onCacheBytes: number
  readonly createCore: CreateCore
  /** What an attacker puts in the place of the node's transport. */
  readonly hostile?: (port: SimTransport) => TransportPort
}

/** A host: disk and files stay, the process on it dies and comes back. The driver is the daemon's own. */
export class SimNode {
  readonly peer: PeerId
  readonly address: Address
  /** Error of its wall clock, milliseconds. */
  clockErrorMs = 0
  /** Called once the effects of an event are carried out. */
  afterStep: () => void = () => {}
  readonly parts: SimNodeParts
  #core: NodeCore | undefined
  #driver: Driver | undefined
  #bootedMs = 0

  constructor(address: Address, parts: SimNodeParts) {
    this.peer = parts.config.self
    this.address = address
    this.parts = parts
    parts.disk.onDeath = () => this.crash()
  }

  get isHostile(): boolean {
    return this.parts.hostile !== undefined
  }

  get alive(): boolean {
    return this.#core !== undefined
  }

  /** Virtual time of its last start. */
  get bootedMs(): number {
    return this.#bootedMs
  }

  async start(): Promise<void> {
    if (this.alive) return
    const { config, disk, files, network, time } = this.parts
    this.#bootedMs = time.nowMs
    const store = disk.open((event) => this.#driver?.dispatch(event))
    const core = this.parts.createCore(config)
    this.#core = core
    const stopped = { clock: false }
    const port = network.attach(this.peer, config.submit)
    const ports = {
      clock: this.#clock(stopped),
      store,
      transport: this.parts.hostile?.(port) ?? port,
      activator: files.activator(store),
      metrics: { count: this.parts.onCount, observe: () => {} },
      log: { note: (note: EffectOf<'note'>) => this.parts.onNote(this.peer, note) },
    }
    this.#driver = createDriver(core, ports, {
      maxCacheBytes: this.parts.onCacheBytes,
      onStep: () => this.afterStep(),
    })
    this.#kill = () => {
      stopped.clock = true
    }
    await this.#driver.start()
  }

  /** kill -9, at this very instant. */
  crash(): void {
    if (!this.alive) return
    this.#kill()
    this.#core = undefined
    this.#driver = undefined
    this.parts.network.detach(this.peer)
    this.parts.disk.crash()
    this.parts.files.crash()
  }

  view(): CoreView | undefined {
    return this.#core?.view(this.#now())
  }

  #kill: () => void = () => {}

  #now(): Now {
    const { nowMs } = this.parts.time
    return { monoMs: nowMs - this.#bootedMs, wallMs: EPOCH_MS + Math.floor(nowMs) + this.clockErrorMs }
  }

  #clock(stopped: { clock: boolean }): ClockPort {
    let cancel = (): void => {}
    return {
      now: () => this.#now(),
      wakeAt: (monoMs, wake) => {
        cancel()
        const delayMs = monoMs - (this.parts.time.nowMs - this.#bootedMs)
        cancel = this.parts.time.after(Math.max(0, delayMs), () => {
          if (!stopped.clock) wake()
        })
      },
      stop: () => cancel(),
    }
  }
}
