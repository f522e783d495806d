import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../../src/cli/demo/free-port.ts'
import { Client } from '../../src/client/index.ts'
import { newNode, type Runner } from './processes.ts'

export const LAUNCHER = join(import.meta.dirname, '../../dist/cli/launcher.js')

export interface Run {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Makes a command believe that a person sits before it. */
const AT_TERMINAL = '--import=data:text/javascript,process.stdin.isTTY=process.stderr.isTTY=true'

/**
 * One command as a process of its own, to its end.
 * @param options.says what a person at a terminal answers; without it nobody is there
 */
export function confmesh(
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string; readonly says?: string } = {},
): Promise<Run> {
  const { env, cwd, says } = options
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env, ...(says === undefined ? {} : { NODE_OPTIONS: AT_TERMINAL }) },
    cwd,
  })
  child.stdin.end(says)
  const run = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    run.out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    run.err += text
  })
  return new Promise((resolve) => child.once('close', (code) => resolve({ code: code ?? -1, ...run })))
}

/** The first line of a command that goes on and on, which is then ended. */
export async function firstLine(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [LAUNCHER, ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
  try {
    const lines = createInterface(child.stdout)
    const [line] = (await once(lines, 'line', { signal: AbortSignal.timeout(20_000) })) as [string]
    return line
  } finally {
    child.kill('SIGKILL')
  }
}

/** A command with `--json`; its value, and the exit code beside it. */
export async function json(
  args: readonly string[],
): Promise<{ code: number; value: Record<string, never> & { error?: { code: string; message: string } } }> {
  const { code, out, err } = await confmesh([...args, '--json'])
  try {
    return { code, value: JSON.parse(out) }
  } catch {
    throw new Error(`confmesh ${args.join(' ')}: no JSON: ${out} ${err}`)
  }
}

export interface RealNode {
  readonly name: string
  readonly api: string
  readonly peerId: string
  readonly address: string
  readonly client: Client
  readonly process: ChildProcess
  readonly data: string
  log(): string
  kill(signal?: NodeJS.Signals): Promise<void>
}

export interface InitResult {
  readonly fleetId: string
  readonly root: string
  readonly rootKeys: readonly string[]
  readonly publisherKey: string
  readonly seedConfig: string
  readonly nodeConfig: string
  readonly seedAddress: string
}

export interface Published {
  readonly release: string
  readonly clock: Readonly<Record<string, number>>
  readonly uploadedBytes: number
  readonly unchanged: boolean
  readonly acknowledgedBy: readonly string[]
}

export interface PublishOptions {
  readonly message?: string
  /** Of the publisher; the fleet's own otherwise. */
  readonly key?: string
  readonly seed?: string
}

/** One run of `publish`, whatever comes of it. */
export const tryPublish = (
  fleet: InitResult,
  channel: string,
  dir: string,
  { message = '', key = fleet.publisherKey, seed = fleet.seedAddress }: PublishOptions = {},
): ReturnType<typeof json> =>
  json([
    'publish',
    channel,
    dir,
    '--key',
    key,
    '--seed',
    seed,
    '--yes',
    ...(message === '' ? [] : ['-m', message]),
  ])

/** Publishes a folder by a process of its own. @throws Error with its answer where that was a refusal */
export async function publish(
  fleet: InitResult,
  channel: string,
  dir: string,
  options: PublishOptions = {},
): Promise<Published> {
  const { code, value } = await tryPublish(fleet, channel, dir, options)
  if (code !== 0) throw new Error(`publish ended with ${code}: ${JSON.stringify(value)}`)
  return value as unknown as Published
}

interface StartOptions {
  readonly under?: Runner
  readonly env?: NodeJS.ProcessEnv
  /** Of another build. */
  readonly launcher?: string
  /** Where the log goes instead of `log()`. */
  readonly logTo?: number
}

/** A fleet in a temporary folder; everything started here is gone after `end`. */
export class RealFleet {
  readonly dir = mkdtempSync(join(tmpdir(), 'confmesh-e2e-'))
  readonly nodes = new Set<RealNode>()

  async init(name = 'fleet', more: readonly string[] = []): Promise<InitResult> {
    const port = await freePort()
    const { code, value } = await json(['init', join(this.dir, name), '--port', String(port), ...more])
    if (code !== 0) throw new Error(JSON.stringify(value))
    return value as unknown as InitResult
  }

  /** Starts a node and waits until it listens. */
  async start(
    name: string,
    config: string,
    more: readonly string[] = [],
    { under = newNode, env = {}, launcher = LAUNCHER, logTo }: StartOptions = {},
  ): Promise<RealNode> {
    const data = join(this.dir, name)
    const args = [
      ...under.options,
      launcher,
      'node',
      '--config',
      config,
      '--api',
      '127.0.0.1:0',
      '--json',
      ...more,
    ]
    const child = spawn(under.node, args, {
      stdio: ['ignore', 'pipe', logTo ?? 'pipe'],
      env: { ...process.env, ...env },
    })
    let log = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      log += text
    })
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
    const line = await new Promise<string>((resolve, reject) => {
      createInterface(child.stdout as Readable).once('line', resolve)
      child.once('close', (code) => reject(new Error(`${name} ended with ${code}: ${log}`)))
    })
    const ready = JSON.parse(line) as {
      event?: string
      peerId: string
      addresses: string[]
      api: string
      error?: { message: string }
    }
    if (ready.event !== 'ready') throw new Error(`${name}: ${line}`)
    const node: RealNode = {
      name,
      api: ready.api,
      peerId: ready.peerId,
      address:
        ready.addresses.find((address) => address.startsWith('/ip4/127.0.0.1/')) ??
        (ready.addresses[0] as string),
      client: new Client({ api: ready.api }),
      process: child,
      data,
      log: () => log,
      kill: async (signal = 'SIGKILL') => {
        if (child.exitCode === null && child.signalCode === null) child.kill(signal)
        await closed
        this.nodes.delete(node)
      },
    }
    this.nodes.add(node)
    return node
  }

  startNode(
    name: string,
    fleet: InitResult,
    more: readonly string[] = [],
    options: StartOptions = {},
  ): Promise<RealNode> {
    return this.start(name, fleet.nodeConfig, [...this.own(name), ...more], options)
  }

  /** Options of a node that shares its configuration with others. */
  own(name: string): string[] {
    return ['--data', join(this.dir, name), '--listen', '/ip4/127.0.0.1/tcp/0']
  }

  /** A folder with these files. */
  files(name: string, files: Readonly<Record<string, string>>): string {
    const dir = join(this.dir, name)
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, path)), { recursive: true })
      writeFileSync(join(dir, path), text)
    }
    return dir
  }

  async end(): Promise<void> {
    await Promise.all([...this.nodes].map((node) => node.kill('SIGKILL')))
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/** Once the deadline has passed: who stood still until then, as all on a machine may, has not yet waited for the others. */
const LATE_LOOKS = 5

/**
 * Asks again until the condition holds.
 * @throws Error with `what` and the last answer once the deadline has passed, and some more looks have
 */
export async function until<T>(
  what: string,
  deadlineMs: number,
  ask: () => Promise<T | undefined | false>,
): Promise<T> {
  const end = performance.now() + deadlineMs
  let last: unknown
  for (let late = 0; ; ) {
    if (performance.now() > end) late += 1
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== false) return answer
      last = answer
    } catch (error) {
      last = error
    }
    if (late === LATE_LOOKS) throw new Error(`not within ${deadlineMs} ms: ${what} (last: ${String(last)})`)
    await delay(50)
  }
}

/** Every one of these nodes runs the release. */
export async function converged(
  nodes: readonly RealNode[],
  channel: string,
  release: string,
  deadlineMs = 30_000,
): Promise<void> {
  await Promise.all(
    nodes.map((node) =>
      until(
        `${node.name} runs ${release.slice(0, 12)}`,
        deadlineMs,
        async () => (await node.client.channel(channel)).active?.release === release,
      ),
    ),
  )
}

/**
 * What a node says of itself comes beside the releases, so that convergence does not tell it. LevelDB appends what is put, as it
 * is, to a log: there is a peer's record, for the next start.
 */
export const remembersPeers = (data: string): Promise<true> =>
  until(`a peer is written down in ${data}`, 30_000, async () => {
    const dir = join(data, 'peers')
    return readdirSync(dir).some((file) => readFileSync(join(dir, file)).includes('confmesh-record'))
  })
