/** Releases of one publisher over one connection that stands, one after another as fast as wanted. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { publishRelease } from '../../bench/publish-release.ts'
import { withSession } from '../../src/cli/publish-session.ts'
import { LIMITS } from '../../src/limits.ts'
import { parseChannel } from '../../src/model/names.ts'
import { build } from '../../src/publish/build.ts'
import type { Checker } from './checker.ts'
import { CHANNEL, contentOf, FILES } from './facts.ts'
import type { SmallFleet } from './small-fleet.ts'

export interface Stream {
  readonly checker: Checker
  readonly over: () => boolean
  /** Between an acknowledgement and the next release. */
  readonly gapMs: () => number
}

export async function streaming({ dir, key, seed }: SmallFleet, stream: Stream): Promise<void> {
  const { checker, over, gapMs } = stream
  const channel = parseChannel(CHANNEL)
  const content = join(dir, 'content')
  await withSession({ key: [key], seed: [seed.address] }, async (session) => {
    for (let number = 1; !over(); number++) {
      const label = { publisher: 'publisher', number }
      for (const file of FILES) {
        mkdirSync(dirname(join(content, file)), { recursive: true })
        writeFileSync(join(content, file), contentOf(label, file))
      }
      checker.published(label)
      const built = await build([content], { limits: LIMITS })
      const { release, clock } = await publishRelease(session, channel, built, String(number))
      checker.acknowledged(release, Object.fromEntries(clock), performance.now())
      await delay(gapMs())
    }
  })
}
