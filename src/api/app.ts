import { Readable } from 'node:stream'
import { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { isMeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { ROUTES } from './contract.ts'
import { releaseOf, serveFile } from './files.ts'
import { type GuardOptions, guards } from './guards.ts'
import type { NodeView } from './node-view.ts'
import { problem } from './problem.ts'
import { parseTarget, type Target } from './target.ts'
import { serveWatch } from './watch.ts'

export interface ApiOptions extends GuardOptions {
  readonly version: string
  readonly limits: Limits
  /** Told of every refusal and failure, so that none passes unseen. */
  readonly onProblem: (code: string, text: string) => void
}

/** The HTTP API over one node. No listening here: see `server.ts`. */
export function createApp(node: NodeView, options: ApiOptions): OpenAPIHono {
  const app = new OpenAPIHono()
  let watchers = 0
  app.use('*', async (c, next) => {
    await next()
    if (c.res.status >= 400 && c.res.status !== 404 && c.res.status !== 503)
      options.onProblem(`HTTP_${c.res.status}`, `${c.req.method} ${c.req.path}`)
  })
  app.use('*', guards(options))
  app.onError((error) => {
    if (isMeshError(error)) return problem(error.code, error.message)
    options.onProblem('INTERNAL', error.stack ?? error.message)
    return problem('INTERNAL', 'the request failed inside the node; its log says more')
  })
  app.notFound(() => problem('API_NOT_FOUND', 'no such route; GET /openapi.json lists them'))

  app.openapi(ROUTES.healthz, (c) => c.json({ ok: true as const }, 200))
  app.openapi(ROUTES.readyz, (c) => {
    const { ready, waitingFor } = node.ready()
    return c.json({ ready, waitingFor: [...waitingFor] }, ready ? 200 : 503)
  })
  app.get('/v1/status', (c) => c.json(node.status()))
  app.get('/metrics', async (c) =>
    c.text(await node.metrics(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }),
  )
  app.get('/v1/channels/:channel', (c) => {
    const { channel } = targetOf(c)
    const entry = node.channel(channel)
    return entry === undefined ? problem('API_NOT_FOUND', `no channel ${channel} known here`) : c.json(entry)
  })
  app.get('/v1/channels/:channel/files', async (c) => {
    const { channel } = targetOf(c)
    const listing = await node.files(channel, releaseOf(c))
    return listing === undefined
      ? problem('API_NOT_FOUND', `${channel} has no active release here`)
      : c.json(listing)
  })
  app.get('/v1/channels/:channel/files/:path{.+}', (c) => serveFile(c, node, targetOf(c)))
  app.get('/v1/channels/:channel/watch', (c) => {
    const { channel } = targetOf(c)
    if (watchers >= options.limits.maxWatchers)
      return problem('API_BUSY', `${watchers} watchers already; try again later`, { 'retry-after': '5' })
    watchers += 1
    return serveWatch(c, node, channel, options.limits.watchHeartbeatMs, () => {
      watchers -= 1
    })
  })
  app.get('/v1/channels/:channel/car', async (c) => {
    const { channel } = targetOf(c)
    const bytes = await node.car(channel, releaseOf(c))
    return new Response(Readable.toWeb(Readable.from(bytes)) as ReadableStream<Uint8Array>, {
      headers: { 'content-type': 'application/vnd.ipld.car' },
    })
  })
  describe(app, options.version)
  return app
}

/** Routes served by plain handlers are in the contract all the same. */
function describe(app: OpenAPIHono, version: string): void {
  const { healthz: _h, readyz: _r, ...rest } = ROUTES
  for (const route of Object.values(rest)) app.openAPIRegistry.registerPath(route)
  app.doc('/openapi.json', {
    openapi: '3.0.0',
    info: { title: 'confmesh node', version, description: 'Read-only API of one node' },
  })
  const paths = [
    '/healthz',
    ...Object.values(ROUTES)
      .map((route) => route.path)
      .filter((path) => path !== '/healthz'),
    '/openapi.json',
  ]
  app.get('/', (c) => c.text(`confmesh ${version}\n\n${paths.join('\n')}\n`))
}

/** The raw request line where there is a socket, the URL in tests without one. */
function targetOf(c: Context): Target {
  const incoming = (c.env as { incoming?: { url?: string } } | undefined)?.incoming
  return parseTarget(incoming?.url ?? c.req.url)
}
