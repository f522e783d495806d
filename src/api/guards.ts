import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import type { MiddlewareHandler } from 'hono'
import type { Limits } from '../limits.ts'
import { problem, type Refusal, refusal } from './problem.ts'
import { rawUrl } from './target.ts'

export interface GuardOptions {
  /** Names beside IP literals and loopback's that the Host header may carry. */
  readonly hosts: readonly string[]
  /** Required as bearer token on all but the health routes. */
  readonly token: string | undefined
  readonly limits: Limits
}

/**
 * DNS rebinding needs a name of the attacker's in the Host header: only IP literals, `localhost` and configured
 * names pass, and methods that read. Judged on the request as it came, before a URL is made of it.
 */
export function gate(options: GuardOptions): (request: IncomingMessage) => Refusal | undefined {
  const hosts = new Set(['localhost', ...options.hosts.map((host) => host.toLowerCase())])
  return ({ headers, headersDistinct, method }) => {
    // Two of them are read one way here and another way by a proxy before us (RFC 9112, 3.2).
    if ((headersDistinct.host?.length ?? 0) > 1)
      return refusal('API_BAD_REQUEST', 'the request has more than one Host header')
    const host = hostName(headers.host ?? '')
    if (isIP(host) === 0 && !hosts.has(host)) {
      return refusal(
        'API_HOST',
        'the Host header names neither an IP address, localhost nor a name of api.hosts',
      )
    }
    if (method !== 'GET' && method !== 'HEAD') {
      return refusal('API_METHOD', 'this API is read-only; publish with the confmesh command', {
        allow: 'GET, HEAD',
      })
    }
    return undefined
  }
}

/** What else every request must keep to. The API has no CORS, and takes no encoded bodies. */
export function guards(options: GuardOptions): MiddlewareHandler {
  const wanted = options.token === undefined ? undefined : digest(options.token)
  return async (c, next) => {
    if (Buffer.byteLength(rawUrl(c)) > options.limits.maxHttpUrlBytes) {
      return problem('API_BAD_REQUEST', `the URL is longer than ${options.limits.maxHttpUrlBytes} bytes`)
    }
    if (c.req.header('content-encoding') !== undefined)
      return problem('API_ENCODING', 'send the request without Content-Encoding')
    const open = c.req.path === '/healthz' || c.req.path === '/readyz'
    if (wanted !== undefined && !open && !bearerMatches(c.req.header('authorization'), wanted)) {
      return problem('API_UNAUTHORISED', 'send "Authorization: Bearer" with the token of api.tokenFile', {
        'www-authenticate': 'Bearer',
      })
    }
    await next()
    c.header('x-content-type-options', 'nosniff')
    c.header('content-security-policy', "default-src 'none'")
    c.header('cache-control', 'no-cache')
    return undefined
  }
}

function hostName(header: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d*)?$/.exec(header)
  return (bracketed?.[1] ?? header.replace(/:\d*$/, '')).toLowerCase()
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** The scheme in any case (RFC 9110, 11.1). Compares digests, so that time tells nothing of the token, its length included. */
function bearerMatches(header: string | undefined, wanted: Buffer): boolean {
  const given = /^Bearer (.+)$/i.exec(header ?? '')?.[1]
  return given !== undefined && timingSafeEqual(digest(given), wanted)
}
