/** The header a publisher signs, from content, standing and clock. */
import { sha256 } from '../codec/digest.ts'
import { encodeHeader } from '../codec/header.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { VectorClock } from '../model/clock.ts'
import type { Channel, Name } from '../model/ids.ts'
import type { Header, Release } from '../model/release.ts'
import type { TrustRoot } from '../model/root.ts'
import type { Content } from './content.ts'

export interface HeaderFacts {
  readonly root: TrustRoot
  readonly channel: Channel
  readonly publisher: Name
  readonly clock: VectorClock
  readonly content: Pick<Content, 'pages' | 'files' | 'bytes'>
  readonly message: string
  /** Milliseconds since 1970. */
  readonly created: number
  readonly expires: number | undefined
}

/** @throws MeshError USAGE (message too long), LIMIT_BYTES (more pages than a header holds) */
export function makeHeader(facts: HeaderFacts, limits: Limits): { header: Header; payload: Uint8Array } {
  if (Buffer.byteLength(facts.message) > limits.maxMessageBytes)
    throw new MeshError('USAGE', `the message is longer than ${limits.maxMessageBytes} bytes; shorten it`)
  const header: Header = {
    v: 1,
    critical: [],
    fleet: facts.root.fleetId,
    channel: facts.channel,
    root: facts.root.version,
    publisher: facts.publisher,
    clock: facts.clock,
    pages: facts.content.pages,
    files: facts.content.files,
    bytes: facts.content.bytes,
    message: facts.message,
    created: facts.created,
    ...(facts.expires === undefined ? {} : { expires: facts.expires }),
  }
  const payload = encodeHeader(header)
  if (payload.length > limits.maxHeaderBytes)
    throw new MeshError(
      'LIMIT_BYTES',
      `the header takes ${payload.length} bytes, at most ${limits.maxHeaderBytes} fit`,
    )
  return { header, payload }
}

/** The same to every node, made at another moment: a run that was cut off, and the one that follows it, sign two such. */
export const isSameButForTime = ({ id, header: { created } }: Release, header: Header): boolean =>
  sha256(encodeHeader({ ...header, created })) === (id as string)
