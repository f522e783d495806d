/** What a person or a pipeline expects to replace, against what stands there. */
import { isMeshError, MeshError } from '../errors.ts'
import type { NewChannel } from './new-channel.ts'
import type { PublishOptions } from './publish.ts'
import type { Standing } from './standing.ts'

/** @throws MeshError PUBLISH_EXPECT */
export function requireExpected(
  standing: Standing,
  name: NewChannel | 'known' | MeshError,
  { channel, expect }: Pick<PublishOptions, 'channel' | 'expect'>,
): void {
  if (expect === undefined || (expect === 'any' && standing.releases.length > 0)) return
  if (expect === 'any') return requireKnown(name)
  const target = standing.target?.id
  // Every id starts with an empty text.
  const isTarget = expect !== '' && target?.startsWith(expect) === true
  if (expect === 'none' ? standing.releases.length === 0 : isTarget) return
  const found = standing.held ? 'held (two releases in one place)' : (target?.slice(0, 12) ?? 'empty')
  throw new MeshError(
    'PUBLISH_EXPECT',
    `${channel} is at ${found}, not at ${expect.slice(0, 12)}; look at what came in between`,
    {
      expected: expect,
      found: target ?? 'none',
    },
  )
}

export const isNewChannel = (name: NewChannel | 'known' | MeshError): name is NewChannel =>
  name !== 'known' && !isMeshError(name)

/** A channel that a new epoch left empty is known. @throws MeshError PUBLISH_EXPECT, or why no seed says */
function requireKnown(name: NewChannel | 'known' | MeshError): void {
  if (isMeshError(name)) throw name
  if (name === 'known') return
  const { channel, nearest } = name
  const meant = nearest === undefined ? '' : `; is ${nearest} meant?`
  throw new MeshError(
    'PUBLISH_EXPECT',
    `nothing was ever published on ${channel}, and --expect any asks for a channel that is known${meant}`,
    { channel, found: 'none', ...(nearest === undefined ? {} : { nearest }) },
  )
}
