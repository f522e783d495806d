import type { Context } from 'hono'
import { MeshError } from '../errors.ts'
import type { Channel } from '../model/ids.ts'
import { parseChannel } from '../model/names.ts'

/** What a request asks for, read from the raw request line: decoded once, never normalised. */
export interface Target {
  readonly channel: Channel
  /** Below `files`, `/`-joined; looked up in the manifest, never on disk. */
  readonly path: string
}

/** The URL of the request line as it came, where there is a socket; the parsed one where there is none. */
export function rawUrl(c: Context): string {
  const incoming = (c.env as { incoming?: { url?: string } } | undefined)?.incoming
  return incoming?.url ?? c.req.url
}

/**
 * Parses `/v1/channels/{channel}[/{kind}[/{path…}]]`. The router has matched already, but it and the URL parser
 * normalise (`%2e%2e`, double encoding), so the raw text counts. A slash inside a segment is valid in the channel alone.
 * @throws MeshError API_BAD_REQUEST
 */
export function parseTarget(url: string): Target {
  const pathname = url.replace(/^[a-z]+:\/\/[^/]*/, '').split(/[?#]/, 1)[0] ?? ''
  const segments = pathname.split('/').slice(1)
  // Those of the route, too: without its dotted segments the path may name another channel.
  const decoded = segments.map((segment, at) => (at === 2 ? segment : decodeSegment(segment, false)))
  return { channel: channelOf(segments[2] ?? ''), path: decoded.slice(4).join('/') }
}

function channelOf(segment: string): Channel {
  try {
    return parseChannel(decodeSegment(segment, true))
  } catch (error) {
    if (error instanceof MeshError && error.code === 'API_BAD_REQUEST') throw error
    throw new MeshError(
      'API_BAD_REQUEST',
      'not a channel name: 1 to 8 segments of lower-case letters, digits and "._-"',
    )
  }
}

function decodeSegment(segment: string, slash: boolean): string {
  let text: string
  try {
    text = decodeURIComponent(segment)
  } catch {
    throw new MeshError('API_BAD_REQUEST', 'the path is not valid percent-encoded UTF-8')
  }
  if (
    text === '' ||
    text === '.' ||
    text === '..' ||
    text.includes('\0') ||
    text.includes('\\') ||
    (!slash && text.includes('/'))
  ) {
    throw new MeshError(
      'API_BAD_REQUEST',
      'the path holds an empty, dotted or slashed segment; encode "/" only in the channel',
    )
  }
  return text
}
