import { chmodSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { Answers } from './answers.ts'
import { type ApiOptions, createApp } from './app.ts'
import { handOver } from './listener.ts'
import type { NodeView } from './node-view.ts'
import { freeSocketPath, lengthProblem } from './socket-path.ts'

export interface ApiServer {
  /** `http://127.0.0.1:7480` or `unix:/path`. */
  readonly url: string
  stop(): Promise<void>
}

/**
 * Listens on `HOST:PORT` or `unix:/path` (mode 0660).
 * @throws MeshError NET_LISTEN where the address is taken or not ours
 */
export async function startApi(node: NodeView, listen: string, options: ApiOptions): Promise<ApiServer> {
  const answers = new Answers(options.limits)
  const app = createApp(node, options, answers)
  const server = createServer({
    maxHeaderSize: options.limits.maxHttpHeaderBytes,
    // A request without Host is refused like any other without a known one.
    requireHostHeader: false,
    // Node looks for slow requests every 30 s unless told otherwise: the timeout would be twice what it says.
    connectionsCheckingInterval: Math.ceil(options.limits.httpRequestTimeoutMs / 4),
  })
  bound(server, options.limits)
  handOver(server, app.fetch, options, answers)
  const path = listen.startsWith('unix:') ? listen.slice(5) : undefined
  if (path !== undefined) await freeSocketPath(path)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const hint = hintFor(error.code, path)
      reject(new MeshError('NET_LISTEN', `api.listen: ${listen} ${hint}`, { address: listen }))
    })
    if (path !== undefined) server.listen(path, resolve)
    else {
      const colon = listen.lastIndexOf(':')
      server.listen(Number(listen.slice(colon + 1)), listen.slice(0, colon).replace(/^\[|\]$/g, ''), resolve)
    }
  })
  if (path !== undefined) chmodSync(path, 0o660)
  return { url: path === undefined ? urlOf(server) : listen, stop: () => stop(server) }
}

function hintFor(code: string | undefined, path: string | undefined): string {
  if (code === 'EADDRINUSE') return 'is in use; stop the other process or set api.listen'
  const what = `cannot be listened on (${code})`
  const tooLong = path === undefined ? undefined : lengthProblem(path)
  if (tooLong !== undefined) return `${what}: ${tooLong}`
  // libuv says EACCES for a folder that is not there, too.
  if (path !== undefined) return `${what}; is ${dirname(path)} there, and may this user write to it?`
  if (code === 'EACCES') return `${what}; ports below 1024 are for root: choose one from 1024 on`
  if (code === 'EADDRNOTAVAIL') return `${what}; it is none of this host`
  return what
}

function bound(server: Server, limits: Limits): void {
  server.headersTimeout = limits.httpRequestTimeoutMs
  server.requestTimeout = limits.httpRequestTimeoutMs
  server.maxHeadersCount = 64
  server.maxConnections = limits.maxHttpConnections
  server.maxRequestsPerSocket = 10_000
}

function urlOf(server: Server): string {
  const { address, port, family } = server.address() as AddressInfo
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

async function stop(server: Server): Promise<void> {
  server.closeIdleConnections()
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    // Watchers hold their connection for ever.
    server.closeAllConnections()
  })
}
