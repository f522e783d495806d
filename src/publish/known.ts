import { MeshError } from '../errors.ts'
import { KNOWN_CRITICAL } from '../model/critical.ts'
import type { Header, Release } from '../model/release.ts'

/** Names of what a release says that this build does not know and may not leave out. */
export const unknownIn = ({ critical, rollout, requires }: Header): readonly string[] => [
  ...critical.filter((name) => !KNOWN_CRITICAL.has(name)),
  ...(rollout === undefined ? [] : ['rollout']),
  ...(requires === undefined ? [] : ['requires']),
]

/**
 * What a header says beyond what this build knows and may not leave out, as that it goes out in waves. Signed anew by it a release
 * would be without that, and go live where the one before waits. Names that are not critical may be left out.
 * @param otherwise a way without it
 * @throws MeshError CODEC_UNSUPPORTED
 */
export function requireKnown({ id, header }: Release, otherwise?: string): void {
  const more = unknownIn(header)
  if (more.length === 0) return
  throw new MeshError(
    'CODEC_UNSUPPORTED',
    `release ${id.slice(0, 12)} of ${header.channel} says what this build does not know (${more.join(', ')}), and signed here it would not be the same; use a newer confmesh${otherwise === undefined ? '' : `, or ${otherwise}`}`,
    { release: id },
  )
}
