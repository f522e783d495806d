/** A seed and a few nodes, without proxies: for kills and soak. */
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json, LAUNCHER, portsFrom, SMALL_CACHE } from './fleet.ts'
import { Member } from './member.ts'

const START_MS = 120_000

export interface SmallFleet {
  readonly dir: string
  readonly key: string
  readonly seed: Member
  readonly nodes: readonly Member[]
  end(): Promise<void>
}

/** Ends the fleet whatever happens, a signal included. The seed is up, the nodes are not. @returns what `work` gives */
export async function onSmallFleet<T>(
  count: number,
  say: (text: string) => void,
  work: (fleet: SmallFleet) => Promise<T>,
): Promise<T> {
  const fleet = await smallFleet(count)
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      say(`${signal}: given up`)
      void fleet.end().finally(() => process.exit(1))
    })
  try {
    return await work(fleet)
  } finally {
    await fleet.end()
  }
}

async function smallFleet(count: number): Promise<SmallFleet> {
  const dir = mkdtempSync(join(tmpdir(), 'confmesh-chaos-'))
  const init = await json(['init', join(dir, 'fleet'), '--channel', 'chaos/*'])
  const port = portsFrom()
  const seeds: string[] = []
  const member = async (name: string, config: string): Promise<Member> => {
    const own = await port()
    const ports = { port: own, proxyPort: own, apiPort: await port() }
    return new Member({ name, dir, config, region: 'eu', ...ports, seeds, launcher: LAUNCHER })
  }
  for (const config of [init.seedConfig, init.nodeConfig]) appendFileSync(config as string, SMALL_CACHE)
  const seed = await member('seed', init.seedConfig as string)
  const nodes: Member[] = []
  for (let at = 1; at <= count; at++) nodes.push(await member(`node-${at}`, init.nodeConfig as string))
  const end = async (): Promise<void> => {
    await Promise.all([seed, ...nodes].map((one) => one.end()))
    rmSync(dir, { recursive: true, force: true })
  }
  await seed.start(START_MS)
  if (!seed.ready) {
    await end()
    throw new Error(`the seed did not start: ${seed.failures.join()}`)
  }
  seeds.push(seed.address)
  return { dir, key: init.publisherKey as string, seed, nodes, end }
}
