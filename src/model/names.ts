/** Text forms of names and ids. A parser is the only way to a branded type; each throws `CODEC_MALFORMED`. */
import { MeshError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Address, Channel, Digest, Name, Pattern, PeerId } from './ids.ts'

/** One segment. It never begins with a dot, so no channel can name a folder of our own (`.releases`, `.confmesh`). */
const SEGMENT = /^[a-z0-9][a-z0-9._-]{0,62}$/
const DIGEST = /^[0-9a-f]{64}$/
/** Base58 (bitcoin alphabet) of a multihash: 46 characters for SHA-256, 52 for an inlined Ed25519 key. */
const PEER_ID = /^[1-9A-HJ-NP-Za-km-z]{40,64}$/
const ADDRESS = /^\/[\x21-\x7e]{1,400}\/p2p\/([1-9A-HJ-NP-Za-km-z]{40,64})$/
const SEGMENT_RULE = 'a segment is 1-63 of a-z 0-9 . _ - and begins with a letter or digit'

const malformed = (message: string): MeshError => new MeshError('CODEC_MALFORMED', message)

/** What was given, short and on one line, for an error message. */
export const shown = (text: unknown): string =>
  typeof text === 'string' ? JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text) : typeof text

/** `current` is the link that applications read, so no channel may have a folder of that name. */
const isSegment = (text: string): boolean => SEGMENT.test(text) && text !== 'current'

/** One segment that names a publisher, pool, region, zone or label. */
export function parseName(text: string): Name {
  if (typeof text !== 'string' || !SEGMENT.test(text)) throw malformed(`name ${shown(text)}: ${SEGMENT_RULE}`)
  return text as Name
}

function segmentsOf(what: string, text: string): string[] {
  if (typeof text !== 'string' || text.length === 0)
    throw malformed(`${what}: empty; give a name such as "payments/prod"`)
  if (text.length > LIMITS.maxChannelBytes)
    throw malformed(`${what} ${shown(text)}: longer than ${LIMITS.maxChannelBytes} bytes`)
  const segments = text.split('/')
  if (segments.length > LIMITS.maxChannelSegments)
    throw malformed(`${what} ${shown(text)}: more than ${LIMITS.maxChannelSegments} segments`)
  return segments
}

/** 1-8 segments joined by `/`, at most 200 bytes; no segment is `current`. */
export function parseChannel(text: string): Channel {
  for (const segment of segmentsOf('channel', text)) {
    if (segment === 'current') throw malformed(`channel ${shown(text)}: no segment may be "current"`)
    if (!isSegment(segment)) throw malformed(`channel ${shown(text)}: ${SEGMENT_RULE}`)
  }
  return text as Channel
}

/** A channel whose segments may be `*` (exactly one) or, last only, `**` (one or more). */
export function parsePattern(text: string): Pattern {
  const segments = segmentsOf('pattern', text)
  for (const [index, segment] of segments.entries()) {
    const last = index === segments.length - 1
    if (segment === '*' || (segment === '**' && last)) continue
    if (segment === '**') throw malformed(`pattern ${shown(text)}: "**" is allowed as the last segment only`)
    if (!isSegment(segment)) throw malformed(`pattern ${shown(text)}: ${SEGMENT_RULE}, or is "*" or "**"`)
  }
  return text as Pattern
}

export const isDigest = (text: unknown): text is Digest => typeof text === 'string' && DIGEST.test(text)

/** 64 lower-case hex digits. Release, fleet and key ids are digests, too: cast them by their role. */
export function parseDigest(text: string): Digest {
  if (!isDigest(text)) throw malformed(`digest ${shown(text)}: expected 64 lower-case hex digits`)
  return text
}

export function parsePeerId(text: string): PeerId {
  if (typeof text !== 'string' || !PEER_ID.test(text))
    throw malformed(`peer id ${shown(text)}: expected base58 such as "12D3KooW..."`)
  return text as PeerId
}

/** A multiaddr that ends in `/p2p/<peer id>`, at most about 470 bytes. */
export function parseAddress(text: string): Address {
  if (typeof text !== 'string' || !ADDRESS.test(text))
    throw malformed(
      `address ${shown(text)}: expected a multiaddr such as "/ip4/10.0.0.1/tcp/7400/p2p/12D3KooW..."`,
    )
  return text as Address
}

/** The peer id at the end of an address. */
export const peerOf = (address: Address): PeerId => address.slice(address.lastIndexOf('/') + 1) as PeerId
