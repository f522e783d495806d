/** `confmesh sign`: a co-signer's key signs one place once, as the publisher's does. */
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { Level } from 'level'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { register } from '../../../src/cli/commands/sign.ts'
import { writeKeyPair } from '../../../src/cli/key-files.ts'
import { lockKey } from '../../../src/cli/key-lock.ts'
import { encode } from '../../../src/codec/cbor.ts'
import { decodeEnvelope } from '../../../src/codec/envelope.ts'
import { encodeEnvelopeJson } from '../../../src/codec/envelope-json.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Extra } from '../../../src/model/extra.ts'
import { encodePrepared, readPrepared } from '../../../src/publish/prepared.ts'
import { type Made, make, ROOT, raised, rootBytes, WALL_MS } from '../core/fleet.ts'

vi.mock('node:fs/promises', { spy: true })

let dir = ''
let key = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-sign-'))
  key = join(dir, 'b.key')
  writeKeyPair(key, 'ed25519')
  vi.spyOn(process.stdout, 'write').mockReturnValue(true)
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(dir, { recursive: true, force: true })
})

function prepared(name: string, { envelope }: Made): string {
  const file = join(dir, name)
  const decoded = decodeEnvelope(envelope, LIMITS.maxEnvelopeBytes, LIMITS)
  writeFileSync(file, encodePrepared({ envelope: decoded, paths: [] }))
  return file
}

async function signWith(by: string, file: string, ...more: readonly string[]): Promise<void> {
  const program = new Command()
  register(program)
  await program.parseAsync(['sign', file, '--key', by, ...more], { from: 'user' })
}
const sign = (file: string, ...more: readonly string[]) => signWith(key, file, ...more)
const signatures = (file: string) => readPrepared(file, LIMITS).envelope.signatures.length

test('a second release in one place, or before it, gets no signature; the same one again does', async () => {
  const [one, twin] = ['one', 'twin'].map((text) => prepared(text, make({ clock: { alice: 5 }, text })))
  const earlier = prepared('earlier', make({ clock: { alice: 4 } }))
  const later = prepared('later', make({ clock: { alice: 6 } }))
  if (one === undefined || twin === undefined) throw new Error('not prepared')
  await sign(one)
  await sign(one)
  expect(signatures(one)).toBe(2)
  for (const file of [twin, earlier]) {
    const before = readFileSync(file, 'utf8')
    await expect(sign(file)).rejects.toMatchObject({ code: 'ORDER_PLACE_TAKEN' })
    expect(readFileSync(file, 'utf8')).toBe(before)
  }
  await sign(later)
  expect(signatures(later)).toBe(2)
})

test('a raised epoch counts anew, where a trust root says so', async () => {
  await sign(prepared('one', make({ clock: { alice: 5 } })))
  const root = join(dir, 'newest.json')
  const newest = decodeEnvelope(rootBytes(raised(ROOT)), LIMITS.maxRootBytes, LIMITS)
  writeFileSync(root, encodeEnvelopeJson(newest))
  const anew = prepared('anew', make({ clock: { alice: 1 } }))
  await expect(sign(anew)).rejects.toMatchObject({ code: 'ORDER_PLACE_TAKEN' })
  await sign(anew, '--root', root)
  expect(signatures(anew)).toBe(2)
})

test('nor does a root that came to nothing let a place of the epoch in force be signed twice', async () => {
  await sign(prepared('one', make({ clock: { alice: 5 } })))
  // Made under root 2, which raised the epoch and never came into force.
  const root = join(dir, 'newest.json')
  writeFileSync(
    root,
    encodeEnvelopeJson(decodeEnvelope(rootBytes(raised(ROOT)), LIMITS.maxRootBytes, LIMITS)),
  )
  await sign(prepared('lost', make({ clock: { alice: 1 }, header: { root: 2 } })), '--root', root)
  const twin = prepared('twin', make({ clock: { alice: 5 }, text: 'twin' }))
  await expect(sign(twin)).rejects.toMatchObject({ code: 'ORDER_PLACE_TAKEN' })
  expect(signatures(twin)).toBe(1)
})

test('whoever waited for a lock keeps what another signed meanwhile', async () => {
  const other = join(dir, 'c.key')
  writeKeyPair(other, 'ed25519')
  const file = prepared('release', make({ clock: { alice: 5 } }))
  const free = await lockKey(key, 0)
  const waiting = sign(file)
  await signWith(other, file)
  await free()
  await waiting
  expect(signatures(file)).toBe(3)
})

test('whoever waited for a lock signs no other release that was put there meanwhile', async () => {
  const file = prepared('release', make({ clock: { alice: 5 } }))
  const free = await lockKey(key, 0)
  const waiting = expect(sign(file)).rejects.toMatchObject({ code: 'INPUT_EXISTS' })
  prepared('release', make({ clock: { alice: 6 } }))
  await free()
  await waiting
  expect(signatures(file)).toBe(1)
})

test('two who sign one file at the same moment both count', async () => {
  const file = prepared('release', make({ clock: { alice: 5 } }))
  const other = join(dir, 'c.key')
  writeKeyPair(other, 'ed25519')
  // Another process is at it: it has read the file, and not written it yet.
  writeFileSync(`${file}.lock`, '')
  const read = readFileSync(file, 'utf8')
  const waiting = sign(file)
  await expect.poll(() => existsSync(`${key}.counters.json`)).toBe(true)
  const theirs = join(dir, 'theirs')
  writeFileSync(theirs, read)
  await signWith(other, theirs)
  renameSync(theirs, file)
  rmSync(`${file}.lock`)
  await waiting
  expect([signatures(file), existsSync(`${file}.lock`)]).toEqual([3, false])
})

test('a lock that another user made is said with a way that `sign` has', async () => {
  const file = prepared('release', make({ clock: { alice: 5 } }))
  const cause = new Error('IO error: /k/LOCK: Permission denied')
  vi.spyOn(Level.prototype, 'open').mockRejectedValue(new Error('not open', { cause }))
  await expect(sign(file)).rejects.toMatchObject({
    code: 'INPUT_PATH',
    message: expect.stringMatching(/b\.key\.lock: .*Permission denied; make .* on a file system with locks$/),
  })
  expect(signatures(file)).toBe(1)
})

test('nor is any other advised where its memory cannot be written', async () => {
  const file = prepared('release', make({ clock: { alice: 5 } }))
  vi.mocked(rename).mockRejectedValueOnce(Object.assign(new Error('not yours'), { code: 'EPERM' }))
  await expect(sign(file)).rejects.toMatchObject({
    code: 'INPUT_PATH',
    message: expect.stringMatching(/b\.key\.counters\.json .*EPERM; .*this user's own and writable$/),
  })
  expect(signatures(file)).toBe(1)
})

test('of a release that ends it is said when', async () => {
  await sign(prepared('release', make({ clock: { alice: 5 }, header: { expires: WALL_MS + 1 } })))
  const said = vi.mocked(process.stdout.write).mock.calls.join('')
  expect(said).toContain('not newly activated after 2030-01-01T00:00:00.001Z')
})

test('nobody signs what this build does not know', async () => {
  for (const header of [
    { critical: ['waves'] },
    { rollout: encode({}) as Extra },
    { requires: encode({}) as Extra },
  ]) {
    const file = prepared('newer', make({ clock: { alice: 5 }, header }))
    await expect(sign(file)).rejects.toMatchObject({ code: 'CODEC_UNSUPPORTED' })
    expect(signatures(file)).toBe(1)
  }
})
