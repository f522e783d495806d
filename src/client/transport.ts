import { request as httpRequest, type IncomingMessage } from 'node:http'
import { CODES, type Code, isMeshError, MeshError } from '../errors.ts'
import { NoNode } from './answer.ts'
import { isSendable } from './token.ts'

/** Where a node's API is: `http://host:port` or `unix:/path`. */
export interface Endpoint {
  readonly url: string
  readonly token?: string | undefined
}

export interface RequestOptions {
  readonly headers?: Record<string, string>
  readonly signal?: AbortSignal | undefined
  /** Until the answer's head is here. */
  readonly timeoutMs: number
}

export interface GetOptions extends RequestOptions {
  /** Between two bytes of a refusal. */
  readonly silenceMs: number
}

/**
 * GET over TCP or a Unix socket (`fetch` cannot do the latter). Answers other than 2xx and 304 become errors.
 * @throws MeshError NET_UNREACHABLE, NET_TIMEOUT, or the code of the problem+json answer
 */
export async function get(endpoint: Endpoint, path: string, options: GetOptions): Promise<IncomingMessage> {
  const response = await open(endpoint, path, options)
  const status = response.statusCode ?? 0
  if ((status >= 200 && status < 300) || status === 304) return response
  throw await refusalOf(response, endpoint, path, options.silenceMs)
}

/** What an answer that is none says. */
export async function refusalOf(
  response: IncomingMessage,
  { url }: Endpoint,
  path: string,
  silenceMs: number,
): Promise<MeshError> {
  const body = await text(response, 64 * 1024, silenceMs).catch((error: unknown) => {
    // No node's is so long: its status says what there is to say.
    if (isMeshError(error) && error.code === 'LIMIT_BYTES') return ''
    throw error
  })
  return problemOf(response.statusCode ?? 0, body, { url, path })
}

/** Like `get`, but hands out any status. */
export async function open(
  endpoint: Endpoint,
  path: string,
  options: RequestOptions,
): Promise<IncomingMessage> {
  return answerBy(performance.now() + options.timeoutMs, endpoint, path, options)
}

async function answerBy(
  endMs: number,
  endpoint: Endpoint,
  path: string,
  options: RequestOptions,
): Promise<IncomingMessage> {
  const headers: Record<string, string> = { ...options.headers }
  if (endpoint.token !== undefined) headers.authorization = `Bearer ${sendable(endpoint.token)}`
  return new Promise((resolve, reject) => {
    const target = targetOf(endpoint.url, path)
    let isAnswered = false
    const request = httpRequest(
      { ...target, headers: { host: 'localhost', ...target.headers, ...headers }, signal: options.signal },
      (response) => {
        clearTimeout(timer)
        isAnswered = true
        resolve(response)
      },
    )
    const timer = setTimeout(
      () =>
        request.destroy(
          new MeshError('NET_TIMEOUT', `${endpoint.url}: no answer within ${options.timeoutMs} ms`),
        ),
      Math.max(1, endMs - performance.now()),
    )
    request.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer)
      if (isAnswered) return // who reads the answer hears of it
      if (error instanceof MeshError || error.name === 'AbortError') return reject(error)
      // A node ends a connection that idled, perhaps as this went out on it; whatever is asked here may be asked twice.
      if (request.reusedSocket && error.code === 'ECONNRESET')
        return resolve(answerBy(endMs, endpoint, path, options))
      reject(
        new MeshError(
          'NET_UNREACHABLE',
          `${endpoint.url}: ${error.code ?? error.message}; is the node running, and is --api or CONFMESH_API right?`,
        ),
      )
    })
    request.end()
  })
}

/** @throws MeshError USAGE, without a word of the token */
function sendable(token: string): string {
  if (isSendable(token)) return token
  throw new MeshError('USAGE', 'token: no HTTP client can send it; a token is one line of ASCII')
}

function targetOf(
  url: string,
  path: string,
): { socketPath?: string; hostname?: string; port?: string; path: string; headers?: Record<string, string> } {
  if (url.startsWith('unix:')) return { socketPath: url.slice(5), path }
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    throw new MeshError('USAGE', `${url}: not an API address; use http://HOST:PORT or unix:/path`)
  }
  if (parsed.protocol !== 'http:')
    throw new MeshError('USAGE', `${url}: not an API address; use http://HOST:PORT or unix:/path`)
  return {
    hostname: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port || '80',
    path,
    headers: { host: parsed.host },
  }
}

/** A body that stops coming is given up after this long without a byte. */
export const SILENCE_MS = 30_000

/** The whole body as text. @throws MeshError as `bytes` */
export async function text(response: IncomingMessage, maxBytes: number, silenceMs: number): Promise<string> {
  return Buffer.from(await bytes(response, maxBytes, silenceMs)).toString('utf8')
}

/** The whole body. @throws MeshError LIMIT_BYTES, NET_TIMEOUT, NET_UNREACHABLE where the connection breaks */
export async function bytes(
  response: IncomingMessage,
  maxBytes: number,
  silenceMs: number,
): Promise<Uint8Array> {
  const collected: Buffer[] = []
  let size = 0
  for await (const part of parts<Buffer>(response, silenceMs)) {
    size += part.length
    if (size > maxBytes)
      throw new MeshError('LIMIT_BYTES', `the node's answer is larger than ${maxBytes} bytes`)
    collected.push(part)
  }
  return Buffer.concat(collected)
}

/**
 * The body as it comes; text where the response was given an encoding. Silence counts only while the next part is waited
 * for: whoever takes long over the last one has not been let down by the node.
 * @throws MeshError NET_TIMEOUT after so long without a byte, NET_UNREACHABLE where the connection breaks
 */
export async function* parts<T extends Buffer | string>(
  response: IncomingMessage,
  silenceMs: number,
): AsyncGenerator<T> {
  const silent = () =>
    response.destroy(new MeshError('NET_TIMEOUT', `no byte of the answer for ${silenceMs} ms`))
  let timer = setTimeout(silent, silenceMs)
  try {
    for await (const part of response as AsyncIterable<T>) {
      clearTimeout(timer)
      yield part
      timer = setTimeout(silent, silenceMs)
    }
  } catch (error) {
    if (error instanceof MeshError) throw error
    throw new MeshError('NET_UNREACHABLE', `the answer broke off: ${(error as Error).message}`)
  } finally {
    clearTimeout(timer)
  }
}

/** The form of all codes. */
export const OTHER_CODE = /^[A-Z]{2,20}(_[A-Z]{1,20}){0,5}$/

function problemOf(
  status: number,
  body: string,
  { url, path }: { readonly url: string; readonly path: string },
): MeshError {
  try {
    const parsed = JSON.parse(body) as { code?: unknown; detail?: unknown; status?: unknown }
    const detail = typeof parsed.detail === 'string' ? parsed.detail : path
    if (typeof parsed.code === 'string' && (CODES as readonly string[]).includes(parsed.code))
      return new MeshError(parsed.code as Code, detail, { status })
    // A node of a newer build has reasons that this one has no name for.
    if (typeof parsed.code === 'string' && OTHER_CODE.test(parsed.code) && parsed.status === status)
      return new MeshError('API_UNAVAILABLE', `${detail} (${parsed.code})`, { status })
  } catch {
    // Not ours: told below with what is known.
  }
  // What stands before a node, or takes its place, fails in its own words; the node may be back soon.
  if (status < 500) return new NoNode(url, { status })
  return new MeshError('API_UNAVAILABLE', `${path}: the node answered ${status}`, { status })
}
