import { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { type Code, isMeshError } from '../errors.ts'
import type { Answers } from './answers.ts'
import { bodyOf, type Send } from './body.ts'
import { ROUTES } from './contract.ts'
import { releaseOf, serveFile } from './files.ts'
import { type GuardOptions, guards } from './guards.ts'
import type { NodeView } from './node-view.ts'
import { CODE_HEADER, problem } from './problem.ts'
import { parseTarget, rawUrl, type Target } from './target.ts'
import { serveWatch } from './watch.ts'

export interface ApiOptions extends GuardOptions {
  readonly version: string
  /** Told of every refusal and failure, so that none passes unseen. */
  readonly onProblem: (code: Code, text: string) => void
}

/** The HTTP API over one node. No listening here: see `server.ts`. */
export function createApp(node: NodeView, options: ApiOptions, answers: Answers): OpenAPIHono {
  const app = new OpenAPIHono()
  const send: Send = async (c, parts, bytes, init) =>
    answers.stream(c, bytes) ??
    new Response(
      await bodyOf(c, parts, (error) => {
        const code = isMeshError(error) ? error.code : 'INTERNAL'
        options.onProblem(code, `${c.req.method} ${c.req.path}: cut off: ${(error as Error).message}`)
      }),
      init,
    )
  let watchers = 0
  app.use('*', async (c, next) => {
    await next()
    // Whatever is refused has a code; /readyz answers 503 without one: it says "not yet". A fault was told with its stack.
    const code = c.res.headers.get(CODE_HEADER)
    if (code !== null && code !== 'INTERNAL') options.onProblem(code as Code, `${c.req.method} ${c.req.path}`)
  })
  app.use('*', guards(options))
  app.onError((error) => {
    if (isMeshError(error)) return problem(error.code, error.message)
    options.onProblem('INTERNAL', error.stack ?? error.message)
    return problem('INTERNAL', 'the request failed inside the node; its log says more')
  })
  app.notFound(() => problem('API_NOT_FOUND', 'no such route; GET /openapi.json lists them'))

  app.openapi(ROUTES.healthz, (c) => c.json({ ok: true as const }, 200))
  app.get('/readyz', (c) => {
    const { ready, waitingFor } = node.ready()
    // Every channel may be waited for, and then the answer is long; ready is said whoever reads or does not.
    return ready ? c.json({ ready, waitingFor }) : answers.json(c, () => ({ ready, waitingFor }), 503)
  })
  app.get('/v1/status', (c) => answers.json(c, () => node.status()))
  app.get('/metrics', async (c) => answers.text(c, await node.metrics(), METRICS_TYPE))
  app.get('/v1/channels/:channel', (c) => {
    const { channel } = targetOf(c)
    const entry = node.channel(channel)
    return entry === undefined
      ? problem('API_NOT_FOUND', `no channel ${channel} known here; 'confmesh status' lists them`)
      : answers.json(c, () => entry)
  })
  app.get('/v1/channels/:channel/files', async (c) => {
    const { channel } = targetOf(c)
    const listing = await node.files(channel, releaseOf(c))
    return listing === undefined
      ? problem('API_NOT_FOUND', `${channel} has no active release here; 'confmesh status' lists what has`)
      : answers.listing(c, listing)
  })
  // Not `.+`, which ends at U+2028: a file may be named so.
  app.get('/v1/channels/:channel/files/:path{[^]+}', (c) => serveFile(c, node, targetOf(c), send))
  app.get('/v1/channels/:channel/watch', (c) => {
    const { channel } = targetOf(c)
    // Nothing would ever come.
    if (!node.stores(channel))
      return problem('API_NOT_FOUND', `this node does not store ${channel}; its channels are configured`)
    // Nobody reads the body of an answer to HEAD: a stream would never notice that its reader is gone.
    if (c.req.method === 'HEAD')
      return new Response(null, { headers: { 'content-type': 'text/event-stream' } })
    if (watchers >= options.limits.maxWatchers)
      return problem('API_BUSY', `${watchers} watchers already; try again later`)
    watchers += 1
    return serveWatch(c, node, channel, {
      answers,
      heartbeatMs: options.limits.watchHeartbeatMs,
      onError: (error) =>
        options.onProblem(isMeshError(error) ? error.code : 'INTERNAL', `watch ${channel}: ${error.message}`),
      onLate: () =>
        options.onProblem(
          'API_BUSY',
          `watch ${channel}: its event, and others, wait until readers have taken their answers`,
        ),
      onEnd: () => {
        watchers -= 1
      },
    })
  })
  app.get('/v1/channels/:channel/car', async (c) => {
    const { bytes, parts } = await node.car(targetOf(c).channel, releaseOf(c))
    // HTTP/1.0 has no chunks: without a length what is cut off would be whole there, to a proxy as well.
    const headers = { 'content-type': CAR_TYPE, 'content-length': String(bytes) }
    if (c.req.method === 'HEAD') return new Response(null, { headers })
    return send(c, parts, bytes, { status: 200, headers })
  })
  describe(app, options.version)
  return app
}

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
const CAR_TYPE = 'application/vnd.ipld.car'

/** Routes served by plain handlers are in the contract all the same. */
function describe(app: OpenAPIHono, version: string): void {
  const { healthz: _h, ...rest } = ROUTES
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

const targetOf = (c: Context): Target => parseTarget(rawUrl(c))
