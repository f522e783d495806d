/** `--out` of a change of the root: the printed `trust push` hands it out from there as it would from `root.json`. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { writeKeyPair } from '../../../src/cli/key-files.ts'
import { withSession } from '../../../src/cli/publish-session.ts'
import { followsFrom, readRoot, saveEnvelope } from '../../../src/cli/root-files.ts'
import { changeRoot } from '../../../src/cli/trust-change.ts'
import { pushToSeeds } from '../../../src/cli/trust-push.ts'
import { pushAndReissue } from '../../../src/cli/trust-reissue.ts'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, Pattern } from '../../../src/model/ids.ts'
import { noMemory } from '../../../src/publish/counter.ts'
import { reachSeeds } from '../../../src/publish/seeds.ts'
import { keySigner } from '../../../src/publish/signer.ts'
import { startChain } from '../../../src/trust/chain.ts'
import { raiseEpoch, removePublisher, renew } from '../../../src/trust/edit.ts'
import { firstRoot } from '../../../src/trust/first-root.ts'
import type { PrivateKey } from '../../../src/trust/private-key.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { make } from '../core/fleet.ts'
import { FakeSeed, headerOf } from '../publish/fake-seed.ts'
import { EXPIRES, name, otherKey, pattern, publisherKey, spec } from '../trust/fixtures.ts'

vi.mock('../../../src/publish/seeds.ts', async (original) => ({
  ...(await original<typeof import('../../../src/publish/seeds.ts')>()),
  reachSeeds: vi.fn(),
}))
vi.mock('../../../src/cli/publish-session.ts', async (original) => ({
  ...(await original<typeof import('../../../src/cli/publish-session.ts')>()),
  withSession: vi.fn(),
}))

const PAY = 'pay/prod' as Channel
const ADDRESS = '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWHqucq6StiYQpADMJqa56fD1Wrnq5DzuNXmohptaVr6Va'

let dir = ''
let rootKey: PrivateKey
let seed: FakeSeed
let said = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-trust-out-'))
  rootKey = writeKeyPair(at('root.key'), 'ed25519')
  const root = firstRoot({
    rootKeys: [rootKey.public],
    rootThreshold: 1,
    publishers: [
      spec({ name: name('ci') }),
      spec({ keys: [otherKey.public], name: name('all'), patterns: [pattern('**')] }),
    ],
    admissionKeys: [],
    freshnessKeys: [],
    maxAgeS: 60,
    maxSkewS: 300,
    expires: EXPIRES,
  })
  saveEnvelope(at('root.json'), signEnvelope('root', encodeRoot(root), [rootKey]))
  seed = new FakeSeed('a')
  seed.channels = [PAY]
  seedHas('root.json')
  said = ''
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      said += String(text)
      return true
    })
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(dir, { recursive: true, force: true })
})

const at = (file: string): string => join(dir, file)
const seedHas = (file: string): void => {
  const { envelope, root } = readRoot(at(file))
  seed.roots.set(root.version, encodeEnvelope(envelope))
}
const into = (out?: string) => ({
  root: at('root.json'),
  rootKey: [at('root.key')],
  ...(out === undefined ? {} : { out: at(out) }),
})
const seeds = () => ({ reached: [seed], missed: [], close: async () => undefined })

/** As it is printed. */
function push(file: string): Promise<void> {
  vi.mocked(reachSeeds).mockImplementation(async () => seeds())
  return pushToSeeds({ root: at(file), seed: [ADDRESS] })
}

/** With a key of a publisher who may publish everywhere. */
function pushWithKey(file: string): Promise<void> {
  const chain = startChain(seed.roots.get(1) as Uint8Array, LIMITS)
  const session = { chain, seeds: seeds(), signers: [keySigner(otherKey)], memory: noMemory }
  vi.mocked(withSession).mockImplementation(async (_, run) => run({ ...session, publisher: undefined }))
  return pushAndReissue({ root: at(file) })
}

test('the printed push says which channels the root leaves without a release', async () => {
  await changeRoot(into('next.json'), (root) => removePublisher(root, name('ci')))
  expect(said).toContain(`confmesh trust push --root ${at('next.json')}`)
  await push('next.json')
  expect(said).toMatch(/pay\/\* has a new epoch[\s\S]*publish pay\/prod again/)
})

test('with a key it issues them again', async () => {
  const { fleetId } = readRoot(at('root.json')).root
  const standing = make({
    clock: { ci: 3 },
    text: 'x\n',
    signedBy: publisherKey,
    header: { channel: PAY, fleet: fleetId, publisher: name('ci') },
  })
  seed.envelopes = [standing.envelope]
  await changeRoot(into('next.json'), (root) => removePublisher(root, name('ci')))
  await pushWithKey('next.json')
  expect(headerOf(seed.submitted)).toMatchObject({ root: 2, channel: PAY, publisher: 'all' })
})

test('a seed that was away for several versions has each of them from there, and it takes further signatures', async () => {
  await changeRoot(into(), (root) => renew(root, EXPIRES + 86_400_000))
  await changeRoot(into('next.json'), (root) => raiseEpoch(root, 'pay/*' as Pattern))
  await push('next.json')
  expect([...seed.roots.keys()]).toEqual([1, 2, 3])
  expect(followsFrom(readRoot(at('next.json')))).toBe(1)
  expect(readRoot(at('root.json')).root.version).toBe(2)
})

test('another root under the name of an older one stops it before anything is written there', async () => {
  writeFileSync(at('next.1.json'), readFileSync(at('root.json')))
  await changeRoot(into('next.json'), (root) => renew(root, EXPIRES + 86_400_000))
  copyFileSync(at('next.json'), at('third.1.json'))
  const changing = changeRoot(into('third.json'), (root) => renew(root, EXPIRES + 86_400_000))
  await expect(changing).rejects.toMatchObject({ code: 'INPUT_EXISTS' })
  expect(() => readRoot(at('third.json'))).toThrow()
})

test('a root that came alone says what its own step raises; with a key, which file is missing', async () => {
  await changeRoot(into(), (root) => raiseEpoch(root, 'pay/*' as Pattern))
  mkdirSync(at('alone'))
  copyFileSync(at('root.json'), at('alone/root.json'))
  await expect(pushWithKey('alone/root.json')).rejects.toMatchObject({
    code: 'TRUST_ROOT_GAP',
    message: expect.stringMatching(/ root\.1\.json and those before it/),
  })
  await push('alone/root.json')
  expect(said).toMatch(/pay\/\* has a new epoch[\s\S]*publish pay\/prod again/)
})

test('a root that came alone and raised nothing itself says nothing', async () => {
  await changeRoot(into(), (root) => raiseEpoch(root, 'pay/*' as Pattern))
  seedHas('root.json')
  await changeRoot(into(), (root) => renew(root, EXPIRES + 86_400_000))
  mkdirSync(at('alone'))
  copyFileSync(at('root.json'), at('alone/root.json'))
  said = ''
  await push('alone/root.json')
  expect(said).toContain('is at root 3, 1 new')
  expect(said).not.toContain('new epoch')
})
