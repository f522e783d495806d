/** `trust rotate` with seeds: what goes on beside it, and what is said where it stops halfway. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { writeKeyPair } from '../../../src/cli/key-files.ts'
import { type Session, withSession } from '../../../src/cli/publish-session.ts'
import { readRoot, saveEnvelope } from '../../../src/cli/root-files.ts'
import type { RotateOptions } from '../../../src/cli/trust-hand-out.ts'
import { rotate, rotateInFleet } from '../../../src/cli/trust-rotate.ts'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import { MeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, Name, Pattern } from '../../../src/model/ids.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { noMemory } from '../../../src/publish/counter.ts'
import { keySigner, type Signer } from '../../../src/publish/signer.ts'
import { startChain } from '../../../src/trust/chain.ts'
import { raiseEpoch, renew } from '../../../src/trust/edit.ts'
import { firstRoot } from '../../../src/trust/first-root.ts'
import type { PrivateKey } from '../../../src/trust/private-key.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { make, WALL_MS } from '../core/fleet.ts'
import { FakeSeed, headerOf } from '../publish/fake-seed.ts'
import { key } from '../trust/fixtures.ts'

vi.mock('../../../src/cli/publish-session.ts', async (original) => ({
  ...(await original<typeof import('../../../src/cli/publish-session.ts')>()),
  withSession: vi.fn(),
}))

const CHANNEL = 'app/web' as Channel
const NEW = 'app/new' as Channel
const [oldKey, newKey] = [key(), key()]

let dir = ''
let path = ''
let rootKey: PrivateKey
let bytes: Uint8Array
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-rotate-'))
  path = join(dir, 'root.json')
  rootKey = writeKeyPair(join(dir, 'root.key'), 'ed25519')
  const root = firstRoot({
    rootKeys: [rootKey.public],
    rootThreshold: 1,
    publishers: [
      { name: 'alice' as Name, keys: [oldKey.public], threshold: 1, patterns: ['app/*' as Pattern] },
    ],
    admissionKeys: [],
    freshnessKeys: [],
    maxAgeS: 60,
    maxSkewS: 300,
    expires: WALL_MS,
  })
  const envelope = signEnvelope('root', encodeRoot(root), [rootKey])
  saveEnvelope(path, envelope)
  bytes = encodeEnvelope(envelope)
  for (const stream of [process.stdout, process.stderr]) vi.spyOn(stream, 'write').mockReturnValue(true)
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(dir, { recursive: true })
})

function release(counter: number, channel = CHANNEL) {
  const fleet = startChain(bytes, LIMITS).current.fleetId
  const clock = { alice: counter }
  return make({ clock, text: `of ${counter}\n`, signedBy: oldKey, header: { channel, fleet } })
}

function seedWith(channels: readonly Channel[]): FakeSeed {
  const seed = new FakeSeed('a')
  seed.roots.set(1, bytes)
  seed.channels = [...channels]
  return seed
}

const ADDRESS = '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWa'
const optionsWith = (more: Partial<RotateOptions>): RotateOptions => ({
  root: path,
  rootKey: [join(dir, 'root.key')],
  removeKey: [oldKey.id],
  seed: [ADDRESS],
  key: ['new.key'],
  signWith: ['sign --pin 1234'],
  ...more,
})
const sessionWith = (seed: FakeSeed, signers: readonly Signer[] = [keySigner(newKey)]): Session => ({
  chain: startChain(bytes, LIMITS),
  seeds: { reached: [seed], missed: [], close: async () => undefined },
  signers,
  memory: noMemory,
  publisher: 'alice' as Name,
})
const rotateAt = (seed: FakeSeed, more: Partial<RotateOptions> = {}, signers?: readonly Signer[]) =>
  rotateInFleet(
    { publisher: 'alice' as Name, add: [newKey.public], remove: [oldKey.id] },
    optionsWith(more),
    sessionWith(seed, signers),
  )

const stateOf = (made: ReturnType<typeof release>) =>
  ({
    type: 'state',
    rootVersion: 1,
    top: { epoch: 1, counter: 0, publisher: '' as Name, release: made.id },
    held: false,
    envelopes: [made.envelope],
    target: made.id,
    whole: true,
  }) as const

test('a release that is published while somebody is asked is the one that is issued again', async () => {
  const seed = seedWith([CHANNEL])
  const [found, meanwhile] = [release(4), release(5)]
  seed.next.set('state', [stateOf(found)])
  seed.envelopes = [meanwhile.envelope]
  await rotateAt(seed)
  expect(headerOf(seed.submitted)).toMatchObject({ root: 2, pages: meanwhile.release.header.pages })
})

test('so is that of a channel that is new', async () => {
  const seed = seedWith([NEW])
  seed.next.set('channels', [{ type: 'channels', channels: [], more: false }])
  seed.envelopes = [release(1, NEW).envelope]
  await rotateAt(seed)
  expect(headerOf(seed.submitted)).toMatchObject({ root: 2, channel: NEW })
})

test('what was found before a seed fell silent is still issued again', async () => {
  const seed = seedWith([CHANNEL])
  const found = release(4)
  seed.next.set('state', [stateOf(found)])
  await rotateAt(seed)
  expect(headerOf(seed.submitted)).toMatchObject({ root: 2, pages: found.release.header.pages })
})

test('so it is where the seed has the next root from somebody else by then', async () => {
  const seed = seedWith([CHANNEL])
  const found = release(4)
  seed.next.set('state', [stateOf(found)])
  seed.rootVersion = 2
  await rotateAt(seed)
  expect(headerOf(seed.submitted)).toMatchObject({ root: 2, pages: found.release.header.pages })
})

test.each([
  ['planned', {}, ` --key new.key --sign-with COMMAND --publisher alice`],
  ['after a theft', { stolen: true }, ''],
] as const)('%s: a root that no seed takes is told with how to go on', async (_, more, again) => {
  const seed = seedWith([CHANNEL])
  seed.envelopes = [release(4).envelope]
  seed.next.set('root', [new MeshError('NET_TIMEOUT', 'no word')])
  const next = `confmesh trust push --root ${path} --seed ${ADDRESS}${again}`
  const said = await rotateAt(seed, more).catch((error: unknown) => error)
  expect(said).toMatchObject({ code: 'NET_TIMEOUT', details: { root: path, version: 2, next } })
  expect((said as MeshError).message).toMatch(/^no word; .*root\.json is version 2 now, but no seed /)
  // It may have acted on the root, and its answer is lost.
  expect((said as MeshError).message).toContain('the fleet may have root 2')
  expect((said as MeshError).message).not.toContain('is where it was')
  expect((said as MeshError).message).toContain(next)
  expect(readRoot(path).root.version).toBe(2)
  expect(seed.submitted).toBeUndefined()
})

test.each([{}, { stolen: true }] as const)(
  'connections that a question outlasted are made anew: %o',
  async (more) => {
    let dials = 0
    const redial = async () => {
      dials += 1
    }
    const seed = Object.assign(seedWith([CHANNEL]), { redial })
    const found = release(4)
    const cut = new MeshError('NET_UNREACHABLE', 'the connection is gone')
    seed.next.set('state', [stateOf(found), ...(more.stolen === true ? [] : [cut])])
    seed.next.set('root', more.stolen === true ? [cut] : [])
    seed.envelopes = [found.envelope]
    await rotateAt(seed, more)
    expect([dials, seed.roots.size]).toEqual([1, 2])
  },
)

test.each([
  ['with keys', [keySigner(newKey)], 'new.key'],
  ['without', [], 'FILE'],
] as const)(
  'the first release of all, published while somebody is asked, is in what is said of how to go on: %s',
  async (_, signers, named) => {
    const seed = seedWith([NEW])
    seed.next.set('channels', [{ type: 'channels', channels: [], more: false }])
    seed.next.set('root', [new MeshError('NET_TIMEOUT', 'no word')])
    seed.envelopes = [release(1, NEW).envelope]
    const options = signers.length === 0 ? { key: [], signWith: [] } : { signWith: [] }
    const next = `confmesh trust push --root ${path} --seed ${ADDRESS} --key ${named} --publisher alice`
    await expect(rotateAt(seed, options, signers)).rejects.toMatchObject({ details: { version: 2, next } })
  },
)

test('it is issued again, too, where the question outlasted the connection', async () => {
  const seed = Object.assign(seedWith([NEW]), {
    redial: async () => {
      seed.isGone = false
    },
  })
  const ask = seed.ask.bind(seed)
  seed.next.set('channels', [{ type: 'channels', channels: [], more: false }])
  seed.ask = async (request) => {
    const isFirst = request.type === 'channels' && !seed.asked.includes('channels')
    const reply = await ask(request)
    if (isFirst) seed.isGone = true
    return reply
  }
  seed.envelopes = [release(1, NEW).envelope]
  await rotateAt(seed)
  expect(headerOf(seed.submitted)).toMatchObject({ root: 2, channel: NEW })
})

test('a root that another one forestalled is no reason to push again', async () => {
  const seed = seedWith([])
  const ask = seed.ask.bind(seed)
  seed.ask = async (request) => {
    // Somebody else changed the root while this one was signed.
    if (request.type === 'roots' && readRoot(path).root.version === 2) {
      const theirs = renew(startChain(bytes, LIMITS).current, WALL_MS + 1_000)
      seed.roots.set(2, encodeEnvelope(signEnvelope('root', encodeRoot(theirs), [rootKey])))
    }
    return ask(request)
  }
  const said = await rotateAt(seed).catch((error: unknown) => error)
  expect(said).toMatchObject({ code: 'TRUST_ROOT_FORK', details: { root: path, version: 2 } })
  expect((said as MeshError).message).toMatch(
    /has another root 2: .*root\.json is version 2 now, which no seed has$/,
  )
  expect(seed.asked).not.toContain('root')
})

test.each([
  ['of this version', [2]],
  ['of an older one, the newest being unknown to it', [2, 3]],
])('on top of another root than the seed’s, %s, nothing is written', async (_, versions) => {
  const seed = seedWith([])
  const theirs = renew(startChain(bytes, LIMITS).current, WALL_MS + 1_000)
  seed.roots.set(2, encodeEnvelope(signEnvelope('root', encodeRoot(theirs), [rootKey])))
  for (const version of versions) {
    const { envelope, root } = readRoot(path)
    saveEnvelope(join(dir, `root.${version - 1}.json`), envelope)
    const own = renew(root, WALL_MS + 2_000 * version)
    saveEnvelope(path, signEnvelope('root', encodeRoot(own), [rootKey]))
  }
  const before = readRoot(path).root.version
  await expect(rotateAt(seed)).rejects.toMatchObject({ code: 'TRUST_ROOT_FORK' })
  expect(readRoot(path).root.version).toBe(before)
  expect(seed.asked).not.toContain('root')
})

test('a seed that does not say what root it has keeps nobody from rotating; one that has another in between is named', async () => {
  const seed = seedWith([])
  const { root, envelope } = readRoot(path)
  saveEnvelope(join(dir, 'root.1.json'), envelope)
  saveEnvelope(path, signEnvelope('root', encodeRoot(renew(root, WALL_MS + 2_000)), [rootKey]))
  const theirs = renew(root, WALL_MS + 1_000)
  const ask = seed.ask.bind(seed)
  let roots = 0
  seed.ask = async (request) => {
    if (request.type === 'roots') roots += 1
    if (request.type === 'roots' && roots === 1) throw new MeshError('NET_TIMEOUT', 'no word')
    // Somebody else's root comes first.
    if (roots === 2) seed.roots.set(2, encodeEnvelope(signEnvelope('root', encodeRoot(theirs), [rootKey])))
    return ask(request)
  }
  await rotateAt(seed)
  expect(readRoot(path).root.version).toBe(3)
  const said = vi.mocked(process.stdout.write).mock.calls.join('')
  expect(said).toMatch(/is at root 3, 1 new; its root 2 was another/)
})

test.each([
  [
    'the key that leaves',
    oldKey,
    "is no publisher's any more in root 2; what is issued again is signed by the keys that stay: --key FILE",
  ],
  [
    'a key that is to be added',
    key(),
    'publisher alice has no key .* in root 2; use one that it has, or add',
  ],
])('signed with %s it changes nothing, and no key that left is to come back', async (_, by, why) => {
  const seed = seedWith([CHANNEL])
  seed.envelopes = [release(4).envelope]
  await expect(rotateAt(seed, {}, [keySigner(by)])).rejects.toMatchObject({
    code: 'TRUST_UNAUTHORISED',
    message: expect.stringMatching(why),
  })
  expect(readRoot(path).root.version).toBe(1)
})

const ISSUES = ', which issues again what has a new epoch (not after a theft)'
const KEYED = ' --key new.key --sign-with COMMAND --publisher alice'

test.each([
  ['that raises nothing', (root: TrustRoot) => renew(root, WALL_MS + 2_000), {}, '', ''],
  ['that raises an epoch', (root: TrustRoot) => raiseEpoch(root, 'app/*' as Pattern), {}, KEYED, ISSUES],
  [
    'that raises one of others',
    (root: TrustRoot) => raiseEpoch(root, 'other/*' as Pattern),
    {},
    ' --key FILE',
    ISSUES,
  ],
  [
    'that raises an epoch, after a theft',
    (root: TrustRoot) => raiseEpoch(root, 'app/*' as Pattern),
    { stolen: true },
    '',
    ", without --key, for what that issues again may be the thief's",
  ],
] as const)(
  'an older root %s, and was never handed out, goes out first',
  async (_, change, more, again, how) => {
    const seed = seedWith([CHANNEL])
    const { root, envelope } = readRoot(path)
    saveEnvelope(join(dir, 'root.1.json'), envelope)
    saveEnvelope(path, signEnvelope('root', encodeRoot(change(root)), [rootKey]))
    const next = `confmesh trust push --root ${path} --seed ${ADDRESS}${again}`
    const said = await rotateAt(seed, more).catch((error: unknown) => error)
    expect(said).toMatchObject({ code: 'USAGE', details: { version: 2, next } })
    expect((said as MeshError).message).toContain(`hand out first what it changes${how}: ${next}`)
    expect(readRoot(path).root.version).toBe(2)
    expect(seed.asked).not.toContain('root')
  },
)

test('again after a run that was cut off before it handed its root out, a key named by its id is still known', async () => {
  const seed = seedWith([])
  const { root, envelope } = readRoot(path)
  const publishers = new Map(
    [...root.publishers].map(([name, one]) => [name, { ...one, keys: [newKey.id] }] as const),
  )
  const keys = new Map([...root.keys].filter(([id]) => id !== oldKey.id)).set(newKey.id, newKey.public)
  saveEnvelope(join(dir, 'root.1.json'), envelope)
  const next = raiseEpoch({ ...root, publishers, keys }, 'app/*' as Pattern)
  saveEnvelope(path, signEnvelope('root', encodeRoot(next), [rootKey]))
  vi.mocked(withSession).mockImplementation(async (_, run) => run(sessionWith(seed)))
  const removeKey = [oldKey.id.slice(0, 8)]
  await expect(rotate('alice', optionsWith({ removeKey }))).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining('no seed has root 2 yet'),
    details: { next: `confmesh trust push --root ${path} --seed ${ADDRESS}${KEYED}` },
  })
})
