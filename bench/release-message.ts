/** The one message that a small release is told in: its envelope, with all pages and blocks. */
import { withSession } from '../src/cli/publish-session.ts'
import { encodeReleaseGossip } from '../src/codec/gossip.ts'
import { LIMITS } from '../src/limits.ts'
import type { ReleaseId } from '../src/model/ids.ts'
import { build } from '../src/publish/build.ts'
import { askPatiently } from '../src/publish/seeds.ts'
import type { InitResult } from '../test/e2e/real-fleet.ts'

/**
 * @param dir of one file that fits into a block
 * @returns its length, before it is compressed or encrypted; undefined where it is longer than what is told so
 * @throws Error where the seed does not keep the release
 */
export async function messageBytes(
  init: InitResult,
  release: ReleaseId,
  dir: string,
  file: Uint8Array,
): Promise<number | undefined> {
  if (file.length > LIMITS.maxInlineBytes) return undefined
  const content = await build([dir], { limits: LIMITS })
  const pages = await Promise.all(content.pages.map((page) => content.read(page)))
  const session = { key: [init.publisherKey], seed: [init.seedAddress] }
  return withSession(session, async ({ seeds }) => {
    const [seed] = seeds.reached
    const question = { type: 'header', release } as const
    const { envelope } = seed === undefined ? {} : await askPatiently(seed, question, ['header'], LIMITS)
    if (envelope === undefined) throw new Error(`the seed has no header of ${release}`)
    const attached = [...pages, file].flatMap((bytes) => bytes ?? [])
    const { length } = encodeReleaseGossip({ envelope, attached })
    return length > LIMITS.maxInlineBytes ? undefined : length
  })
}
