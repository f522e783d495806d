/** Releases of one publisher over one connection that stands, one after another as fast as wanted. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { publishRelease } from '../../bench/publish-release.ts'
import { withSession } from '../../src/cli/publish-session.ts'
import { isMeshError } from '../../src/errors.ts'
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

/** Goes on over a new connection where one fails; what was under way then may still be ordered. */
export async function streaming(fleet: SmallFleet, stream: Stream): Promise<void> {
  let number = 0
  while (!stream.over()) {
    try {
      await overOne(fleet, stream, () => ++number)
    } catch (error) {
      if (!isMeshError(error) || !PASSING.test(error.code)) throw error
      await delay(RETRY_MS)
    }
  }
}

/** A machine with more to do than cores lets a deadline of the network pass. */
const PASSING = /^(NET|LIMIT_RATE)/
const RETRY_MS = 500

async function overOne(
  { dir, key, seed }: SmallFleet,
  { checker, over, gapMs }: Stream,
  next: () => number,
): Promise<void> {
  const channel = parseChannel(CHANNEL)
  const content = join(dir, 'content')
  await withSession({ key: [key], seed: [seed.address] }, async (session) => {
    while (!over()) {
      const label = { publisher: 'publisher', number: next() }
      for (const file of FILES) {
        mkdirSync(dirname(join(content, file)), { recursive: true })
        writeFileSync(join(content, file), contentOf(label, file))
      }
      checker.published(label)
      const built = await build([content], { limits: LIMITS })
      const { release, clock } = await publishRelease(session, channel, built, String(label.number))
      checker.acknowledged(release, Object.fromEntries(clock), performance.now())
      await delay(gapMs())
    }
  })
}
