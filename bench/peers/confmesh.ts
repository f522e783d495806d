/** confmesh: a real seed and a real publisher beside it; nodes are whole daemons, several in a process. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { withSession } from '../../src/cli/publish-session.ts'
import { type ChannelWithHistory, Client } from '../../src/client/index.ts'
import { loadConfig } from '../../src/daemon/config.ts'
import { startNode } from '../../src/daemon/node.ts'
import { LIMITS } from '../../src/limits.ts'
import { parseChannel } from '../../src/model/names.ts'
import { build } from '../../src/publish/build.ts'
import { total } from '../metrics.ts'
import { publishRelease } from '../publish-release.ts'
import { type Lab, ORIGIN_ADDRESS, Program } from './lab.ts'
import { type Running, readyOf, type System, shares, until } from './system.ts'
import type { Role } from './worker.ts'

const CHANNEL = parseChannel('bench/config')
const CLI = join(import.meta.dirname, '../../dist/cli/launcher.js')
const DEADLINE_MS = 180_000
const LATE_MS = 500
/** A hundred whole daemons on two cores, and the links among them. */
const START_MS = 300_000
/** Of each node, where there are so many others. */
const LINKS = 8
/** Once links stand: the mesh of gossip, the first comparisons and what is said once; a young fleet is not idle. */
const CALM_MS = 45_000
const QUICK_CALM_MS = 5_000
interface Init {
  readonly publisherKey: string
  readonly seedConfig: string
  readonly nodeConfig: string
  readonly seedAddress: string
}

function init(lab: Lab): Init {
  const args = ['init', join(lab.dir, 'mesh'), '--host', ORIGIN_ADDRESS, '--channel', 'bench/*', '--json']
  return JSON.parse(execFileSync(process.execPath, [CLI, ...args]).toString()) as Init
}

export const confmesh: System = {
  name: 'confmesh',
  about:
    'one seed and its publisher at the origin; whole nodes, 25 in a process, each verifies every signature and block and keeps it in its own LevelDB; nothing is materialized',
  missing: () => undefined,
  async start(lab, subscribers, quick): Promise<Running> {
    const fleet = init(lab)
    lab.spawn('origin', [
      'env',
      'CONFMESH_NODE_LOG_LEVEL=error',
      process.execPath,
      CLI,
      'node',
      '--config',
      fleet.seedConfig,
    ])
    const publisher = new Program(lab, 'origin', 'confmesh', 'publisher', fleet)
    let first = 0
    const nodes = shares(subscribers).map((count) => {
      const links = Math.min(LINKS, subscribers)
      const options = { config: fleet.nodeConfig, dir: lab.dir, first, count, links }
      first += count
      return new Program(lab, 'fleet', 'confmesh', 'nodes', options)
    })
    await until('the publisher has reached the seed', DEADLINE_MS, () =>
      readyOf(publisher.said) === 1 ? true : undefined,
    )
    await until('all nodes run and have their links', START_MS, () =>
      nodes.reduce((sum, { said }) => sum + readyOf(said), 0) === subscribers ? true : undefined,
    )
    await delay(quick ? QUICK_CALM_MS : CALM_MS)
    return {
      async publish(seq, path) {
        publisher.tell({ path, seq })
      },
      said: () => nodes.flatMap(({ said }) => said),
    }
  },
}

export const publisher: Role = async (o, { say, commands }) => {
  const { publisherKey, seedAddress } = o as unknown as Init
  await until('the seed answers', DEADLINE_MS, async () => {
    try {
      await withSession({ key: [publisherKey], seed: [seedAddress] }, async () => undefined)
      return true
    } catch {
      return undefined
    }
  })
  await withSession({ key: [publisherKey], seed: [seedAddress] }, async (session) => {
    say({ ready: 1 })
    for await (const command of commands) {
      const { path, seq } = JSON.parse(command) as { path: string; seq: number }
      const content = await build([path], { limits: LIMITS })
      await publishRelease(session, CHANNEL, content, String(seq))
    }
  })
}

export const nodes: Role = async (o, { say }) => {
  const clients: Client[] = []
  const apis: string[] = []
  for (let at = 0; at < Number(o.count); at++) {
    const data = join(String(o.dir), `node-${Number(o.first) + at}`)
    const overrides = new Map([
      ['data', data],
      ['api.listen', '127.0.0.1:0'],
      ['log.level', 'error'],
    ])
    const node = await startNode(loadConfig(String(o.config), {}, overrides), 'bench')
    clients.push(new Client({ api: node.ready.api }))
    apis.push(node.ready.api)
  }
  for (const api of apis)
    await until('a node has its links', START_MS, async () =>
      (await total(api, 'confmesh_peers')) >= Number(o.links) ? true : undefined,
    )
  say({ ready: clients.length })
  await Promise.all(clients.map((client) => tellArrivals(client, say)))
}

/** As an application is told; when the node ran it is in its own history. */
async function tellArrivals(client: Client, say: Parameters<Role>[1]['say']): Promise<void> {
  for await (const { release } of client.events(CHANNEL)) {
    const active = await activeAt(client)
    if (active?.release === release)
      say({ got: Number(active.message), atMs: Date.parse(active.activatedAt) })
  }
}

/** On a host with too much to do an answer may be late: it is asked for again. */
async function activeAt(client: Client): Promise<ChannelWithHistory['active']> {
  for (;;) {
    try {
      return (await client.channel(CHANNEL)).active
    } catch {
      await delay(LATE_MS)
    }
  }
}
