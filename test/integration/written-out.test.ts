/** What `get --out` and `export` write out of the mesh, often to a stick: said to be there once the disk has it. */
import { once } from 'node:events'
import fs, { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import type { AddressInfo } from 'node:net'
import { relative } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { carBytes, writeCar } from '../../src/publish/car.ts'
import { at, inScratch, json, refused } from '../e2e/command-line.ts'
import { make } from '../unit/core/fleet.ts'
import { CHANNEL, FakeNode, type Served, serve, sha } from './api/fake-node.ts'

inScratch()

const node = new FakeNode()
let served: Served
beforeAll(async () => {
  served = await serve(node)
})
afterAll(() => served.api.stop())

/** What was told to be on disk, or got its name, in order; parts by one name. */
let done: string[]
const nameOf = (path: string): string => relative(at(), path).replace(/[^/]*\.(part|new)$/, 'aside')

beforeEach(() => {
  done = []
  const synced = (fd: number) => done.push(`sync ${nameOf(readlinkSync(`/proc/self/fd/${fd}`))}`)
  const { fsync, fsyncSync, linkSync, renameSync } = fs
  vi.spyOn(fs, 'fsync').mockImplementation((fd, told) => {
    synced(fd)
    fsync(fd, told)
  })
  vi.spyOn(fs, 'fsyncSync').mockImplementation((fd) => {
    synced(fd)
    fsyncSync(fd)
  })
  vi.spyOn(fs, 'renameSync').mockImplementation((from, to) => {
    done.push(`rename ${nameOf(String(to))}`)
    renameSync(from, to)
  })
  vi.spyOn(fs, 'linkSync').mockImplementation((from, to) => {
    done.push(`link ${nameOf(String(to))}`)
    linkSync(from, to)
  })
  syncBuiltinESMExports()
})
afterEach(() => {
  vi.restoreAllMocks()
  syncBuiltinESMExports()
})

const api = (): string[] => ['--api', served.api.url]

test('get --out: each file before it has its name, then each folder', async () => {
  node.activate({ 'app.yaml': 'a: 1\n', 'deep/er/b.yaml': 'b: 2\n', 'deep/er/c.yaml': 'c: 3\n' })
  await json('get', CHANNEL, '--out', at('config'), ...api())
  const files = done.slice(0, 6)
  expect(files.filter((_, index) => index % 2 === 0)).toEqual([
    'sync config/aside',
    'sync config/deep/er/aside',
    'sync config/deep/er/aside',
  ])
  expect(files.filter((_, index) => index % 2 === 1)).toEqual([
    'rename config/app.yaml',
    'rename config/deep/er/b.yaml',
    'rename config/deep/er/c.yaml',
  ])
  expect(done.slice(6).sort()).toEqual(['sync ', 'sync config', 'sync config/deep', 'sync config/deep/er'])
})

const made = make({ clock: { alice: 1 }, text: 'a block of its own\n' })
async function* blocks() {
  for (const [digest, bytes] of made.content) yield { digest, bytes }
}
const car = () => ({
  bytes: carBytes(
    made.envelope,
    [...made.content].map(([, { length }]) => length),
  ),
  parts: writeCar(made.envelope, blocks()),
})

test('export: the file before it has its name, then its folder', async () => {
  node.car = async () => car()
  await json('export', CHANNEL, at('release.car'), ...api())
  expect(done).toEqual(['sync aside', 'link release.car', 'sync '])
})

test('export: a file that got the name meanwhile stays', async () => {
  node.car = async () => {
    writeFileSync(at('theirs.car'), 'theirs')
    return car()
  }
  await refused(2, 'INPUT_EXISTS', 'theirs.car', 'export', CHANNEL, at('theirs.car'), ...api())
  expect(readFileSync(at('theirs.car'), 'utf8')).toBe('theirs')
  expect(readdirSync(at()).filter((name) => name.startsWith('theirs'))).toEqual(['theirs.car'])
  node.car = async () => car()
})

test.each([
  ['EIO', 'STORE_FAILED', 'look at the disk'],
  ['ENOSPC', 'STORE_FULL', 'free space or quota'],
  ['EDQUOT', 'STORE_FULL', 'free space or quota'],
] as const)(
  'a disk that fails or is full is told, not that the file is there or its path wrong: %s',
  async (code, told, advice) => {
    node.activate({ 'app.yaml': 'a: 1\n' })
    const failure = Object.assign(new Error(`${code}: from the disk`), { code, syscall: 'fsync' })
    vi.mocked(fs.fsyncSync).mockImplementation(() => {
      throw failure
    })
    // A folder that is there already, and one that is not.
    await refused(1, told, `config: ${code}; ${advice}`, 'get', CHANNEL, '--out', at('config'), ...api())
    await refused(1, told, `x.key as a file: ${code}; ${advice}`, 'keygen', '--out', at('x.key'))
    vi.mocked(fs.fsync).mockImplementation((_fd, done) => done(failure))
    await refused(1, told, `app.yaml: ${code}; ${advice}`, 'get', CHANNEL, '--out', at('new'), ...api())
    await refused(1, told, `x.car: ${code}; ${advice}`, 'export', CHANNEL, at('x.car'), ...api())
    expect(readdirSync(at()).filter((name) => name.startsWith('x.'))).toEqual([])
  },
)

test('export: a disk that fails as it reads back is told, and by the name that the file was to have', async () => {
  node.activate({ 'app.yaml': 'a: 1\n' })
  const failure = Object.assign(new Error('EIO: from the disk'), { code: 'EIO', syscall: 'read' })
  const { open } = fs.promises
  vi.spyOn(fs.promises, 'open').mockImplementation(async (...all) =>
    Object.assign(await open(...all), { read: () => Promise.reject(failure) }),
  )
  syncBuiltinESMExports()
  const told = 'x.car: EIO; look at the disk'
  await refused(1, 'STORE_FAILED', told, 'export', CHANNEL, at('x.car'), ...api())
  expect(readdirSync(at()).filter((name) => name.startsWith('x.'))).toEqual([])
})

test.each([
  // A drop box, of which one may not read what is in it; shares, which know no sync of folders.
  ['open', 'EACCES'],
  ['fsync', 'EPERM'],
  ['fsync', 'EINVAL'],
  ['fsync', 'ENOTSUP'],
])(
  'a folder that cannot be synced is no failure, for what has its name is there: %s %s',
  async (syscall, code) => {
    const { openSync } = fs
    const fail = () => {
      throw Object.assign(new Error(`${code}: from the disk`), { code, syscall })
    }
    if (syscall === 'open')
      vi.spyOn(fs, 'openSync').mockImplementation((path, flags, mode) =>
        fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() ? fail() : openSync(path, flags, mode),
      )
    else
      vi.mocked(fs.fsyncSync).mockImplementation((fd) => {
        if (fs.fstatSync(fd).isDirectory()) fail()
      })
    syncBuiltinESMExports()
    await json('get', CHANNEL, '--out', at(code), ...api())
    expect(readFileSync(at(code, 'app.yaml'), 'utf8')).toBe('a: 1\n')
    await json('export', CHANNEL, at(`${code}.car`), ...api())
    expect(existsSync(at(`${code}.car`))).toBe(true)
  },
)

test('get --out / writes below it, and dots at the start of a name lead nowhere', async () => {
  const below = relative('/', at('root/app.yaml'))
  node.activate({ [below]: 'a: 1\n' }, 'root', 'root/prod')
  await json('get', 'root/prod', '--out', '/', ...api())
  expect(readFileSync(at('root/app.yaml'), 'utf8')).toBe('a: 1\n')
  node.activate({ '..app.yaml': 'a: 2\n' }, 'dots', 'dots/prod')
  await json('get', 'dots/prod', '--out', at('dots'), ...api())
  expect(readFileSync(at('dots/..app.yaml'), 'utf8')).toBe('a: 2\n')
})

test('a node that lies is not followed out of the folder', async () => {
  let path = ''
  const liar = createServer((request, response) => {
    const files = [{ path, mode: 0o444, size: 5, digest: sha('a: 3\n') }]
    const isListing = request.url?.endsWith('/files') === true
    response.setHeader('content-type', isListing ? 'application/json' : 'application/octet-stream')
    response.end(isListing ? JSON.stringify({ release: sha('lie'), files }) : 'a: 3\n')
  }).listen(0, '127.0.0.1')
  await once(liar, 'listening')
  const lying = ['--api', `http://127.0.0.1:${(liar.address() as AddressInfo).port}`]
  try {
    for (path of ['../out.yaml', 'a/../../out.yaml', '..', '.'])
      await refused(2, 'CONTENT_PATH', 'leads out', 'get', CHANNEL, '--out', at('lies'), ...lying)
    expect([existsSync(at('out.yaml')), existsSync(at('lies'))]).toEqual([false, false])
  } finally {
    liar.close()
  }
})
