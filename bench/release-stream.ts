/** Releases of a small configuration, one after another, from one publisher over one connection to the seed. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Session, withSession } from '../src/cli/publish-session.ts'
import { LIMITS } from '../src/limits.ts'
import { parseChannel } from '../src/model/names.ts'
import { build } from '../src/publish/build.ts'
import { type InitResult, type RealFleet, type RealNode, until } from '../test/e2e/real-fleet.ts'
import { type Published, publishRelease } from './publish-release.ts'

export const CHANNEL = parseChannel('bench/config')
const CONFIG_BYTES = 2_048

export interface Sent {
  readonly release: string
  readonly signedMs: number
  readonly acknowledgedMs: number
}

export interface Stream {
  readonly releases: number
  /** Between an acknowledgement and the next release, so that no release replaces another before it is seen. */
  readonly gapMs: number
  /** Of the one file of a release; by default text of 2 KiB that says the release's number. */
  readonly content?: () => Uint8Array
  /** Looks on: before a release is made, and once it is acknowledged; the next waits for that and for the gap. */
  readonly onlooker?: Onlooker
}

export interface Onlooker {
  before(): void
  after(sent: Sent): Promise<void>
}

/** One of them: text of 2 KiB that says its number. */
export async function publishSmall(
  fleet: RealFleet,
  session: Session,
  number: number,
  content?: Uint8Array,
): Promise<Published> {
  const text = `release: ${number}\n${'#'.repeat(CONFIG_BYTES)}`.slice(0, CONFIG_BYTES)
  const dir = fleet.files('config', { 'config.yaml': '' })
  writeFileSync(join(dir, 'config.yaml'), content ?? text)
  return publishRelease(session, CHANNEL, await build([dir], { limits: LIMITS }), `release ${number}`)
}

export async function send(
  fleet: RealFleet,
  init: InitResult,
  seed: RealNode,
  o: Stream,
): Promise<readonly Sent[]> {
  const sent: Sent[] = []
  await withSession({ key: [init.publisherKey], seed: [seed.address] }, async (session) => {
    for (let i = 0; i < o.releases; i++) {
      o.onlooker?.before()
      const { release, signedMs } = await publishSmall(fleet, session, i, o.content?.())
      const one = { release, signedMs, acknowledgedMs: Date.now() }
      sent.push(one)
      await Promise.all([delay(o.gapMs), o.onlooker?.after(one)])
    }
  })
  return sent
}

/** Which nodes ran a release, and when. */
export interface Arrived {
  readonly sent: Sent
  readonly activeMs: readonly number[]
  /** The same without the first node. */
  readonly beyondSeedMs: readonly number[]
  /** Nodes on which another replaced it before they ran it. */
  readonly missed: number
}

/**
 * The seed first. From each node's own history, read once all is over: asking meanwhile would be part of what is measured.
 * @throws Error where a node does not run the last one in time
 */
export async function arrivals(
  nodes: readonly RealNode[],
  sent: readonly Sent[],
  deadlineMs: number,
): Promise<readonly Arrived[]> {
  const last = sent.at(-1)?.release
  const ran: Map<string, number>[] = []
  for (const node of nodes) {
    const { history, active } = await until(`${node.name} runs the last release`, deadlineMs, async () => {
      const channel = await node.client.channel(CHANNEL)
      return channel.active?.release === last ? channel : undefined
    })
    const lived = active === null ? history : [...history, active]
    ran.push(new Map(lived.map(({ release, activatedAt }) => [release, Date.parse(activatedAt)])))
  }
  return sent.map((one) => {
    const [seed, ...others] = ran.map((at) => at.get(one.release) ?? [])
    const beyondSeedMs = others.flat()
    const activeMs = [seed ?? [], beyondSeedMs].flat()
    return { sent: one, activeMs, beyondSeedMs, missed: nodes.length - activeMs.length }
  })
}
