/** Founds the fleet that chaos comes over: regions with a seed each, publishers, two builds of the program. */
import { spawn } from 'node:child_process'
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { LIMITS } from '../../src/limits.ts'
import { Links } from './links.ts'
import { Member } from './member.ts'
import { behind } from './priority.ts'
import { secondBuild } from './second-build.ts'

const ROOT = resolve(import.meta.dirname, '../..')
export const LAUNCHER = join(ROOT, 'dist/cli/launcher.js')
const REGIONS = ['eu', 'us', 'ap']
const PUBLISHERS = ['publisher', 'second', 'third']
const START_MS = 300_000
const AT_ONCE = 9
/** So small that a run of minutes collects, and an hour's releases do not fill a small disk. */
export const SMALL_CACHE = '\nlimits:\n  maxCacheBytes: 16777216\n'
/** Below the ports that the system hands out by itself: one of those would be taken while its node is down. */
const FIRST_PORT = 21_000

export interface Publisher {
  readonly name: string
  readonly key: string
}

export interface Fleet {
  readonly dir: string
  readonly regions: readonly string[]
  readonly publishers: readonly Publisher[]
  readonly members: readonly Member[]
  readonly seeds: readonly Member[]
  readonly links: Links
  /** The launcher that a node is not run by now. */
  otherBuild(launcher: string): string
  end(): Promise<void>
}

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** One command to its end, or until it is killed. */
export async function confmesh(args: readonly string[], killAfterMs = 120_000): Promise<Ran> {
  const child = spawn(process.execPath, [LAUNCHER, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  behind(child)
  const ran = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ran.out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    ran.err += text
  })
  const patience = setTimeout(() => child.kill('SIGKILL'), killAfterMs)
  const code = await new Promise<number>((done) => child.once('close', (code) => done(code ?? -1)))
  clearTimeout(patience)
  return { code, ...ran }
}

export async function json(args: readonly string[]): Promise<Record<string, string>> {
  const { code, out, err } = await confmesh([...args, '--json'])
  if (code !== 0) throw new Error(`confmesh ${args.join(' ')}: exit ${code}: ${out} ${err}`)
  return JSON.parse(out) as Record<string, string>
}

/** @param patience what a node's time for an orderly stop is multiplied by, as the checker's bounds are */
export async function found(count: number, patience: number, say: (text: string) => void): Promise<Fleet> {
  const dir = mkdtempSync(join(tmpdir(), 'confmesh-chaos-'))
  const { configs, nodeConfig, publishers } = await documents(dir, patience)
  const other = secondBuild(join(dir, 'other-build'), '0.1.1-chaos')
  const members: Member[] = []
  const links = new Links((name) => members.find((member) => member.name === name)?.pid)
  const seeds: string[] = []
  const end = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.end()))
    links.stop()
  }
  try {
    const port = portsFrom()
    const add = async (at: number): Promise<Member> => {
      const region = REGIONS[at % REGIONS.length] as string
      const isSeed = at < REGIONS.length
      const name = isSeed ? `seed-of-${region}` : `node-${String(at + 1).padStart(2, '0')}`
      const ports = { port: await port(), proxyPort: await port(), apiPort: await port() }
      const config = isSeed ? (configs[at] as string) : nodeConfig
      const member = new Member({ name, dir, config, region, ...ports, seeds, launcher: LAUNCHER })
      members.push(member)
      if (at % 3 === 0) member.mount()
      await links.open(name, ports.port, ports.proxyPort)
      return member
    }
    const start = async (member: Member): Promise<void> => {
      await member.start(START_MS)
      if (!member.ready)
        throw new Error(`${member.name} did not start: ${member.failures.join()}${member.lastWords}`)
    }
    for (let at = 0; at < REGIONS.length; at++) {
      const seed = await add(at)
      await start(seed)
      seeds.push(seed.address)
    }
    for (let at = REGIONS.length; at < count; at += AT_ONCE) {
      const group: Member[] = []
      for (let one = at; one < Math.min(at + AT_ONCE, count); one++) group.push(await add(one))
      await Promise.all(group.map(start))
    }
  } catch (error) {
    await end()
    rmSync(dir, { recursive: true, force: true })
    throw error
  }
  say(`${members.length} nodes are up, ${members.filter(({ hasDisk }) => hasDisk).length} have a small disk`)
  return {
    ...{ dir, regions: REGIONS, publishers, members, links, end },
    seeds: members.slice(0, REGIONS.length),
    otherBuild: (launcher) => (launcher === LAUNCHER ? other : LAUNCHER),
  }
}

async function documents(dir: string, patience: number) {
  const fleet = join(dir, 'fleet')
  const init = await json(['init', fleet, '--channel', 'chaos/*'])
  const [root, key] = [init.root as string, join(fleet, 'root-1.key')]
  const signed = ['--root', root, '--root-key', key]
  const publishers: Publisher[] = [{ name: PUBLISHERS[0] as string, key: init.publisherKey as string }]
  for (const name of PUBLISHERS.slice(1)) {
    const folder = join(dir, `publisher-${name}`)
    mkdirSync(folder)
    const own = join(folder, 'publisher.key')
    await json(['keygen', '--out', own])
    const role = ['--public-key', `${own}.pub`, '--threshold', '1', '--channel', 'chaos/*']
    await json(['trust', 'add-publisher', name, ...role, ...signed])
    publishers.push({ name, key: own })
  }
  // each seed's own root is at most one older than what the nodes begin with: they hand it on
  const configs = [init.seedConfig as string]
  for (const region of REGIONS.slice(1)) {
    const made = join(dir, `seed-${region}`)
    await json(['add-seed', made, '--from', configs[0] as string, '--host', '127.0.0.1', ...signed])
    configs.push(join(made, 'seed.yaml'))
  }
  const stop = `  stopDeadlineMs: ${LIMITS.stopDeadlineMs * patience}\n`
  for (const config of [...configs, init.nodeConfig as string])
    appendFileSync(config, `${SMALL_CACHE}${stop}`)
  for (const { key: own } of publishers.slice(1)) cpSync(root, join(own, '..', basename(root)))
  return { configs, nodeConfig: init.nodeConfig as string, publishers }
}

/** Free ports, one after another. */
export function portsFrom(first = FIRST_PORT): () => Promise<number> {
  let next = first + Math.floor((process.pid % 100) * 100)
  return async () => {
    for (;;) {
      const port = next++
      const server = createServer()
      const free = await new Promise<boolean>((done) => {
        server.once('error', () => done(false))
        server.listen(port, '127.0.0.1', () => done(true))
      })
      await new Promise((done) => server.close(done))
      if (free) return port
    }
  }
}
