import type { Code } from '../errors.ts'

const STATUS_OF: Partial<Record<Code, number>> = {
  API_HOST: 421,
  API_ENCODING: 415,
  API_NOT_FOUND: 404,
  API_BAD_REQUEST: 400,
  API_METHOD: 405,
  API_UNAUTHORISED: 401,
  API_RANGE: 416,
  API_BUSY: 503,
  API_UNAVAILABLE: 503,
  CONTENT_GONE: 410,
  CODEC_MALFORMED: 400,
  STORE_CORRUPT: 503,
  STORE_FULL: 503,
  STORE_FAILED: 503,
}

const TITLES: Record<number, string> = {
  400: 'Bad request',
  401: 'Token required',
  404: 'Not found',
  405: 'Read-only',
  408: 'Request timeout',
  410: 'Gone',
  415: 'Encoded bodies are not taken',
  416: 'Range not satisfiable',
  417: 'Expectation failed',
  421: 'Unknown host',
  431: 'Header fields too large',
  500: 'Internal error',
  503: 'Unavailable',
}

/** Whatever is 503 passes: others have taken their answers, what is missing has come, or the disk is seen to. */
const RETRY_AFTER_S = '5'

/** The code once more as a header: an answer to HEAD has no body. */
export const CODE_HEADER = 'confmesh-code'

/** An `application/problem+json` answer (RFC 9457) with our stable code, whatever carries it. */
export interface Refusal {
  readonly code: Code
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** @param status where the code alone does not say it */
export function refusal(
  code: Code,
  detail: string,
  headers: Readonly<Record<string, string>> = {},
  status = STATUS_OF[code] ?? 500,
): Refusal {
  const body = JSON.stringify({ type: 'about:blank', title: TITLES[status] ?? 'Error', status, code, detail })
  const own = { 'content-type': 'application/problem+json', [CODE_HEADER]: code }
  const later = status === 503 ? { 'retry-after': RETRY_AFTER_S } : {}
  return { code, status, headers: { ...own, ...later, ...headers }, body }
}

/** The same as answer of a route. */
export function problem(code: Code, detail: string, headers: Record<string, string> = {}): Response {
  const { body, ...init } = refusal(code, detail, headers)
  return new Response(body, init)
}

/** The same where there is a bare connection only, which it ends. */
export function overSocket({ status, headers, body }: Refusal): string {
  const all = { ...headers, connection: 'close', 'content-length': String(Buffer.byteLength(body)) }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return [`HTTP/1.1 ${status} ${TITLES[status] ?? 'Error'}`, ...lines, '', body].join('\r\n')
}
