/**
 * Several real nodes in one process, each with its own identity, store, connections and HTTP server: as many of them
 * fit on one machine as a fleet of one process a node would not. Logs go to stderr, addresses of their APIs to stdout.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadConfig } from '../src/daemon/config.ts'
import { startNode } from '../src/daemon/node.ts'

const { values } = parseArgs({
  options: {
    config: { type: 'string' },
    dir: { type: 'string' },
    first: { type: 'string' },
    count: { type: 'string' },
    label: { type: 'string', multiple: true, default: [] },
  },
})
const { config = '', dir = '', first = '1', count = '1', label } = values
const labels = label
  .map((text) => text.split('='))
  .map(([key, value]) => [`labels.${key}`, value ?? ''] as const)
const apis: string[] = []
for (let at = Number(first); at < Number(first) + Number(count); at += 1) {
  const data = join(dir, `node-${at}`)
  mkdirSync(data, { recursive: true })
  const overrides = new Map<string, string | readonly string[]>([
    ['data', data],
    ['listen', ['/ip4/127.0.0.1/tcp/0']],
    ['api.listen', '127.0.0.1:0'],
    ...labels,
  ])
  const { ready } = await startNode(loadConfig(config, process.env, overrides), 'bench')
  apis.push(ready.api)
}
process.stdout.write(`${JSON.stringify({ apis })}\n`)
