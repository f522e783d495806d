import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/daemon/config.ts'
import { at, confmesh, type Fleet, inScratch, json, refused, show, twoFleets } from './command-line.ts'

inScratch()

let fleet: Fleet
let single: Fleet
beforeAll(async () => {
  ;({ fleet, single } = await twoFleets())
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
    // Its seed is on another host, and commands ask there unless they are told where.
    expect(node.api.listen).toBe('127.0.0.1:7480')
    expect(node.materialize).toBeUndefined()
    expect(loadConfig(single.seedConfig, {}, new Map()).listen).toEqual(['/ip4/127.0.0.1/tcp/7400'])
    expect(loadConfig(single.nodeConfig, {}, new Map()).api.listen).toBe('127.0.0.1:7481')
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
    ['--host', '10.0.0.1.'],
    ['--host', 'a b'],
    ['--host', 'seed.example.net..'],
    ['--channel', 'pay//x'],
    ['--root-keys', '0'],
    ['--root-threshold', '2'],
    ['--fleet', 'A'],
    ['--port', '70000'],
    // Where the seed listens, which leads nobody to it.
    ['--host', '0.0.0.0'],
    ['--host', '::'],
    ['--host', '0:0:0:0:0:0:0:0'],
    ['--host', '::ffff:0.0.0.0'],
    // Of one link.
    ['--host', 'fe80::1'],
    ['--host', 'FEBF::1'],
    ['--host', 'fe80::1%eth0'],
    ['--host', 'fd00::1%eth0'],
    // The seed's HTTP.
    ['--port', '7480'],
  ])('refuses %s %s before it writes anything', async (option, value) => {
    await refused(2, 'USAGE', option, 'init', 'never', option, value)
    expect(existsSync(at('never'))).toBe(false)
  })
})

test.each([
  ['7481', '7480', '7482'],
  ['65535', '65534', '65533'],
])('a seed at the port that the node’s HTTP would have: %s', async (port, api, node) => {
  const made = await json<Fleet>('init', `next-${port}`, '--port', port, '--api-port', api)
  expect(loadConfig(made.seedConfig, {}, new Map()).api.listen).toBe(`127.0.0.1:${api}`)
  expect(loadConfig(made.nodeConfig, {}, new Map()).api.listen).toBe(`127.0.0.1:${node}`)
})

test('a seed on IPv6 alone leaves its port to the HTTP, which is on 127.0.0.1', async () => {
  const at6 = ['--host', '2001:db8::1', '--port', '7480']
  const made = await json<Fleet>('init', 'six', ...at6)
  const seed = loadConfig(made.seedConfig, {}, new Map())
  expect([seed.listen, seed.api.listen]).toEqual([['/ip6/::/tcp/7480'], '127.0.0.1:7480'])
  // Where nodes have IPv6 alone they would reach nobody else on the other.
  expect(loadConfig(made.nodeConfig, {}, new Map()).listen).toEqual(['/ip6/::/tcp/0'])
  await refused(2, 'USAGE', '--port', 'init', 'both', ...at6, '--host', 'seed.example.net')
  expect(existsSync(at('both'))).toBe(false)
})

test('nodes of a seed that is reached on both families listen on both, those of a name on IPv4', async () => {
  const listens = async (dir: string, ...hosts: string[]) => {
    const { nodeConfig } = await json<Fleet>('init', dir, ...hosts.flatMap((host) => ['--host', host]))
    return loadConfig(nodeConfig, {}, new Map()).listen
  }
  const both = ['/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/0']
  expect(await listens('two', '10.0.0.1', '2001:db8::1', '10.0.0.2')).toEqual(both)
  expect(await listens('named', 'seed.example.net')).toEqual(both.slice(0, 1))
})

test('a name that no search domain is tried with is taken as it is written', async () => {
  const { seedAddress, nodeConfig } = await json<Fleet>('init', 'dotted', '--host', 'seed.example.net.')
  expect(seedAddress).toMatch(/^\/dns\/seed\.example\.net\.\/tcp\/7400\/p2p\//)
  expect(loadConfig(nodeConfig, {}, new Map()).seeds).toEqual([seedAddress])
})

test('init refuses more channel patterns than a root holds, before it writes anything', async () => {
  const patterns = (n: number) => Array.from({ length: n }, (_, at) => ['--channel', `c${at}`]).flat()
  await refused(2, 'USAGE', '--channel', 'init', 'never', ...patterns(65))
  expect(existsSync(at('never'))).toBe(false)
  const most = await json<Fleet>('init', 'most', ...patterns(64))
  expect((await show(most.root)).publishers.publisher?.patterns).toHaveLength(64)
  expect(loadConfig(most.nodeConfig, {}, new Map()).channels).toHaveLength(64)
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
    expect((await show(single.root)).freshness.keys.length).toBe(2)
    expect(readFileSync(at('seed2/pool.key'), 'utf8')).toBe(readFileSync(at('single/pool.key'), 'utf8'))
  })

  test('is not made where nobody can reach it', async () => {
    const signed = ['--root', single.root, '--root-key', single.rootKeys[0] as string]
    const adding = ['add-seed', 'never', '--from', single.seedConfig, ...signed]
    await refused(2, 'USAGE', '--host', ...adding, '--host', '::')
    await refused(2, 'USAGE', '--port', ...adding, '--host', '10.0.0.2', '--port', '7480')
    expect(existsSync(at('never'))).toBe(false)
  })

  test('is made from a node’s configuration, too: the last seed may be gone with its data', async () => {
    const made = await json<Fleet>('init', 'seedless', '--host', '10.0.0.1')
    rmSync(at('seedless/seed'), { recursive: true })
    const signed = ['--root', made.root, '--root-key', made.rootKeys[0] as string]
    const args = ['--host', '10.0.0.2', ...signed]
    await refused(2, 'CONFIG_KEY', 'or of a node', 'add-seed', 'never', '--from', made.seedConfig, ...args)
    const { seedConfig } = await json<Fleet>('add-seed', 'seed3', '--from', made.nodeConfig, ...args)
    expect(loadConfig(seedConfig, {}, new Map())).toMatchObject({ seeds: [made.seedAddress], submit: true })
    expect(existsSync(at('seedless/node'))).toBe(false)
  })

  /** A fleet whose root had this change, and what stands there of a seed that is then made from its seed.yaml. */
  async function refusedAfter(name: string, code: string, says: string, ...change: string[]): Promise<void> {
    const made = await json<Fleet>('init', name)
    const signed = ['--root', made.root, '--root-key', made.rootKeys[0] as string]
    await json('trust', ...change, ...signed)
    const before = readFileSync(made.root, 'utf8')
    const args = ['add-seed', `${name}-2`, '--from', made.seedConfig, '--host', '10.0.0.2', ...signed]
    await refused(3, code, says, ...args)
    for (const what of [made.seedConfig, at(name, 'pool.json')]) await refused(3, code, what, ...args)
    expect(existsSync(at(`${name}-2`))).toBe(false)
    expect(readFileSync(made.root, 'utf8')).toBe(before)
  }

  test('gets no pool that the root removes: it would be refused by every node', () =>
    refusedAfter(
      'gone',
      'ADMIT_REMOVED',
      'name the pool that is in force',
      'remove-pool',
      at('gone/pool.json'),
    ))

  test('gets no pool that none of the root’s admission keys admitted', () =>
    refusedAfter(
      'rekeyed',
      'ADMIT_REFUSED',
      'name the pool that is in force',
      ...['remove-admission-key', '--public-key', at('rekeyed/admission.key.pub')],
    ))

  test('is not there by half where its root is refused, and is made once it is not', async () => {
    const made = await json<Fleet>('init', 'halted')
    const signed = ['--root', made.root, '--root-key', made.rootKeys[0] as string]
    const args = ['add-seed', 'halted-2', '--from', made.seedConfig, '--host', '10.0.0.2', ...signed]
    writeFileSync(at('halted/root.1.json'), readFileSync(fleet.root))
    const { code, err } = await confmesh(...args)
    expect([code, err]).toEqual([2, expect.stringContaining('INPUT_EXISTS: ')])
    expect(readdirSync(at('halted-2'))).toEqual([])
    rmSync(at('halted/root.1.json'))
    await json(...args)
    expect(existsSync(at('halted-2/seed.yaml'))).toBe(true)
  })

  test('has a pool though the seed it is made from is removed', async () => {
    const made = await json<Fleet>('init', 'stolen')
    const signed = ['--root', made.root, '--root-key', made.rootKeys[0] as string]
    await json('trust', 'remove-node', made.seedAddress.replace(/.*\//, ''), ...signed)
    await json('add-seed', 'unstolen', '--from', made.seedConfig, '--host', '10.0.0.2', ...signed)
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
    const stranger = (await json<{ publicKey: string }>('keygen', '--out', 'stranger.key')).publicKey
    const wrong = await confmesh('admit', peerId, '--admission-key', single.publisherKey)
    expect(wrong).toMatchObject({ code: 0, err: expect.stringContaining('peers refuse what it signs') })
    const elsewhere = await confmesh('admit', peerId, '--admission-key', stranger.replace(/\.pub$/, ''))
    expect(elsewhere).toMatchObject({ code: 0, err: '' })
    expect((await confmesh(...args)).err).toBe('')
    await refused(2, 'USAGE', 'PEER', 'admit', 'nobody', '--admission-key', single.admissionKey)
    // one that was meant to be a pool's
    await refused(2, 'USAGE', '--pool NAME', ...args, '--public-key', stranger)
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
  expect((await confmesh('trust', 'show', '--help')).out).toContain('--root <file>  the root (required)')
})
