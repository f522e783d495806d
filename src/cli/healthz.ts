/**
 * Whether a node answers, by the exit code: for the health check of the image and the probes of a pod. It asks where commands
 * ask, for what needs no token, and loads nothing of the program. Without an answer the timeout of whoever runs it ends it.
 */
import { get } from 'node:http'

const api = process.env.CONFMESH_API || 'http://127.0.0.1:7480'
const asked = api.startsWith('unix:')
  ? { socketPath: api.slice(5), path: '/healthz' }
  : new URL('/healthz', api)

get(asked, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))
