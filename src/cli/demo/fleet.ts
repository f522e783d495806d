import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isMeshError, MeshError } from '../../errors.ts'
import { type NodeProcess, run, startNode } from './processes.ts'

export const REGIONS = ['eu', 'us', 'ap', 'sa', 'af', 'me', 'oc', 'ca', 'in']
export const CHANNEL = 'demo/app'

const START_DEADLINE_MS = 30_000
/** More at once would only wait for one another on a small machine. */
const STARTING_AT_ONCE = 4

export interface DemoFleet {
  readonly dir: string
  readonly content: string
  readonly key: string
  readonly seeds: readonly NodeProcess[]
  readonly nodes: readonly NodeProcess[]
  /** @param keep the folder, for its logs */
  stop(keep?: boolean): Promise<void>
}

/** A failure in words, with where to look: whoever reads it keeps the folder. */
export function withLogs(error: unknown, dir: string): unknown {
  if (!isMeshError(error)) return error
  const { code, message, details } = error
  return new MeshError(code, `${message}; the logs are in ${dir}`, { ...details, dir }, { cause: error })
}

/** Keys, root and configurations in a temporary folder, then one seed per region and the nodes, as real processes. */
export async function startFleet(
  count: number,
  regions: number,
  say: (text: string) => void,
): Promise<DemoFleet> {
  const dir = makeFolder()
  const started: NodeProcess[] = []
  const stop = async (keep = false): Promise<void> => {
    await Promise.all(started.map((node) => node.stop(2_000)))
    if (!keep) rmSync(dir, { recursive: true, force: true })
  }
  try {
    say(`making keys and a trust root in ${dir}`)
    const fleet = join(dir, 'fleet')
    const configs = await makeConfigs(fleet, regions)
    say(`starting ${regions} seeds and ${count} nodes`)
    const seeds = await inTurns(configs.seeds, (config, at) => {
      const name = `seed-${REGIONS[at]}`
      return start(dir, name, REGIONS[at] as string, ['--config', config, '--api', '127.0.0.1:0'], started)
    })
    const nodes = await inTurns([...Array(count).keys()], (at) => {
      const region = REGIONS[at % regions] as string
      const name = `node-${String(at + 1).padStart(2, '0')}`
      const own = [
        '--config',
        configs.node,
        '--data',
        join(dir, name),
        '--api',
        '127.0.0.1:0',
        '--listen',
        '/ip4/127.0.0.1/tcp/0',
      ]
      const all = seeds.flatMap((seed) => ['--seed', seed.addresses[0] as string])
      return start(dir, name, region, [...own, ...all], started)
    })
    return { dir, content: makeContent(dir), key: configs.key, seeds, nodes, stop }
  } catch (error) {
    await stop(true)
    throw withLogs(error, dir)
  }
}

/** @throws MeshError INPUT_PATH */
function makeFolder(): string {
  try {
    return mkdtempSync(join(tmpdir(), 'confmesh-demo-'))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const text = `cannot make a folder in ${tmpdir()}: ${code}; set TMPDIR to one that this user may write to`
    throw new MeshError('INPUT_PATH', text, { path: tmpdir() }, { cause: error })
  }
}

async function start(
  dir: string,
  name: string,
  region: string,
  args: readonly string[],
  started: NodeProcess[],
): Promise<NodeProcess> {
  const node = await startNode(name, region, args, join(dir, `${name}.log`), START_DEADLINE_MS)
  started.push(node)
  return node
}

interface Configs {
  readonly key: string
  readonly node: string
  readonly seeds: readonly string[]
}

async function makeConfigs(dir: string, regions: number): Promise<Configs> {
  const ports = await freePorts(regions)
  const made = (await run(['init', dir, '--port', String(ports[0]), '--channel', '**'])) as {
    root: string
    rootKeys: string[]
    publisherKey: string
    seedConfig: string
    nodeConfig: string
  }
  const seeds = [made.seedConfig]
  for (const port of ports.slice(1)) {
    const folder = `${dir}-seed-${seeds.length + 1}`
    const more = await run([
      'add-seed',
      folder,
      '--from',
      made.seedConfig,
      '--host',
      '127.0.0.1',
      '--port',
      String(port),
      '--root',
      made.root,
      '--root-key',
      ...made.rootKeys,
    ])
    seeds.push(more.seedConfig as string)
  }
  return { key: made.publisherKey, node: made.nodeConfig, seeds }
}

function makeContent(dir: string): string {
  const content = join(dir, 'content')
  mkdirSync(join(content, 'routes'), { recursive: true })
  writeFileSync(join(content, 'app.yaml'), 'greeting: hello\nreplicas: 3\n')
  writeFileSync(join(content, 'limits.json'), `${JSON.stringify({ requestsPerSecond: 100 })}\n`)
  writeFileSync(join(content, 'routes', 'eu.yaml'), 'upstream: eu-1\n')
  return content
}

/** Ports nobody listens on at this moment. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject)
          server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
        }),
    ),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

/** Runs at most a few at a time, results in order. */
async function inTurns<T, R>(items: readonly T[], work: (item: T, at: number) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at] as T, at)
  }
  await Promise.all(Array.from({ length: STARTING_AT_ONCE }, worker))
  return results
}
