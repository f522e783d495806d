/** Row 74: keys planted in a node are in nothing that it says. */
import { spawn } from 'node:child_process'
import { chmodSync, closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { loadConfig } from '../../src/daemon/config.ts'
import type { Address } from '../../src/model/ids.ts'
import { privateKeyFromPem } from '../../src/trust/private-key.ts'
import { ADMITTED, STRANGER } from './kit/attacks.ts'
import { type AttackedFleet, CHANNEL, PUBLISHER } from './kit/fleet.ts'
import { Hostile } from './kit/hostile.ts'
import { stage } from './kit/stage.ts'
import { until } from './kit/victim.ts'

const { fleet: aFleet, victim: aVictim } = stage()
/** Of a process from source, on a host that is busy. */
const START_MS = 60_000
const LET_IN_MS = 30_000
const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')
const ROUTES = ['/v1/status', '/metrics', '/openapi.json', '/healthz', '/readyz', '/v1/channels/none', '/%zz']

/** Every form in which a key might come out: its PEM, and its raw bytes. */
const formsOf = (pem: string): string[] => {
  const base64 = pem.replace(/-----[^-]+-----|\s/g, '')
  // the raw key is the tail of the PKCS#8 form
  const raw = Buffer.from(base64, 'base64').subarray(-32)
  return [base64.slice(-40), raw.toString('hex'), raw.toString('base64').slice(0, 40), raw.join(',')]
}

function expectNone(said: readonly string[], secrets: readonly string[]): void {
  expect(said.flatMap((text) => secrets.filter((secret) => text.includes(secret)))).toEqual([])
}

const answersOf = (api: string, token = ''): Promise<string[]> => {
  const headers = { authorization: `Bearer ${token}` }
  return Promise.all(ROUTES.map(async (route) => (await fetch(`${api}${route}`, { headers })).text()))
}

/** A command in a process of its own, with all that it says in one file. */
function command(dir: string, args: readonly string[]) {
  const file = join(dir, 'said.txt')
  const to = openSync(file, 'w')
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', to, to] })
  closeSync(to)
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  return { said: () => readFileSync(file, 'utf8'), ended, stop: () => child.kill('SIGTERM') }
}

test('not in status, metrics, openapi, errors, nor in a key that is printed', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { seed: true })
  const pems = ['freshness.key', 'data/identity.key'].map((name) =>
    readFileSync(join(victim.dir, name), 'utf8'),
  )
  const said = await answersOf(victim.api)
  const keys = pems.map(privateKeyFromPem)
  said.push(
    ...keys.flatMap((key) => [
      inspect(key, { depth: 9, showHidden: true }),
      JSON.stringify(key),
      String(key),
    ]),
  )
  expectNone(said, pems.flatMap(formsOf))
  expect(said.join('').length).toBeGreaterThan(1_000)
})

/** Of a victim that stands still, as a file: everything that may hold a secret, in its folder. */
function configure(dir: string, token: string): string {
  writeFileSync(join(dir, 'token'), `${token}\n`, { mode: 0o600 })
  const config = join(dir, 'node.yaml')
  const settings = {
    root: 'root.json',
    data: 'data',
    listen: ['/ip4/127.0.0.1/tcp/0'],
    channels: ['pay/**'],
    admission: { certificate: 'node.cert.json' },
    submit: true,
    freshness: { key: 'freshness.key' },
    api: { listen: '127.0.0.1:0', tokenFile: 'token' },
    log: { level: 'debug' },
  }
  writeFileSync(config, JSON.stringify(settings))
  return config
}

/** Everything that anybody may do to a node, each by a peer of its own. */
async function attackAll(fleet: AttackedFleet, address: Address): Promise<void> {
  const aim = {
    fleet: fleet.root.fleetId,
    root: 1,
    channel: CHANNEL,
    publisher: PUBLISHER,
    keys: fleet.publisherKeys.map(({ id }) => id),
    overheard: [fleet.release().bytes],
  }
  for (const attack of [...Object.values(STRANGER), ...Object.values(ADMITTED)]) {
    const hostile = await Hostile.start(fleet)
    try {
      await letIn(hostile, address)
      // cut off in the middle, as it may be
      await attack(hostile, aim).catch(() => undefined)
    } finally {
      await hostile.stop()
    }
  }
}

/** A node that has the flood before this one to go through yet may cut off whoever is being let in. */
async function letIn(hostile: Hostile, address: Address): Promise<void> {
  let refused: unknown
  const isIn = async () => {
    refused = await hostile.join(address).then(
      () => undefined,
      (error: unknown) => error,
    )
    return refused === undefined
  }
  await until('it is let in', isIn, LET_IN_MS).catch(() => {
    throw refused
  })
}

test('not in the log at debug of a node under attack, its configuration, or errors with --verbose', async () => {
  const fleet = aFleet()
  const made = await aVictim(fleet, { seed: true })
  await made.stop(true)
  const { dir } = made
  const token = 'a-token-that-nobody-else-may-know'
  const config = configure(dir, token)
  const key = join(dir, 'freshness.key')
  const pems = [readFileSync(key, 'utf8'), readFileSync(join(dir, 'data/identity.key'), 'utf8')]

  const node = command(dir, ['node', '--config', config, '--json'])
  await until('it is ready', () => node.said().includes('"event":"ready"'), START_MS)
  const ready = node
    .said()
    .split('\n')
    .find((text) => text.includes('"event":"ready"'))
  const { addresses, api } = JSON.parse(ready ?? '') as { addresses: [Address]; api: string }
  await attackAll(fleet, addresses[0])
  const said = [...(await answersOf(api, token)), ...(await answersOf(api, 'another'))]
  expect(said.some((text) => text.includes('confmesh_refused_total'))).toBe(true)
  node.stop()
  expect(await node.ended).toBe(0)
  said.push(node.said())
  expect(new Set(node.said().match(/"code":"[A-Z_]+"/g)).size).toBeGreaterThan(10)

  said.push(inspect(loadConfig(config, process.env, new Map()), { depth: 9, showHidden: true }))
  const tells = async (what: string, args: readonly string[]) => {
    const run = command(dir, [...args, '--config', config, '--verbose'])
    await run.ended
    expect(run.said()).toContain(what)
    said.push(run.said())
  }
  await tells('✓ configuration', ['doctor'])
  chmodSync(key, 0o644)
  await tells('CONFIG_KEY_MODE', ['node'])
  chmodSync(key, 0o600)
  writeFileSync(key, (pems[0] ?? '').replace('-----END', '!----END'))
  await tells('CONFIG_KEY: ', ['node'])
  expectNone(said, [...pems.flatMap(formsOf), token])
})
