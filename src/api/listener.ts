import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener, RequestError } from '@hono/node-server'
import type { Answers } from './answers.ts'
import type { ApiOptions } from './app.ts'
import { gate } from './guards.ts'
import { overSocket, problem, type Refusal, refusal } from './problem.ts'
import { endUnread } from './unread.ts'

/**
 * Hands a server's requests to the app. What the app cannot be given, since there is no URL to make of it, is refused
 * here in the same form, and told.
 */
export function handOver(
  server: Server,
  fetch: (request: Request) => unknown,
  options: ApiOptions,
  answers: Answers,
): void {
  const refusalOf = gate(options)
  const told = ({ method, url }: IncomingMessage, refused: Refusal): Refusal => {
    options.onProblem(refused.code, `${method} ${url?.split('?', 1)[0]}`)
    return refused
  }
  const listener = getRequestListener(fetch as Parameters<typeof getRequestListener>[0], {
    errorHandler: (error) => unasked(error, options),
  })
  const inTurn = turns(options)
  server.on('request', (request, response) =>
    inTurn(request, response, () => {
      const refused = refusalOf(request)
      if (refused !== undefined) return answer(response, told(request, refused))
      endUnread(request, response, options, answers)
      // It has passed. The adapter makes a URL of it, and refuses forms of an address that are right.
      request.headers.host = 'localhost'
      void listener(request, response)
    }),
  )
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
    inTurn(request, response, () => {
      const unmet = refusal('API_BAD_REQUEST', 'no expectation but 100-continue is known here', {}, 417)
      answer(response, told(request, refusalOf(request) ?? unmet))
    }),
  )
  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    socket.on('error', () => socket.destroy())
    const refused = refusalOf(request)
    if (refused !== undefined) lastWords(socket, told(request, refused))
  })
  server.on('drop', (from) => {
    options.onProblem(
      'API_BUSY',
      `too many connections: one of ${from?.remoteAddress ?? 'this host'} was closed`,
    )
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
    options.onProblem('API_BAD_REQUEST', `no HTTP request within the limits: ${error.code ?? error.message}`)
    lastWords(socket, unreadable(error))
  })
}

/**
 * What is asked on one connection before an answer is through waits unlooked at for its turn, which behind a watch never
 * comes: until then it has neither answer nor place to hold, and Node would not say that its connection is gone.
 */
function turns({ limits, onProblem }: ApiOptions) {
  let all = 0
  const counts = new WeakMap<Socket, { waiting: number }>()
  const countOf = (socket: Socket): { waiting: number } => {
    const known = counts.get(socket)
    if (known !== undefined) return known
    const count = { waiting: 0 }
    counts.set(socket, count)
    socket.once('close', () => {
      all -= count.waiting
    })
    return count
  }
  return ({ socket }: IncomingMessage, response: ServerResponse, take: () => void): void => {
    // Node gives each response the connection when it is its turn.
    if (response.socket !== null) return take()
    // What came with the request that was one too many.
    if (socket.destroyed) return
    if (all >= limits.maxHttpWaiting) {
      onProblem('API_BUSY', `${all} requests wait for answers before theirs; connection closed`)
      socket.destroy()
      return
    }
    const count = countOf(socket)
    count.waiting += 1
    all += 1
    response.once('socket', () => {
      count.waiting -= 1
      all -= 1
      // Node has still to do with the response.
      process.nextTick(() => {
        if (!socket.destroyed) take()
      })
    })
  }
}

function answer(response: ServerResponse, { status, headers, body }: Refusal): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body)
}

/** No request came of it, or the app let an error through. */
function unasked(error: unknown, { onProblem }: ApiOptions): Response {
  if (error instanceof RequestError) {
    onProblem('API_BAD_REQUEST', error.message)
    return problem('API_BAD_REQUEST', 'the request target is no path; GET /openapi.json lists the routes')
  }
  onProblem('INTERNAL', error instanceof Error ? (error.stack ?? error.message) : String(error))
  return problem('INTERNAL', 'the request failed inside the node; its log says more')
}

/** Node leaves such a connection half open for as long as the other side likes, and it holds its place in the count. */
function lastWords(socket: Duplex, refused: Refusal): void {
  socket.end(overSocket(refused), () => socket.destroy())
}

/** The parser gave up before there was a request. */
function unreadable({ code }: NodeJS.ErrnoException): Refusal {
  const status = code === 'HPE_HEADER_OVERFLOW' ? 431 : code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
  return refusal('API_BAD_REQUEST', 'the request is malformed, too large or too slow', {}, status)
}
