/** `publish --prepare` where no seed is asked: the memory beside a key file alone says which counter is next. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { register } from '../../../src/cli/commands/publish.ts'
import { EXIT_CODES } from '../../../src/cli/exit-codes.ts'
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { saveKeyPair } from '../../../src/cli/key-files.ts'
import { encodeEnvelopeJson } from '../../../src/codec/envelope-json.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Name, Pattern } from '../../../src/model/ids.ts'
import { readPrepared } from '../../../src/publish/prepared.ts'
import { firstRoot } from '../../../src/trust/first-root.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { CHANNEL, WALL_MS } from '../core/fleet.ts'

const pair = generatePrivateKey('ed25519')
const root = firstRoot({
  rootKeys: [pair.key.public],
  rootThreshold: 1,
  publishers: [
    { name: 'alice' as Name, keys: [pair.key.public], threshold: 1, patterns: ['app/**' as Pattern] },
  ],
  admissionKeys: [],
  freshnessKeys: [],
  maxAgeS: 60,
  maxSkewS: 10,
  expires: WALL_MS,
})

let dir = ''
const at = (name: string): string => join(dir, name)
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-prepare-'))
  mkdirSync(at('app'))
  writeFileSync(at('app/a.conf'), 'a=1\n')
  writeFileSync(at('root.json'), encodeEnvelopeJson(signEnvelope('root', encodeRoot(root), [pair.key])))
  for (const stream of [process.stdout, process.stderr]) vi.spyOn(stream, 'write').mockReturnValue(true)
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  rmSync(dir, { recursive: true, force: true })
})

const prepare = (...more: readonly string[]): Promise<void> => prepareOf([at('app')], ...more)

async function prepareOf(paths: readonly string[], ...more: readonly string[]): Promise<void> {
  const program = new Command()
  register(program)
  const words = ['publish', CHANNEL, ...paths, '--root', at('root.json'), '--prepare', at('release.json')]
  await program.parseAsync([...words, ...more], { from: 'user' })
}

test('a key that lies in no file has no memory: nothing is prepared', async () => {
  vi.stubEnv('CONFMESH_KEY', pair.pem)
  await expect(prepare()).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringMatching(/nobody says which counter is next.*--seed ADDRESS, or --key FILE/),
  })
  expect([EXIT_CODES.USAGE, existsSync(at('release.json'))]).toEqual([2, false])
})

test('one in a file counts on from what it remembers', async () => {
  saveKeyPair(at('a.key'), pair)
  for (const counter of [1, 2]) {
    await prepare('--key', at('a.key'))
    expect(readPrepared(at('release.json'), LIMITS).release.counter).toBe(counter)
    rmSync(at('release.json'))
  }
})

const folders = (length: number) => Array.from({ length: 40 }, () => 'x'.repeat(length)).join('/')
const many = (count: number, of: (index: number) => string) => Array.from({ length: count }, (_, n) => of(n))

test.each([
  ['many paths', () => many(4_097, (index) => `app/${index}.conf`)],
  ['long a path', () => [`app/${folders(110)}`]],
  ['many bytes', () => many(500, (index) => `app/${folders(50)}/${index}.conf`)],
])('no file that nobody could read again is signed: too %s', async (_, paths) => {
  saveKeyPair(at('a.key'), pair)
  await prepare('--key', at('a.key'))
  rmSync(at('release.json'))
  const remembered = readFileSync(at('a.key.counters.json'), 'utf8')
  const refused = { code: 'USAGE', message: expect.stringContaining('name one folder') }
  await expect(prepareOf(paths().map(at), '--key', at('a.key'))).rejects.toMatchObject(refused)
  expect(existsSync(at('release.json'))).toBe(false)
  expect(readFileSync(at('a.key.counters.json'), 'utf8')).toBe(remembered)
})

test('as many as it names can be read again', async () => {
  saveKeyPair(at('a.key'), pair)
  const paths = many(4_096, (index) => at(`app/${index}.conf`))
  for (const path of paths) writeFileSync(path, '')
  await prepareOf(paths, '--key', at('a.key'))
  expect(readPrepared(at('release.json'), LIMITS).paths).toEqual(paths)
})
