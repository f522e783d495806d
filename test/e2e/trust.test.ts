import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { runProgram } from '../../src/cli/program.ts'
import { loadConfig } from '../../src/daemon/config.ts'

const scratch = mkdtempSync(join(tmpdir(), 'confmesh-trust-'))
const home = process.cwd()
beforeAll(() => process.chdir(scratch))
afterAll(() => {
  process.chdir(home)
  rmSync(scratch, { recursive: true, force: true })
})
const at = (...parts: string[]): string => join(scratch, ...parts)

interface Run {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** One command line in this process, with what it wrote and the exit code it left: 100 processes would take minutes. */
async function confmesh(...args: string[]): Promise<Run> {
  const written = { out: '', err: '' }
  const take = (to: 'out' | 'err') => (text: string | Uint8Array) => {
    written[to] += String(text)
    return true
  }
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(take('out')),
    vi.spyOn(process.stderr, 'write').mockImplementation(take('err')),
  ]
  process.exitCode = 0
  try {
    await runProgram(args)
    return { code: Number(process.exitCode), ...written }
  } finally {
    process.exitCode = 0
    for (const spy of spies) spy.mockRestore()
  }
}

/** With `--json`: the one value on stdout. */
async function json<T = Record<string, unknown>>(...args: string[]): Promise<T> {
  const run = await confmesh(...args, '--json')
  expect(run, run.err).toMatchObject({ code: 0 })
  return JSON.parse(run.out) as T
}

/** Refused: exit code and error code, one line on stderr that names what it must, and the same with `--json`. */
async function refused(code: number, error: string, names: string, ...args: string[]): Promise<void> {
  const run = await confmesh(...args)
  expect(run.err).toMatch(/^confmesh: [A-Z_]+: [^\n]+\n$/)
  expect(run.err).toContain(`confmesh: ${error}: `)
  expect(run.err).toContain(names)
  expect({ code: run.code, out: run.out }).toEqual({ code, out: '' })
  const machine = await confmesh(...args, '--json')
  expect(machine.code).toBe(code)
  expect(JSON.parse(machine.out)).toMatchObject({
    error: { code: error, message: expect.any(String), details: {} },
  })
  expect(machine.err).toBe('')
}

interface Fleet {
  fleetId: string
  root: string
  rootKeys: string[]
  publisher: string
  publisherKey: string
  admissionKey: string
  pool: string
  seedConfig: string
  nodeConfig: string
  seedAddress: string
}

interface Change {
  root: string
  draft?: string
  previous?: string
  version: number
  complete: boolean
  changes: string[]
  signatures: { old: { have: number; need: number }; next: { have: number; need: number } }
}

interface Shown {
  version: number
  fleetId: string
  expires: string
  publishers: Record<string, { threshold: number; patterns: string[] }>
  epochs: { pattern: string; value: number }[]
  roles: { root: { keys: string[]; threshold: number } }
  freshness: { keys: string[]; maxAgeS: number; maxSkewS: number }
  removed: { peers: { id: string }[]; pools: { key: string; until?: string }[] }
}
const show = (root: string): Promise<Shown> => json<Shown>('trust', 'show', '--root', root)

let fleet: Fleet
let single: Fleet
beforeAll(async () => {
  fleet = await json<Fleet>(
    'init',
    'fleet',
    '--root-keys',
    '3',
    '--channel',
    'pay/*',
    'web',
    '--host',
    '10.0.0.1',
  )
  single = await json<Fleet>('init', 'single', '--fleet', 'acme')
})

describe('init', () => {
  test('answers with absolute paths of files that are there, keys for their owner alone', async () => {
    const { fleetId, publisher, rootKeys, seedAddress, ...paths } = fleet
    expect(fleetId).toMatch(/^[0-9a-f]{64}$/)
    expect(publisher).toBe('publisher')
    expect(seedAddress).toMatch(/^\/ip4\/10\.0\.0\.1\/tcp\/7400\/p2p\/12D3KooW/)
    for (const path of [...Object.values(paths), ...rootKeys]) {
      expect(isAbsolute(path) && existsSync(path), path).toBe(true)
    }
    const keys = [...rootKeys, fleet.publisherKey, fleet.admissionKey, at('fleet/pool.key')]
    for (const path of [...keys, at('fleet/seed/identity.key'), at('fleet/seed/freshness.key')]) {
      expect(statSync(path).mode & 0o777, path).toBe(0o600)
    }
  })

  test('writes configurations that a node reads as they are', async () => {
    const seed = loadConfig(fleet.seedConfig, {}, new Map())
    expect(seed).toMatchObject({
      root: fleet.root,
      submit: true,
      channels: ['**'],
      api: { listen: '127.0.0.1:7480' },
    })
    expect(seed.listen).toEqual(['/ip4/0.0.0.0/tcp/7400'])
    const node = loadConfig(fleet.nodeConfig, {}, new Map())
    expect(node).toMatchObject({ submit: false, seeds: [fleet.seedAddress], channels: ['pay/*', 'web'] })
    expect(node.api.listen).toBe('127.0.0.1:7481')
    expect(node.materialize).toBeUndefined()
    expect(loadConfig(single.seedConfig, {}, new Map()).listen).toEqual(['/ip4/127.0.0.1/tcp/7400'])
  })

  test('says that loopback is this host alone', async () => {
    expect((await confmesh('init', 'local')).out).toContain('on this host alone')
    expect((await confmesh('init', 'open', '--host', 'seed.example.net')).out).not.toContain(
      'on this host alone',
    )
  })

  test('touches no folder that holds anything', async () => {
    mkdirSync(at('full'))
    writeFileSync(at('full/mine'), 'mine')
    await refused(2, 'INPUT_EXISTS', 'full', 'init', 'full')
    await refused(2, 'INPUT_EXISTS', 'full/mine', 'init', at('full/mine'))
    expect(readdirSync(at('full'))).toEqual(['mine'])
  })

  test.each([
    ['--host', '999.1.1.1'],
    ['--host', 'a b'],
    ['--channel', 'pay//x'],
    ['--root-keys', '0'],
    ['--root-threshold', '2'],
    ['--fleet', 'A'],
    ['--port', '70000'],
  ])('refuses %s %s before it writes anything', async (option, value) => {
    await refused(2, 'USAGE', option, 'init', 'never', option, value)
    expect(existsSync(at('never'))).toBe(false)
  })
})

describe('trust', () => {
  const key = async (name: string): Promise<string> => {
    if (!existsSync(at(`${name}.key`))) await confmesh('keygen', '--out', `${name}.key`)
    return at(`${name}.key`)
  }

  test('shows and verifies a root', async () => {
    expect(await show(fleet.root)).toMatchObject({
      version: 1,
      fleetId: fleet.fleetId,
      publishers: { publisher: { patterns: ['pay/*', 'web'] } },
    })
    expect(await json('trust', 'verify', '--root', fleet.root)).toMatchObject({ valid: true, version: 1 })
  })

  test('changes FILE only once both thresholds hold, and says first what changes', async () => {
    const before = readFileSync(fleet.root, 'utf8')
    const args = ['trust', 'remove-publisher', 'publisher', '--root', fleet.root]
    const one = await json<Change>(...args, '--root-key', fleet.rootKeys[0] as string)
    expect(one).toMatchObject({
      complete: false,
      draft: at('fleet/root.2.draft.json'),
      version: 2,
      signatures: { old: { have: 1, need: 2 } },
    })
    expect(one.changes.join('\n')).toMatch(
      /publisher is removed[\s\S]*new epoch 2 for every channel that pay\/\*[\s\S]*new epoch 2 for every channel that web/,
    )
    expect(readFileSync(fleet.root, 'utf8')).toBe(before)
    // Another change of the same version would overwrite what others are about to sign.
    await refused(
      2,
      'INPUT_EXISTS',
      'root.2.draft.json',
      'trust',
      'raise-epoch',
      '**',
      '--root',
      fleet.root,
      '--root-key',
      fleet.rootKeys[1] as string,
    )
    // The same key again is no second signature.
    const again = await json<Change>(
      'trust',
      'sign',
      at('fleet/root.2.draft.json'),
      '--root-key',
      fleet.rootKeys[0] as string,
    )
    expect(again.complete).toBe(false)
    await refused(
      2,
      'CONFIG_KEY',
      'publisher.key',
      'trust',
      'sign',
      at('fleet/root.2.draft.json'),
      '--root-key',
      fleet.publisherKey,
    )
    const two = await json<Change>(
      'trust',
      'sign',
      at('fleet/root.2.draft.json'),
      '--root-key',
      fleet.rootKeys[2] as string,
    )
    expect(two).toMatchObject({
      complete: true,
      version: 2,
      previous: at('fleet/root.1.json'),
      root: fleet.root,
    })
    expect(readFileSync(at('fleet/root.1.json'), 'utf8')).toBe(before)
    expect(existsSync(at('fleet/root.2.draft.json'))).toBe(false)
    expect(await show(fleet.root)).toMatchObject({
      version: 2,
      publishers: {},
      epochs: [
        { pattern: 'pay/*', value: 2 },
        { pattern: 'web', value: 2 },
      ],
    })
    expect(await json('trust', 'verify', '--root', fleet.root)).toMatchObject({ version: 2, verifiedFrom: 1 })
  })

  test('makes every change, each a root that follows', async () => {
    const change = (...args: string[]): Promise<Change> =>
      json<Change>('trust', ...args, '--root', single.root, '--root-key', single.rootKeys[0] as string)
    const second = `${await key('second')}.pub`
    const peer = (await json<{ peerId: string }>('identity', '--data', 'other')).peerId
    await change(
      'add-publisher',
      'ci',
      '--public-key',
      second,
      `${await key('third')}.pub`,
      '--threshold',
      '2',
      '--channel',
      'ci/**',
    )
    await change('set-threshold', '1', '--publisher', 'ci')
    await change('add-root-key', '--public-key', second)
    await change('remove-root-key', '--public-key', second)
    await change('add-admission-key', '--public-key', second)
    await change('remove-admission-key', '--public-key', second)
    await change('set-freshness', '--add-key', second, '--max-age', '90', '--max-skew', '10')
    expect((await change('remove-node', peer)).changes).toContain(`node ${peer} is shut out`)
    await change('remove-pool', single.pool)
    await change('raise-epoch', 'ci/prod')
    expect(await change('renew')).toMatchObject({ version: 12, complete: true })
    const root = await show(single.root)
    expect(root.publishers.ci).toMatchObject({ threshold: 1, patterns: ['ci/**'] })
    expect(root.freshness).toMatchObject({ maxAgeS: 90, maxSkewS: 10 })
    expect(root.freshness.keys.length).toBe(2)
    expect(root.removed.peers).toEqual([{ id: peer }])
    expect(root.removed.pools[0]?.until).toMatch(/^20\d\d-/)
    expect(root.epochs).toEqual([{ pattern: 'ci/prod', value: 11 }])
    expect(await json('trust', 'verify', '--root', single.root)).toMatchObject({
      version: 12,
      verifiedFrom: 1,
    })
  })

  test('--out leaves the current root alone', async () => {
    const before = readFileSync(single.root, 'utf8')
    const made = await json<Change>(
      'trust',
      'renew',
      '--root',
      single.root,
      '--root-key',
      single.rootKeys[0] as string,
      '--out',
      'next.json',
    )
    expect(made).toMatchObject({ root: at('next.json'), complete: true })
    expect(readFileSync(single.root, 'utf8')).toBe(before)
    expect((await show(at('next.json'))).version).toBe(made.version)
  })

  test('a key file that others may read is refused, and a wrong one', async () => {
    const loose = await key('loose')
    chmodSync(loose, 0o640)
    const args = ['trust', 'renew', '--root', single.root, '--root-key']
    await refused(2, 'CONFIG_KEY_MODE', `chmod 600 ${loose}`, ...args, loose)
    await refused(2, 'CONFIG_KEY', 'nowhere.key', ...args, 'nowhere.key')
    await refused(2, 'CONFIG_KEY', 'is no root key of version', ...args, await key('stranger'))
    writeFileSync(at('junk.key'), 'junk', { mode: 0o600 })
    await refused(2, 'CONFIG_KEY', 'junk.key', ...args, 'junk.key')
    await refused(
      2,
      'CONFIG_KEY',
      '.pub',
      'trust',
      'add-root-key',
      '--public-key',
      await key('second'),
      '--root',
      single.root,
      '--root-key',
      single.rootKeys[0] as string,
    )
  })

  test('a root that was tampered with is refused with exit code 3', async () => {
    const text = readFileSync(single.root, 'utf8')
    const document = JSON.parse(text) as { payload: string; signatures: { sig: string }[] }
    const payload = Buffer.from(document.payload, 'base64').toString().replace('"maxAgeS":90', '"maxAgeS":91')
    writeFileSync(
      at('changed.json'),
      JSON.stringify({ ...document, payload: Buffer.from(payload).toString('base64') }),
    )
    await refused(3, 'TRUST_ROOT_UNAUTHORISED', 'changed.json', 'trust', 'verify', '--root', 'changed.json')
    writeFileSync(at('bare.json'), JSON.stringify({ ...document, signatures: [] }))
    await refused(3, 'TRUST_ROOT_UNAUTHORISED', 'bare.json', 'trust', 'verify', '--root', 'bare.json')
    writeFileSync(at('text.json'), 'hello')
    await refused(3, 'CODEC_MALFORMED', 'text.json', 'trust', 'verify', '--root', 'text.json')
    await refused(3, 'TRUST_TYPE', 'pool.json', 'trust', 'show', '--root', single.pool)
    await refused(2, 'INPUT_PATH', 'none.json', 'trust', 'verify', '--root', 'none.json')
  })
})

describe('one more seed', () => {
  test('has its own keys and knows the first; the root names its freshness key', async () => {
    const made = await json<{ peerId: string; seedConfig: string; seedAddress: string; version: number }>(
      'add-seed',
      'seed2',
      '--from',
      single.seedConfig,
      '--host',
      '127.0.0.1',
      '--port',
      '7401',
      '--root',
      single.root,
      '--root-key',
      single.rootKeys[0] as string,
    )
    const config = loadConfig(made.seedConfig, {}, new Map())
    expect(config.seeds).toEqual([single.seedAddress])
    expect(config.root).toBe(at('seed2/root.json'))
    expect(made.seedAddress).toBe(`/ip4/127.0.0.1/tcp/7401/p2p/${made.peerId}`)
    expect((await show(at('seed2/root.json'))).version).toBe(made.version)
    expect((await show(single.root)).freshness.keys.length).toBe(3)
    expect(readFileSync(at('seed2/pool.key'), 'utf8')).toBe(readFileSync(at('single/pool.key'), 'utf8'))
  })
})

describe('keygen, identity and admit', () => {
  test('make keys that are never written over', async () => {
    const made = await json<{ key: string; publicKey: string }>('keygen', '--out', 'p.key', '--type', 'p256')
    expect(readFileSync(made.publicKey, 'utf8')).toContain('BEGIN PUBLIC KEY')
    await refused(2, 'INPUT_EXISTS', 'p.key', 'keygen', '--out', 'p.key')
    await refused(2, 'INPUT_PATH', 'nowhere', 'keygen', '--out', 'nowhere/p.key')
  })

  test('an identity stays what it is', async () => {
    const first = await json<{ peerId: string }>('identity', '--data', 'host')
    expect(await json('identity', '--data', 'host')).toEqual(first)
  })

  test('a certificate says what was asked', async () => {
    const { peerId } = await json<{ peerId: string }>('identity', '--data', 'host')
    const args = ['admit', peerId, '--admission-key', single.admissionKey]
    const made = await json<{ certificate: { payload: string }; labels: object }>(
      ...args,
      '--label',
      'region=eu',
      'zone=eu-1',
      '--days',
      '30',
    )
    expect(made.labels).toEqual({ region: 'eu', zone: 'eu-1' })
    expect(JSON.parse(Buffer.from(made.certificate.payload, 'base64').toString())).toMatchObject({
      subject: { peer: peerId },
    })
    await refused(2, 'USAGE', 'region', ...args, '--label', 'region')
    await refused(2, 'USAGE', 'PEER', 'admit', 'nobody', '--admission-key', single.admissionKey)
  })
})

test('what cannot be understood is said in one line', async () => {
  await refused(2, 'USAGE', "'trsut'", 'trsut')
  await refused(2, 'USAGE', 'subcommand', 'trust')
  await refused(2, 'USAGE', '--nonsense', 'keygen', '--out', 'x.key', '--nonsense')
  await refused(2, 'USAGE', '--root-key', 'trust', 'renew', '--root', single.root)
  await refused(2, 'USAGE', 'name a command')
  expect(await confmesh('--help')).toMatchObject({ code: 0, err: '' })
  expect(await confmesh('trust', '--help')).toMatchObject({ code: 0, err: '' })
})
