/** Releases of a small configuration, one after another, from one publisher over one connection to the seed. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Session, withSession } from '../src/cli/publish-session.ts'
import { LIMITS } from '../src/limits.ts'
import { parseChannel } from '../src/model/names.ts'
import { build } from '../src/publish/build.ts'
import type { InitResult, RealFleet, RealNode } from '../test/e2e/real-fleet.ts'
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
      const { release, signedMs } = await publishSmall(fleet, session, i, o.content?.())
      sent.push({ release, signedMs, acknowledgedMs: Date.now() })
      await delay(o.gapMs)
    }
  })
  return sent
}
