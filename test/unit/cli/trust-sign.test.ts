/** `trust sign`: nothing is signed unexplained, and no signature is lost to another's. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { writeKeyPair } from '../../../src/cli/key-files.ts'
import { draftPath, readRoot, readRootDraft, saveEnvelope } from '../../../src/cli/root-files.ts'
import { changeRoot, signRoot } from '../../../src/cli/trust-change.ts'
import { asJson } from '../../../src/codec/extra.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { renew } from '../../../src/trust/edit.ts'
import { firstRoot } from '../../../src/trust/first-root.ts'
import type { PrivateKey } from '../../../src/trust/private-key.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { EXPIRES, spec } from '../trust/fixtures.ts'

const NAMES = ['one.key', 'two.key', 'three.key'] as const

let dir = ''
let keys: readonly PrivateKey[]
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-trust-sign-'))
  keys = NAMES.map((name) => writeKeyPair(at(name), 'ed25519'))
  vi.spyOn(process.stdout, 'write').mockReturnValue(true)
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(dir, { recursive: true, force: true })
})

const at = (name: string): string => join(dir, name)
const signatures = (name: string) => readRootDraft(at(name)).envelope.signatures.length
const by = (name: string) => ({ rootKey: [at(name)] })

/** Its first root as `root.json`. */
function fleetOf(rootThreshold: number): TrustRoot {
  const root = firstRoot({
    rootKeys: keys.map((key) => key.public),
    rootThreshold,
    publishers: [spec()],
    admissionKeys: [],
    freshnessKeys: [],
    maxAgeS: 60,
    maxSkewS: 300,
    expires: EXPIRES,
  })
  save('root.json', root, keys.slice(0, rootThreshold))
  return root
}

const save = (name: string, root: TrustRoot, signers: readonly PrivateKey[]): void =>
  saveEnvelope(at(name), signEnvelope('root', encodeRoot(root), signers))

/** With other root keys, two of which must sign. */
const ruledBy = (root: TrustRoot, ...rulers: readonly PrivateKey[]): TrustRoot => ({
  ...root,
  keys: new Map([...root.keys, ...rulers.map((key) => [key.id, key.public] as const)]),
  root: { keys: rulers.map(({ id }) => id).sort(), threshold: Math.min(2, rulers.length) },
})

const renewBy = (name: string) =>
  changeRoot({ ...by(name), root: at('root.json') }, (root) => renew(root, EXPIRES + 86_400_000))

test('a draft under any other name is signed only beside the root that is left', async () => {
  fleetOf(2)
  await renewBy('one.key')
  cpSync(at('root.2.draft.json'), at('root-2.json'))
  const before = readFileSync(at('root-2.json'), 'utf8')
  await expect(signRoot(at('root-2.json'), by('two.key'))).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining('--root FILE'),
  })
  expect(readFileSync(at('root-2.json'), 'utf8')).toBe(before)
  await signRoot(at('root-2.json'), { ...by('two.key'), root: at('root.json') })
  expect(readRoot(at('root.json')).root.version).toBe(2)
})

test('nor does its own lower threshold make a next root one that holds', async () => {
  const root = fleetOf(2)
  const sole = { ...root, version: 2, root: { ...root.root, threshold: 1 } }
  save('root-2.json', sole, keys.slice(0, 1))
  // the version before it, where it would stand
  cpSync(at('root.json'), at('root-2.1.json'))
  await expect(signRoot(at('root-2.json'), by('two.key'))).rejects.toMatchObject({ code: 'USAGE' })
  rmSync(at('root-2.1.json'))
  await expect(signRoot(at('root-2.json'), by('two.key'))).rejects.toMatchObject({ code: 'USAGE' })
  expect(signatures('root-2.json')).toBe(1)
})

test('what holds already takes further signatures', async () => {
  fleetOf(2)
  await signRoot(at('root.json'), by('three.key'))
  expect(signatures('root.json')).toBe(3)
  await renewBy('one.key')
  await signRoot(at('root.2.draft.json'), by('two.key'))
  await signRoot(at('root.json'), by('three.key'))
  expect([readRoot(at('root.json')).root.version, signatures('root.json')]).toEqual([2, 3])
})

test('with the root that it replaced named it stays where it is, and so does that one', async () => {
  fleetOf(2)
  await renewBy('one.key')
  await signRoot(at('root.2.draft.json'), by('two.key'))
  const kept = at('kept.1.json')
  cpSync(at('root.1.json'), kept)
  rmSync(at('root.1.json'))
  await expect(signRoot(at('root.json'), by('three.key'))).rejects.toMatchObject({ code: 'USAGE' })
  const before = readFileSync(kept, 'utf8')
  await signRoot(at('root.json'), { ...by('three.key'), root: kept })
  expect([readRoot(at('root.json')).root.version, signatures('root.json')]).toEqual([2, 3])
  expect(readFileSync(kept, 'utf8')).toBe(before)
  expect(existsSync(at('kept.1.1.json'))).toBe(false)
})

test.each([
  ['alone', undefined],
  ['beside the root that it replaced', 'kept.1.json'],
])('signed %s it does not take the place of the next one that somebody makes meanwhile', async (_, kept) => {
  fleetOf(2)
  await renewBy('one.key')
  await signRoot(at('root.2.draft.json'), by('two.key'))
  if (kept !== undefined) cpSync(at('root.1.json'), at(kept))
  const left = kept === undefined ? {} : { root: at(kept) }
  // Who makes the next one has read this one.
  const lock = `${draftPath(at('root.json'), 3)}.lock`
  writeFileSync(lock, '')
  const signing = expect(signRoot(at('root.json'), { ...by('three.key'), ...left })).rejects.toMatchObject({
    code: 'INPUT_EXISTS',
    message: expect.stringContaining('was replaced by another run'),
  })
  await setImmediate()
  expect(signatures('root.json')).toBe(2)
  save('root.json', renew(readRoot(at('root.json')).root, EXPIRES + 172_800_000), keys.slice(0, 2))
  const next = readFileSync(at('root.json'), 'utf8')
  rmSync(lock)
  await signing
  expect(readFileSync(at('root.json'), 'utf8')).toBe(next)
})

test('it goes into no file of its own: that is said, and no file changes', async () => {
  fleetOf(2)
  await renewBy('one.key')
  await signRoot(at('root.2.draft.json'), by('two.key'))
  cpSync(at('root.1.json'), at('kept.1.json'))
  const files = () =>
    Object.fromEntries(readdirSync(dir).map((name) => [name, readFileSync(at(name), 'utf8')]))
  const before = files()
  for (const root of [undefined, at('kept.1.json')]) {
    const beside = root === undefined ? {} : { root }
    const options = { ...by('three.key'), ...beside, out: at('new.json') }
    await expect(signRoot(at('root.json'), options)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('--out'),
    })
  }
  expect(files()).toEqual(before)
})

test('a file under any other name is kept once the root has come of it', async () => {
  fleetOf(2)
  await renewBy('one.key')
  cpSync(at('root.2.draft.json'), at('sent.json'))
  await signRoot(at('sent.json'), { ...by('two.key'), root: at('root.json') })
  expect([readRoot(at('root.json')).root.version, existsSync(at('sent.json'))]).toEqual([2, true])
})

test('a version before it that signs itself, and follows from nothing, makes no root one that holds', async () => {
  const first = fleetOf(2)
  const [one, two] = keys as [PrivateKey, PrivateKey]
  const stranger = writeKeyPair(at('stranger.key'), 'ed25519')
  const left = ruledBy(renew(first, EXPIRES + 1000), stranger)
  save('evil.2.json', left, [stranger])
  save('evil.json', ruledBy(renew(left, EXPIRES + 2000), stranger, one, two), [stranger, one])
  for (const beside of [false, true]) {
    // the fleet's own first root, which the version before it does not follow
    if (beside) cpSync(at('root.json'), at('evil.1.json'))
    await expect(signRoot(at('evil.json'), by('two.key'))).rejects.toMatchObject({ code: 'USAGE' })
    expect(signatures('evil.json')).toBe(2)
  }
})

test('two who sign one draft at once both count', async () => {
  fleetOf(3)
  await renewBy('one.key')
  const draft = at('root.2.draft.json')
  await Promise.all(['two.key', 'three.key'].map((name) => signRoot(draft, by(name))))
  expect([readRoot(at('root.json')).root.version, signatures('root.json')]).toEqual([2, 3])
  expect(existsSync(draft)).toBe(false)
})

test('so does who is at it in another process', async () => {
  fleetOf(3)
  await renewBy('one.key')
  const draft = at('root.2.draft.json')
  cpSync(draft, at('theirs.json'))
  // It has read the draft, and not written it yet.
  writeFileSync(`${draft}.lock`, '')
  const waiting = signRoot(draft, by('two.key'))
  await signRoot(at('theirs.json'), { ...by('three.key'), root: at('root.json') })
  cpSync(at('theirs.json'), draft)
  rmSync(`${draft}.lock`)
  await waiting
  expect([readRoot(at('root.json')).root.version, signatures('root.json')]).toEqual([2, 3])
  expect(existsSync(`${draft}.lock`)).toBe(false)
})

test('so do two who make the same change at once', async () => {
  fleetOf(3)
  await Promise.all(['one.key', 'two.key'].map(renewBy))
  expect(signatures('root.2.draft.json')).toBe(2)
})

test('a draft that another was put in the place of meanwhile is neither signed nor overwritten', async () => {
  const root = fleetOf(3)
  await renewBy('one.key')
  const draft = at('root.2.draft.json')
  const signing = expect(signRoot(draft, by('two.key'))).rejects.toMatchObject({ code: 'INPUT_EXISTS' })
  save('root.2.draft.json', renew(root, EXPIRES + 1000), keys.slice(2))
  const other = readFileSync(draft, 'utf8')
  await signing
  expect(readFileSync(draft, 'utf8')).toBe(other)
})

test('a root that another run replaced meanwhile stays', async () => {
  const root = fleetOf(1)
  const changing = expect(renewBy('one.key')).rejects.toMatchObject({ code: 'INPUT_EXISTS' })
  save('root.json', renew(root, EXPIRES + 1000), keys)
  const other = readFileSync(at('root.json'), 'utf8')
  await changing
  expect(readFileSync(at('root.json'), 'utf8')).toBe(other)
})

test('into a file of its own: the command that is printed for the others does it, and leaves the root alone', async () => {
  fleetOf(2)
  const before = readFileSync(at('root.json'), 'utf8')
  const options = { ...by('one.key'), root: at('root.json'), out: at('new.json') }
  await changeRoot(options, (root) => renew(root, EXPIRES + 86_400_000))
  const printed = vi.mocked(process.stdout.write).mock.calls.join('')
  const draft = at('new.2.draft.json')
  expect(printed).toContain(
    `confmesh trust sign ${draft} --root ${at('root.json')} --out ${at('new.json')} --root-key`,
  )
  await signRoot(draft, { ...by('two.key'), root: at('root.json'), out: at('new.json') })
  expect(readRoot(at('new.json')).root.version).toBe(2)
  expect(readFileSync(at('root.json'), 'utf8')).toBe(before)
  expect(existsSync(draft)).toBe(false)
})

test('a change gives what is named a new epoch, too', async () => {
  fleetOf(1)
  const options = { ...by('one.key'), root: at('root.json'), raise: ['app/*'] }
  await changeRoot(options, (root) => renew(root, EXPIRES + 86_400_000))
  expect(readRoot(at('root.json')).root.epochs).toEqual([{ pattern: 'app/*', value: 2 }])
  await expect(changeRoot({ ...options, raise: ['*app'] }, (root) => root)).rejects.toMatchObject({
    message: expect.stringContaining('--raise'),
  })
})

test('what this build would not understand is not signed, and stays as it is', async () => {
  const root = fleetOf(2)
  save('root.2.draft.json', { ...renew(root, EXPIRES + 1000), critical: ['waves'] }, keys.slice(0, 1))
  save('first.json', { ...root, critical: ['waves'] }, keys.slice(0, 2))
  for (const name of ['root.2.draft.json', 'first.json']) {
    const before = readFileSync(at(name), 'utf8')
    await expect(signRoot(at(name), by('two.key'))).rejects.toMatchObject({
      code: 'CODEC_UNSUPPORTED',
      message: expect.stringContaining('needs waves'),
    })
    expect(readFileSync(at(name), 'utf8')).toBe(before)
  }
  expect(readRoot(at('root.json')).root.version).toBe(1)
})

test('who signs what only a newer build can explain is told so', async () => {
  const root = fleetOf(2)
  const extra = asJson.pack({ waves: [1] })
  save('root.2.draft.json', { ...renew(root, EXPIRES + 1000), extra }, keys.slice(0, 1))
  await signRoot(at('root.2.draft.json'), by('two.key'))
  expect(vi.mocked(process.stdout.write).mock.calls.join('')).toContain('DOES NOT KNOW (waves)')
})
