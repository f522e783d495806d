import { createRoute, z } from '@hono/zod-openapi'

/**
 * The HTTP contract, once: the server's routes, the OpenAPI document and the client's types all come from these
 * schemas. Fields are only ever added.
 */
const releaseId = z.string().regex(/^[0-9a-f]{64}$/)
const clock = z.record(z.string(), z.number())

export const PROBLEM = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number(),
    code: z.string().openapi({ description: 'Stable code, see docs/errors.md' }),
    detail: z.string(),
  })
  .openapi('Problem')

const ACTIVE = z.object({
  release: releaseId,
  clock,
  publisher: z.string(),
  message: z.string(),
  activatedAt: z.string(),
})
const HEAD = z.object({
  release: releaseId,
  clock,
  publisher: z.string(),
  message: z.string(),
  created: z.string(),
})

export const CHANNEL = z
  .object({
    channel: z.string(),
    active: ACTIVE.nullable(),
    heads: z.array(HEAD),
    state: z.enum(['active', 'fetching', 'conflict', 'held', 'stale', 'empty']),
    gate: z
      .enum(['content', 'unsupported', 'rollout', 'expired', 'root-expired', 'read-only', 'health'])
      .nullable(),
    lastError: z
      .object({
        code: z.string(),
        message: z.string(),
        release: releaseId
          .optional()
          .openapi({ description: 'The one it is about, such as one that failed its check' }),
      })
      .nullable(),
    // Absent from nodes of before it.
    fetch: z.object({ have: z.number(), blocks: z.number() }).nullable().default(null).openapi({
      description: 'Of the release on its way: blocks here and in all; the manifest names more as it comes',
    }),
  })
  .openapi('Channel')

export const CHANNEL_WITH_HISTORY = CHANNEL.extend({
  history: z.array(z.object({ release: releaseId, clock, message: z.string(), activatedAt: z.string() })),
}).openapi('ChannelWithHistory')

export const STATUS = z
  .object({
    peerId: z.string(),
    fleetId: z.string(),
    version: z.string(),
    uptimeSeconds: z.number(),
    labels: z.record(z.string(), z.string()),
    addresses: z.array(z.string()).openapi({ description: 'Where others reach it: what it announces' }),
    // Absent from nodes of before it.
    listening: z.array(z.string()).default([]).openapi({
      description: 'Where it listens itself: on its own host it is reached there, whatever it announces',
    }),
    peers: z.object({ connected: z.number(), byRegion: z.record(z.string(), z.number()) }),
    root: z.object({ version: z.number(), expires: z.string() }),
    certificate: z
      .object({
        valid: z.boolean(),
        problem: z.object({ code: z.string(), message: z.string() }).nullable(),
        labels: z.record(z.string(), z.string()),
        pool: z.string().nullable(),
        expires: z.string().nullable(),
      })
      .optional(),
    // Absent from nodes of before it.
    patterns: z.array(z.string()).default([]).openapi({ description: 'Channels that it stores' }),
    channels: z.array(CHANNEL),
    store: z.object({ bytes: z.number(), readOnly: z.boolean() }),
    // Absent from nodes of before it.
    problems: z.array(z.object({ code: z.string(), message: z.string() })).default([]),
  })
  .openapi('Status')

export const READY = z.object({ ready: z.boolean(), waitingFor: z.array(z.string()) }).openapi('Ready')

export const FILES = z
  .object({
    release: releaseId,
    files: z.array(z.object({ path: z.string(), mode: z.number(), size: z.number(), digest: releaseId })),
  })
  .openapi('Files')

export const RELEASE_EVENT = z
  .object({
    release: releaseId,
    clock,
    changed: z.array(z.string()).openapi({
      description:
        'Paths that differ from the release said before, or named by Last-Event-ID; where the node does not know that one, all paths of this one: what is gone with it is not named then',
    }),
  })
  .openapi('ReleaseEvent')

export type Status = z.infer<typeof STATUS>
export type ChannelEntry = z.infer<typeof CHANNEL>
export type ChannelWithHistory = z.infer<typeof CHANNEL_WITH_HISTORY>
export type Files = z.infer<typeof FILES>
export type ReleaseEvent = z.infer<typeof RELEASE_EVENT>
export type Ready = z.infer<typeof READY>

const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { 'application/json': { schema } },
})
const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: PROBLEM } },
})
/** Every route may refuse so, but for the health routes, which ask for no token. */
const asked = {
  400: problem('Malformed'),
  405: problem('Neither GET nor HEAD'),
  415: problem('A body with Content-Encoding'),
  421: problem('A Host header that is no address and no configured name'),
}
const withToken = {
  ...asked,
  401: problem('A token is wanted'),
  503: problem('Too many watchers, or long answers that nobody has read yet'),
}
/** Of what a release holds. */
const withContent = {
  ...withToken,
  410: problem('The release is no longer stored'),
  503: problem(
    'Its content is damaged, or on its way here, and comes from peers; or long answers that nobody has read yet',
  ),
}
const channelParam = z.object({
  channel: z
    .string()
    .openapi({ description: 'Channel name, percent-encoded into one segment', example: 'payments%2Fprod' }),
})
const releaseQuery = z.object({
  release: releaseId.optional().openapi({ description: 'A stored release; default the active one' }),
})
const binary = { description: 'The bytes', content: { 'application/octet-stream': { schema: z.string() } } }

export const ROUTES = {
  healthz: createRoute({
    method: 'get',
    path: '/healthz',
    responses: { 200: json(z.object({ ok: z.literal(true) }), 'The process answers'), ...asked },
  }),
  readyz: createRoute({
    method: 'get',
    path: '/readyz',
    responses: {
      200: json(READY, 'Every channel has an active release'),
      503: json(READY, 'Not yet'),
      ...asked,
    },
  }),
  status: createRoute({
    method: 'get',
    path: '/v1/status',
    responses: { 200: json(STATUS, 'The node and its channels'), ...withToken },
  }),
  channel: createRoute({
    method: 'get',
    path: '/v1/channels/{channel}',
    request: { params: channelParam },
    responses: {
      200: json(CHANNEL_WITH_HISTORY, 'One channel'),
      404: problem('Not a channel known here'),
      ...withToken,
    },
  }),
  files: createRoute({
    method: 'get',
    path: '/v1/channels/{channel}/files',
    request: { params: channelParam, query: releaseQuery },
    responses: {
      200: json(FILES, 'Files of the release'),
      404: problem('No such channel, or nothing active'),
      ...withContent,
    },
  }),
  file: createRoute({
    method: 'get',
    path: '/v1/channels/{channel}/files/{path}',
    request: { params: channelParam.extend({ path: z.string() }), query: releaseQuery },
    responses: {
      200: binary,
      206: binary,
      304: { description: 'Not modified' },
      404: problem('No such file'),
      ...withContent,
      416: problem('Range not satisfiable'),
    },
  }),
  watch: createRoute({
    method: 'get',
    path: '/v1/channels/{channel}/watch',
    request: { params: channelParam },
    responses: {
      200: {
        description: 'Server-sent events `release`',
        content: { 'text/event-stream': { schema: RELEASE_EVENT } },
      },
      404: problem('Not a channel that this node stores'),
      ...withToken,
    },
  }),
  car: createRoute({
    method: 'get',
    path: '/v1/channels/{channel}/car',
    request: { params: channelParam, query: releaseQuery },
    responses: {
      200: binary,
      404: problem('No such release'),
      ...withContent,
    },
  }),
  metrics: createRoute({
    method: 'get',
    path: '/metrics',
    responses: {
      200: { description: 'Prometheus text', content: { 'text/plain': { schema: z.string() } } },
      ...withToken,
    },
  }),
} as const
