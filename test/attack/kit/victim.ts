/** A whole node, in this process: real store, real network, real HTTP. What is attacked. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from '../../../src/client/index.ts'
import { encodeEnvelopeJson } from '../../../src/codec/envelope-json.ts'
import { inForce } from '../../../src/daemon/config.ts'
import { CONFIG_SCHEMA, type FileConfig } from '../../../src/daemon/config-schema.ts'
import { type RunningNode, startNode } from '../../../src/daemon/node.ts'
import { LIMITS, type Limits } from '../../../src/limits.ts'
import type { Address, PeerId } from '../../../src/model/ids.ts'
import { dialPublisher } from '../../../src/net/dial.ts'
import { loadOrCreateIdentity } from '../../../src/net/identity.ts'
import { submitToFirst } from '../../../src/publish/submit.ts'
import { type AttackedFleet, CHANNEL, type MadeRelease } from './fleet.ts'

export const DEADLINE_MS = 20_000
const LOOK_MS = 20

/** A host that stands still for seconds is not what is tested: whoever is being let in meanwhile would be cut off, not answered. */
const PATIENT: Limits = { ...LIMITS, admitDeadlineMs: 30_000 }

export interface VictimOptions {
  readonly limits?: Partial<Limits>
  readonly config?: Partial<FileConfig>
  readonly seeds?: readonly string[]
  /** Takes submissions and signs beacons. */
  readonly seed?: boolean
  /** Into files below `trees`. */
  readonly materialize?: boolean
  readonly dir?: string
}

export class Victim {
  readonly dir: string
  readonly client: Client
  readonly #node: RunningNode

  private constructor(dir: string, node: RunningNode) {
    this.dir = dir
    this.#node = node
    this.client = new Client({ api: node.ready.api, timeoutMs: 30_000 })
  }

  static async start(fleet: AttackedFleet, options: VictimOptions = {}): Promise<Victim> {
    const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'confmesh-attacked-'))
    const data = join(dir, 'data')
    const { peerId } = await loadOrCreateIdentity(data)
    const file = (name: string, text: string, mode = 0o644): string => {
      writeFileSync(join(dir, name), text, { mode })
      return join(dir, name)
    }
    const [certificate] = fleet.chainFor(peerId)
    if (certificate === undefined) throw new Error('no certificate')
    if (options.materialize) mkdirSync(join(dir, 'trees'), { recursive: true, mode: 0o755 })
    const config = CONFIG_SCHEMA.parse({
      root: file('root.json', encodeEnvelopeJson(fleet.signedRoot())),
      data,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      channels: ['pay/**'],
      seeds: options.seeds ?? [],
      admission: { certificate: file('node.cert.json', encodeEnvelopeJson(certificate)) },
      submit: options.seed ?? false,
      ...(options.seed ? { freshness: { key: file('freshness.key', fleet.freshness.pem, 0o600) } } : {}),
      ...(options.materialize ? { materialize: { dir: join(dir, 'trees') } } : {}),
      api: { listen: '127.0.0.1:0' },
      log: { level: 'error' },
      ...options.config,
    })
    const node = await startNode(inForce(config, { ...PATIENT, ...options.limits }), '0.0.0-attacked')
    return new Victim(dir, node)
  }

  get id(): PeerId {
    return this.#node.ready.peerId as PeerId
  }

  get address(): Address {
    return this.#node.ready.addresses[0] as Address
  }

  get api(): string {
    return this.#node.ready.api
  }

  /** Brings a release in as a publisher does. @throws MeshError what the node refuses it with */
  async submit(release: MadeRelease): Promise<void> {
    const connection = await dialPublisher(this.address, { limits: LIMITS })
    try {
      const { id, bytes, content } = release
      await submitToFirst(
        [connection],
        { release: id, envelope: bytes, content: { bytes: 0, read: async (digest) => content.get(digest) } },
        { limits: LIMITS },
      )
    } finally {
      await connection.close()
    }
  }

  /** Id of what is active, or undefined. */
  async active(channel: string = CHANNEL): Promise<string | undefined> {
    const { channels } = await this.client.status()
    return channels.find((entry) => entry.channel === channel)?.active?.release
  }

  runs(release: MadeRelease): Promise<void> {
    const { channel } = release.header
    return until(
      `${channel} runs ${release.id.slice(0, 8)}`,
      async () => (await this.active(channel)) === release.id,
    )
  }

  /** Refusals with this code so far. */
  async refused(code: string): Promise<number> {
    return this.metric('confmesh_refused_total', `code="${code}"`)
  }

  /** Sum of a metric's series whose labels contain `where`. */
  async metric(name: string, where = ''): Promise<number> {
    const text = await (await fetch(`${this.api}/metrics`)).text()
    const lines = text
      .split('\n')
      .filter((line) => (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) && line.includes(where))
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }

  refusedAtLeast(code: string, times = 1): Promise<void> {
    return until(`${times} × ${code}`, async () => (await this.refused(code)) >= times)
  }

  metricAtLeast(name: string, least: number, where = ''): Promise<void> {
    return until(`${name} ${where} ≥ ${least}`, async () => (await this.metric(name, where)) >= least)
  }

  rootVersion(version: number): Promise<void> {
    return until(`root ${version}`, async () => (await this.client.status()).root.version >= version)
  }

  async peers(): Promise<number> {
    return (await this.client.status()).peers.connected
  }

  async stop(keep = false): Promise<void> {
    await this.#node.stop()
    if (!keep) rmSync(this.dir, { recursive: true, force: true })
  }
}

/** Asks again until it holds. @throws Error with `what` once the deadline has passed */
export async function until(what: string, holds: () => Promise<boolean> | boolean, deadlineMs = DEADLINE_MS) {
  const endMs = performance.now() + deadlineMs
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await delay(LOOK_MS)
  }
}

/** Time until it holds in which this process ran: one that stands still does not look, and cuts nobody off meanwhile. */
export async function runningMs(what: string, holds: () => boolean): Promise<number> {
  let looks = 0
  await until(what, () => {
    looks += 1
    return holds()
  })
  return looks * LOOK_MS
}
