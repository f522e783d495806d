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
}

const TITLES: Record<number, string> = {
  400: 'Bad request',
  401: 'Token required',
  404: 'Not found',
  405: 'Read-only',
  410: 'Gone',
  415: 'Encoded bodies are not taken',
  416: 'Range not satisfiable',
  421: 'Unknown host',
  500: 'Internal error',
  503: 'Unavailable',
}

/** The code once more as a header: an answer to HEAD has no body. */
export const CODE_HEADER = 'confmesh-code'

/** An `application/problem+json` answer (RFC 9457) with our stable code. */
export function problem(code: Code, detail: string, headers: Record<string, string> = {}): Response {
  const status = STATUS_OF[code] ?? 500
  const body = { type: 'about:blank', title: TITLES[status] ?? 'Error', status, code, detail }
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/problem+json', [CODE_HEADER]: code, ...headers },
  })
}
