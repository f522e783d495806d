import type { Context } from 'hono'
import { MeshError } from '../errors.ts'
import type { ReleaseId } from '../model/ids.ts'
import { parseDigest } from '../model/names.ts'
import type { Send } from './body.ts'
import type { FileView, NodeView } from './node-view.ts'
import { problem } from './problem.ts'
import type { Target } from './target.ts'

/** The release asked for by `?release=`, if any. @throws MeshError API_BAD_REQUEST */
export function releaseOf(c: Context): ReleaseId | undefined {
  const text = c.req.query('release')
  if (text === undefined) return undefined
  try {
    return parseDigest(text) as ReleaseId
  } catch {
    throw new MeshError('API_BAD_REQUEST', 'release: 64 lower-case hex digits')
  }
}

/** One file of a release: ETag is its digest; one byte range at most. */
export async function serveFile(c: Context, node: NodeView, target: Target, send: Send): Promise<Response> {
  const asked = releaseOf(c)
  const found = await node.file(target.channel, target.path, asked)
  if (found === undefined)
    return problem(
      'API_NOT_FOUND',
      `${target.channel} has no active release here; 'confmesh status' lists what has`,
    )
  const { file, release } = found
  if (file === undefined)
    return problem(
      'API_NOT_FOUND',
      `no file ${JSON.stringify(target.path)} in release ${release.slice(0, 12)}`,
    )

  const etag = `"${file.digest}"`
  const headers: Record<string, string> = {
    etag,
    'accept-ranges': 'bytes',
    'content-type': contentType(file.path),
    'confmesh-release': release,
    'x-content-type-options': 'nosniff',
  }
  const isKnown = matchesTag(c.req.header('if-none-match'), etag)
  const ifRange = c.req.header('if-range')
  // A range is of GET alone (RFC 9110, 14.2).
  const applies = c.req.method === 'GET' && !isKnown && (ifRange === undefined || ifRange === etag)
  const range = applies ? parseRange(c.req.header('range'), file) : undefined
  if (range === 'unsatisfiable')
    return problem('API_RANGE', `${file.path} has ${file.size} bytes; one range "bytes=FROM-TO"`, {
      'content-range': `bytes */${file.size}`,
    })
  // What is not here is refused to whoever asks for less than its bytes, too (RFC 9110, 13.2.1).
  const bytes = await node.read(target.channel, file.path, release, range)
  if (isKnown) return new Response(null, { status: 304, headers })
  const size = range === undefined ? file.size : range.end - range.start + 1
  headers['content-length'] = String(size)
  if (range !== undefined) headers['content-range'] = `bytes ${range.start}-${range.end}/${file.size}`
  const status = range === undefined ? 200 : 206
  if (c.req.method === 'HEAD' || size === 0) return new Response(null, { status, headers })
  return send(c, bytes, size, { status, headers })
}

function matchesTag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header.trim() === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}

function parseRange(
  header: string | undefined,
  file: FileView,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  if (header === undefined) return undefined
  const set = /^bytes=(.*)$/i.exec(header.trim())?.[1]
  // Of a unit that is not known here every range is to be ignored (RFC 9110, 14.2).
  if (set === undefined) return undefined
  const match = /^(\d*)-(\d*)$/.exec(set)
  // RFC 9110 lets a server ignore what it does not support; many ranges are an attack.
  if (match === null) return set.includes(',') ? 'unsatisfiable' : undefined
  const [, from = '', to = ''] = match
  // Without either end, or with the ends the wrong way round, it is no range: as if there were none.
  if (from === '' && to === '') return undefined
  if (from !== '' && to !== '' && Number(from) > Number(to)) return undefined
  const start = from === '' ? Math.max(0, file.size - Number(to)) : Number(from)
  const end = from === '' || to === '' ? file.size - 1 : Math.min(Number(to), file.size - 1)
  return start > end ? 'unsatisfiable' : { start, end }
}

const TYPES: Record<string, string> = {
  json: 'application/json',
  yaml: 'application/yaml',
  yml: 'application/yaml',
  toml: 'application/toml',
  txt: 'text/plain; charset=utf-8',
  conf: 'text/plain; charset=utf-8',
  ini: 'text/plain; charset=utf-8',
  env: 'text/plain; charset=utf-8',
  md: 'text/plain; charset=utf-8',
  xml: 'application/xml',
  csv: 'text/csv; charset=utf-8',
  pem: 'application/x-pem-file',
  properties: 'text/plain; charset=utf-8',
}

/** By extension; never a type that a browser would run. */
function contentType(path: string): string {
  return TYPES[/\.([a-z0-9]+)$/i.exec(path)?.[1]?.toLowerCase() ?? ''] ?? 'application/octet-stream'
}
