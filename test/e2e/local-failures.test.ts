/** What fails on this host: a folder that is a file, a name that is taken, a file that is none. Told by name, and nothing is left half done. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeCar } from '../../src/publish/car.ts'
import { CHANNEL, FakeNode, type Served, serve, sha } from '../integration/api/fake-node.ts'
import { make } from '../unit/core/fleet.ts'
import { at, type Fleet, inScratch, json, refused, twoFleets } from './command-line.ts'
import { confmesh as asProcess } from './real-fleet.ts'

inScratch()

const LAUNCHER = join(import.meta.dirname, '../../dist/cli/launcher.js')
const STRANGER = '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'
const made = make({ clock: { alice: 1 }, text: 'a block of its own\n' })
const node = new FakeNode()
let served: Served
let fleet: Fleet
let other: Fleet
/** Of the release in `made`, as an export writes it. */
let car: Buffer

beforeAll(async () => {
  node.activate({ 'app.yaml': 'a: 1\n', 'deep/more.yaml': 'b: 2\n' })
  served = await serve(node)
  ;({ fleet, single: other } = await twoFleets())
  writeFileSync(at('file'), 'somebody has this\n')
  mkdirSync(at('app'))
  writeFileSync(at('app/app.yaml'), 'a: 1\n')
  const parts: Uint8Array[] = []
  for await (const part of writeCar(made.envelope, blocks())) parts.push(part)
  car = Buffer.concat(parts)
})
afterAll(() => served.api.stop())

async function* blocks() {
  for (const [digest, bytes] of made.content) yield { digest, bytes }
}

const pieces = (bytes: Buffer) => ({
  bytes: bytes.length,
  parts: (async function* () {
    yield bytes
  })(),
})

const write = (name: string, content: string | Uint8Array): string => {
  writeFileSync(at(name), content)
  return at(name)
}
const leftIn = (folder: string): string[] => readdirSync(folder).filter((name) => /\.(part|new)$/.test(name))

describe('get and export', () => {
  const get = (...more: string[]): string[] => ['get', CHANNEL, ...more, '--api', served.api.url]

  test.each(['file', 'file/below'])('get --out %s: no folder', async (out) => {
    await refused(2, 'INPUT_PATH', at(out), ...get('--out', at(out)))
    await refused(2, 'INPUT_PATH', 'name a folder that you may write', ...get('--out', at(out)))
    expect(readFileSync(at('file'), 'utf8')).toBe('somebody has this\n')
  })

  test('get --out writes names as long as a file system takes', async () => {
    const name = `${'n'.repeat(250)}.yaml`
    node.activate({ [name]: 'long: 1\n' }, 'long', 'long/prod')
    await json('get', 'long/prod', '--out', at('long'), '--api', served.api.url)
    expect(readdirSync(at('long'))).toEqual([name])
    expect(readFileSync(at(`long/${name}`), 'utf8')).toBe('long: 1\n')
  })

  test('get FILE --json is that file: what the listing says of it, and its bytes', async () => {
    const { release, files } = await json<{ release: string; files: object[] }>(...get())
    const one = { path: 'app.yaml', mode: 0o444, size: 5, digest: sha('a: 1\n') }
    expect(files).toContainEqual(one)
    const content = Buffer.from('a: 1\n').toString('base64')
    expect(await json(...get('app.yaml'))).toEqual({ release, ...one, content, files: [one] })
  })

  test('export below a file, or where something lies', async () => {
    const exporting = (path: string): string[] => ['export', CHANNEL, path, '--api', served.api.url]
    await refused(2, 'INPUT_PATH', 'file/x.car', ...exporting(at('file/x.car')))
    await refused(2, 'INPUT_PATH', 'gone/x.car', ...exporting(at('gone/x.car')))
    await refused(2, 'INPUT_EXISTS', 'file', ...exporting(at('file')))
  })

  test('export of what a node serves with a changed byte leaves no file', async () => {
    const damaged = Buffer.from(car)
    damaged[damaged.length - 2] = (damaged.at(-2) ?? 0) ^ 1
    node.car = async () => pieces(damaged)
    await refused(3, 'CONTENT_DIGEST', 'damaged', 'export', CHANNEL, at('x.car'), '--api', served.api.url)
    expect([existsSync(at('x.car')), leftIn(at())]).toEqual([false, []])
    node.car = async () => pieces(car)
    await json('export', CHANNEL, at('x.car'), '--api', served.api.url)
    expect(readFileSync(at('x.car'))).toEqual(car)
  })
})

describe('import, before anyone is dialled', () => {
  test('a folder is no release', () => refused(2, 'INPUT_PATH', at('app'), 'import', at('app')))

  test('a changed byte, a block that is not in it', async () => {
    const damaged = Buffer.from(car)
    damaged[damaged.length - 2] = (damaged.at(-2) ?? 0) ^ 1
    const importing = (path: string): string[] => ['import', path, '--seed', STRANGER]
    await refused(3, 'CONTENT_DIGEST', 'damaged', ...importing(write('damaged.car', damaged)))
    // The block and its CID, which are 37 bytes with the length before them.
    const cut = car.subarray(0, car.length - made.block.length - 37)
    await refused(3, 'CODEC_MALFORMED', 'is missing', ...importing(write('cut.car', cut)))
    await refused(4, 'NET_UNREACHABLE', 'is the seed running', ...importing(write('whole.car', car)))
  })
})

describe('a node whose folders cannot be', () => {
  const starting = (more: string): string[] => {
    const text = `root: ${fleet.root}\ndata: ${at('data')}\napi: { listen: 127.0.0.1:0 }\nlisten: [/ip4/127.0.0.1/tcp/0]\n`
    return ['node', '--config', write('node.yaml', text + more)]
  }

  test.each([
    ['materialize.dir', 'materialize: { dir: file }\n'],
    ['materialize.dir', 'materialize: { dir: file/below }\n'],
    ['floorDir', 'floorDir: file\n'],
  ])('%s: %s', async (key, more) => {
    await refused(2, 'CONFIG_INVALID', `${key}: ${at('file')}`, ...starting(more))
    expect(existsSync(at('data'))).toBe(false)
  })

  test('a pool whose key is of another', async () => {
    const poolKey = join(dirname(other.pool), 'pool.key')
    const admission = `admission: { pool: ${fleet.pool}, poolKey: ${poolKey} }\n`
    await refused(2, 'CONFIG_INVALID', `admission.poolKey: ${poolKey}`, ...starting(admission))
  })
})

describe('a name that is taken is told before anything is made', () => {
  test('keygen beside another key’s public half', async () => {
    write('k.pub', 'theirs')
    await refused(2, 'INPUT_EXISTS', 'k.pub', 'keygen', '--out', at('k'))
    expect([existsSync(at('k')), readFileSync(at('k.pub'), 'utf8')]).toEqual([false, 'theirs'])
  })

  test('publish --prepare spends no counter', async () => {
    const preparing = (path: string): string[] => [
      ...['publish', 'pay/prod', at('app'), '--key', fleet.publisherKey, '--root', fleet.root],
      ...['--prepare', path],
    ]
    await refused(2, 'INPUT_EXISTS', 'file', ...preparing(at('file')))
    await refused(2, 'INPUT_PATH', 'gone/release.json', ...preparing(at('gone/release.json')))
    expect(existsSync(`${fleet.publisherKey}.counters.json`)).toBe(false)
  })
})

describe('trust --out writes where nothing is, and nowhere else', () => {
  const key = (): string => at('other.key.pub')
  beforeAll(() => json('keygen', '--out', at('other.key')))
  const changes: [string, () => string[]][] = [
    ['renew', () => ['renew']],
    ['rotate', () => ['rotate', 'publisher', '--add-key', key()]],
  ]

  test.each(changes)('%s', async (_, change) => {
    const [name = '', ...more] = change()
    const args = ['trust', name, ...more, '--root', other.root, '--root-key', other.rootKeys[0] as string]
    const theirs = readFileSync(other.publisherKey)
    await refused(2, 'INPUT_EXISTS', other.publisherKey, ...args, '--out', other.publisherKey)
    await refused(2, 'INPUT_PATH', 'gone/root.json', ...args, '--out', at('gone/root.json'))
    expect(readFileSync(other.publisherKey)).toEqual(theirs)
    const made = await json(...args, '--out', at(`${name}.json`))
    expect(made).toMatchObject({ root: at(`${name}.json`), previous: other.root, version: 2 })
    expect(existsSync(at(`${name}.json`))).toBe(true)
  })
})

test('the same key twice, under two names of its folder, does not wait for itself', async () => {
  symlinkSync(dirname(fleet.publisherKey), at('folder'))
  const keys = [fleet.publisherKey, fleet.publisherKey, at('folder/publisher.key')].flatMap((key) => [
    '--key',
    key,
  ])
  const publishing = ['publish', 'pay/prod', at('app'), ...keys, '--root', fleet.root, '--seed', STRANGER]
  await refused(4, 'NET_UNREACHABLE', 'is the seed running', ...publishing)
}, 20_000)

test('an option before the file does not take the file for one more value', async () => {
  await refused(2, 'INPUT_PATH', at('file'), 'sign', '--key', fleet.publisherKey, at('file'))
  await refused(
    4,
    'NET_UNREACHABLE',
    'is the seed running',
    'import',
    '--seed',
    STRANGER,
    write('w.car', car),
  )
})

describe('options that would not hold', () => {
  test.each(['-m', '--expires', '--key', '--sign-with', '--publisher', '--prepare'])(
    'publish --prepared with %s',
    async (option) => {
      const named = option === '-m' ? '--message' : option
      await refused(2, 'USAGE', named, 'publish', '--prepared', 'release.json', option, 'x')
    },
  )

  test('publish --prepared with --again', () =>
    refused(2, 'USAGE', '--again', 'publish', '--prepared', 'release.json', '--again'))

  test.each(['', 'abc', 'latest'])('--expect "%s"', async (text) => {
    const signing = ['--key', fleet.publisherKey, '--root', fleet.root, '--seed', STRANGER]
    const expecting = ['--expect', text]
    await refused(
      2,
      'USAGE',
      '--expect',
      'rollback',
      'pay/prod',
      '--to',
      'f'.repeat(64),
      ...signing,
      ...expecting,
    )
    await refused(2, 'USAGE', '--expect', 'publish', 'pay/prod', at('app'), ...signing, ...expecting)
    await refused(
      2,
      'USAGE',
      '--expect',
      'publish',
      '--prepared',
      'release.json',
      '--seed',
      STRANGER,
      ...expecting,
    )
  })
})

test('a stdout that takes nothing: one line, exit 1', () => {
  const full = openSync('/dev/full', 'w')
  const { status, stderr } = spawnSync(process.execPath, [LAUNCHER, '--version'], {
    stdio: ['ignore', full, 'pipe'],
    encoding: 'utf8',
  })
  closeSync(full)
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: 'confmesh: OUTPUT_FAILED: stdout: ENOSPC; is its disk full?\n',
  })
})

test('a stderr that takes nothing, or is closed, leaves the exit code as it is', async () => {
  const full = openSync('/dev/full', 'w')
  const said = spawnSync(process.execPath, [LAUNCHER, 'publsh'], { stdio: ['ignore', 'pipe', full] })
  closeSync(full)
  const closed = spawn(process.execPath, [LAUNCHER, 'publsh'], { stdio: ['ignore', 'ignore', 'pipe'] })
  closed.stderr.destroy()
  expect([said.status, await once(closed, 'exit')]).toEqual([2, [2, null]])
})

test('demo without a place for its folder', async () => {
  const run = await asProcess(['demo', '--exit'], { env: { TMPDIR: at('file') } })
  expect([run.code, run.out]).toEqual([2, ''])
  expect(run.err).toMatch(/^confmesh: INPUT_PATH: cannot make a folder in [^\n]+; set TMPDIR [^\n]+\n$/)
})

test('demo: a failure is the one value, and the logs it names are kept', async () => {
  // A setting that no node knows: none starts.
  const env = { CONFMESH_NODE_NONSENSE: '1', TMPDIR: at() }
  const run = await asProcess(['demo', '--nodes', '1', '--regions', '1', '--exit', '--json'], { env })
  const { error } = JSON.parse(run.out) as {
    error: { code: string; message: string; details: { dir: string } }
  }
  expect([run.code, error.code]).toEqual([2, 'CONFIG_INVALID'])
  expect(error.message).toContain(`; the logs are in ${error.details.dir}`)
  expect(readdirSync(error.details.dir)).toContain('seed-eu.log')
})
