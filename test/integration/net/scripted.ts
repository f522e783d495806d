/** Real transports on loopback with a core played by the test: it sees every event and performs what it likes. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { Address, Digest, FleetId, PeerId } from '../../../src/model/ids.ts'
import type { AnyRequest } from '../../../src/model/messages.ts'
import { newIdentityPem } from '../../../src/net/identity.ts'
import { createTransport, type Transport } from '../../../src/net/transport.ts'
import type { EffectOf, TransportEvent } from '../../../src/runtime/ports.ts'

export const FLEET = 'f1ee7'.padEnd(64, '0') as FleetId
export const DIGEST = 'd'.repeat(64) as Digest
const DEADLINE_MS = 20_000
/** Once it has passed: who stood still until then, as all on a machine may, has not yet waited for the others. */
const LATE_LOOKS = 5

type EventOf<K extends TransportEvent['kind']> = Extract<TransportEvent, { kind: K }>

export class Scripted {
  readonly transport: Transport
  readonly identityPem: string
  readonly events: TransportEvent[] = []
  readonly notes: EffectOf<'note'>[] = []
  readonly refused: string[] = []
  readonly bytes = { sent: 0, received: 0 }
  /** Answers requests as they come, where set. */
  onRequest: ((event: EventOf<'request'>) => void) | undefined
  #wake: (() => void)[] = []
  #lastId = 0
  readonly #dir: string

  private constructor(dir: string, options: ScriptOptions) {
    this.#dir = dir
    this.identityPem = options.identityPem ?? newIdentityPem()
    this.transport = createTransport({
      identityPem: this.identityPem,
      dataDir: dir,
      fleetId: FLEET,
      region: options.region ?? 'default',
      listen: [options.listen ?? '/ip4/127.0.0.1/tcp/0'].flat(),
      announce: [],
      seed: options.seed ?? false,
      limits: { ...LIMITS, ...options.limits },
      log: {
        // a refusal that is logged is counted by the log
        note: (effect) => {
          this.notes.push(effect)
          this.refused.push(effect.code)
        },
      },
      metrics: {
        count: ({ label }) => void this.refused.push(label ?? ''),
        observe: () => {},
        networkBytes: (direction, bytes) => {
          this.bytes[direction] += bytes
        },
      },
    })
  }

  static async start(options: ScriptOptions = {}): Promise<Scripted> {
    const dir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'confmesh-net-')))
    const node = new Scripted(dir, options)
    await node.transport.start((event) => node.#take(event))
    return node
  }

  get id(): PeerId {
    return this.transport.peerId
  }

  get address(): Address {
    const [first] = this.transport.addresses()
    if (first === undefined) throw new Error('not listening')
    return first
  }

  async stop(): Promise<void> {
    await this.transport.stop()
    await rm(this.#dir, { recursive: true, force: true })
  }

  /** The first event of this kind that satisfies `where`, past or future. */
  async event<K extends TransportEvent['kind']>(
    kind: K,
    where: (event: EventOf<K>) => boolean = () => true,
  ): Promise<EventOf<K>> {
    const find = () => this.of(kind).find(where)
    await this.until(`event ${kind}`, () => find() !== undefined)
    return find() as EventOf<K>
  }

  of<K extends TransportEvent['kind']>(kind: K): EventOf<K>[] {
    return this.events.filter((event): event is EventOf<K> => event.kind === kind)
  }

  until(what: string, holds: () => boolean): Promise<void> {
    return this.untilAsync(what, async () => holds())
  }

  async untilAsync(what: string, holds: () => Promise<boolean>): Promise<void> {
    const endMs = performance.now() + DEADLINE_MS
    for (let late = 0; ; ) {
      if (performance.now() > endMs) late += 1
      if (await holds()) return
      if (late === LATE_LOOKS)
        throw new Error(
          `${what}: not within ${DEADLINE_MS} ms; events: ${this.events.map((e) => e.kind).join(' ')}`,
        )
      // woken by the next event; conditions inside libp2p have none, so look again now and then
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 20)
        this.#wake.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  dial(other: { readonly address: Address }): void {
    this.transport.perform({ kind: 'dial', address: other.address })
  }

  ask(peer: PeerId, request: AnyRequest, timeoutMs = 5_000): number {
    this.#lastId += 1
    this.transport.perform({ kind: 'request', id: this.#lastId, peer, request, timeoutMs })
    return this.#lastId
  }

  admit(other: Scripted): void {
    this.transport.perform({ kind: 'admit', peer: other.id, region: 'all' })
  }

  hears(other: Scripted): boolean {
    return this.transport.subscribers('releases').includes(other.id)
  }

  inMesh(other: Scripted): boolean {
    return this.transport.meshPeers('releases').includes(other.id)
  }

  #take(event: TransportEvent): void {
    this.events.push(event)
    if (event.kind === 'request') this.onRequest?.(event)
    for (const wake of this.#wake.splice(0)) wake()
  }
}

export interface ScriptOptions {
  readonly region?: string
  readonly seed?: boolean
  readonly limits?: Partial<Limits>
  readonly identityPem?: string
  readonly listen?: string | readonly string[]
  readonly dataDir?: string
}

/** Both sides know of one another. */
export async function connect(dialler: Scripted, other: Scripted): Promise<void> {
  dialler.dial(other)
  await Promise.all([
    dialler.event('connected', ({ peer }) => peer === other.id),
    other.event('connected', ({ peer }) => peer === dialler.id),
  ])
}

/** Connected, admitted by both, and in one another's mesh. */
export async function joined(dialler: Scripted, other: Scripted): Promise<void> {
  await connect(dialler, other)
  dialler.admit(other)
  other.admit(dialler)
  await dialler.until('mesh', () => dialler.inMesh(other) && other.inMesh(dialler))
}

export const want: AnyRequest = { protocol: 'blocks', message: { type: 'want', digest: DIGEST } }
export const open: AnyRequest = { protocol: 'admit', message: { type: 'open', version: 1, digest: DIGEST } }
