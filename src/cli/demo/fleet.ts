import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MeshError } from '../../errors.ts'
import { asMeshError } from '../output.ts'
import { freePort } from './free-port.ts'
import { type NodeProcess, Processes } from './processes.ts'

export const REGIONS = ['eu', 'us', 'ap', 'sa', 'af', 'me', 'oc', 'ca', 'in']
export const CHANNEL = 'demo/app'

const START_DEADLINE_MS = 30_000
/** More at once would only wait for one another on a small machine. */
const STARTING_AT_ONCE = 4

/** Where a demo takes place: a temporary folder, which holds keys too, and the processes that run in it. */
export interface Place {
  readonly dir: string
  readonly processes: Processes
  /** @param keep the folder, for its logs */
  leave(keep?: boolean): Promise<void>
}

/** @throws MeshError INPUT_PATH */
export function openPlace(): Place {
  const dir = makeFolder()
  const processes = new Processes()
  return {
    dir,
    processes,
    async leave(keep = false) {
      await processes.end(2_000)
      if (!keep) rmSync(dir, { recursive: true, force: true })
    },
  }
}

export interface DemoFleet {
  readonly processes: Processes
  readonly content: string
  readonly key: string
  readonly seeds: readonly NodeProcess[]
  readonly nodes: readonly NodeProcess[]
}

/** A failure in words, with where to look: whoever reads it keeps the folder. */
export function withLogs(error: unknown, { dir, processes: { cutLogs } }: Place): MeshError {
  const { code, message, details } = asMeshError(error)
  const cut = cutLogs === 0 ? '' : `, ${cutLogs} of them cut short: is the disk full?`
  return new MeshError(
    code,
    `${message}; the logs are in ${dir}${cut}`,
    { ...details, dir },
    { cause: error },
  )
}

/** Keys, root and configurations, then one seed per region and the nodes, as real processes. */
export async function startFleet(
  { dir, processes }: Place,
  count: number,
  regions: number,
  say: (text: string) => void,
): Promise<DemoFleet> {
  say(`making keys and a trust root in ${dir}`)
  const configs = await makeConfigs(processes, join(dir, 'fleet'), regions)
  say(`starting ${regions} seeds and ${count} nodes`)
  const start = (name: string, at: number, args: readonly string[]) =>
    processes.startNode(
      name,
      REGIONS[at % regions] as string,
      ['--api', '127.0.0.1:0', ...args],
      join(dir, `${name}.log`),
      START_DEADLINE_MS,
    )
  const seeds = await inTurns(configs.seeds, (config, at) =>
    start(`seed-${REGIONS[at]}`, at, ['--config', config]),
  )
  const known = seeds.flatMap((seed) => ['--seed', seed.addresses[0] as string])
  const nodes = await inTurns([...Array(count).keys()], (at) => {
    const name = `node-${String(at + 1).padStart(2, '0')}`
    const own = ['--data', join(dir, name), '--listen', '/ip4/127.0.0.1/tcp/0']
    return start(name, at, ['--config', configs.node, ...own, ...known])
  })
  return { processes, content: makeContent(dir), key: configs.key, seeds, nodes }
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

interface Configs {
  readonly key: string
  readonly node: string
  readonly seeds: readonly string[]
}

async function makeConfigs(processes: Processes, dir: string, regions: number): Promise<Configs> {
  const ports = await Promise.all(Array.from({ length: regions }, freePort))
  const made = (await processes.run(['init', dir, '--port', String(ports[0]), '--channel', '**'])) as {
    root: string
    rootKeys: string[]
    publisherKey: string
    seedConfig: string
    nodeConfig: string
  }
  const seeds = [made.seedConfig]
  for (const port of ports.slice(1)) {
    const folder = `${dir}-seed-${seeds.length + 1}`
    const more = await processes.run([
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
