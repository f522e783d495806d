/** A seed that does not name all its channels: what is to be done about them says each command by what it can do. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { writeKeyPair } from '../../../src/cli/key-files.ts'
import { readRoot, saveEnvelope } from '../../../src/cli/root-files.ts'
import { type ChangeOptions, changeRoot, signRoot } from '../../../src/cli/trust-change.ts'
import { pushToSeeds } from '../../../src/cli/trust-push.ts'
import { channelsKnown } from '../../../src/cli/trust-reissue.ts'
import { encodeEnvelope } from '../../../src/codec/envelope.ts'
import { encodeRoot } from '../../../src/codec/root.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { noMemory } from '../../../src/publish/counter.ts'
import { reachSeeds } from '../../../src/publish/seeds.ts'
import { startChain } from '../../../src/trust/chain.ts'
import { addPublisher, raiseEpoch, removePublisher } from '../../../src/trust/edit.ts'
import { firstRoot } from '../../../src/trust/first-root.ts'
import { signEnvelope } from '../../../src/trust/signing.ts'
import { FakeSeed } from '../publish/fake-seed.ts'
import { EXPIRES, name, otherKey, pattern, spec } from '../trust/fixtures.ts'

vi.mock('../../../src/publish/seeds.ts', async (original) => ({
  ...(await original<typeof import('../../../src/publish/seeds.ts')>()),
  reachSeeds: vi.fn(),
}))

const ADDRESS = '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWHqucq6StiYQpADMJqa56fD1Wrnq5DzuNXmohptaVr6Va'
const UNSAID = /12D3KooWa did not name all its channels: CODEC_UNSUPPORTED: no such question/

let dir = ''
let seed: FakeSeed
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-touched-'))
  seed = new FakeSeed('a')
  seed.next.set('channels', [{ type: 'refused', code: 'CODEC_UNSUPPORTED', text: 'no such question' }])
  vi.mocked(reachSeeds).mockImplementation(async () => seeds())
  for (const stream of [process.stdout, process.stderr]) vi.spyOn(stream, 'write').mockReturnValue(true)
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(dir, { recursive: true, force: true })
})

const at = (file: string): string => join(dir, file)
const said = () => vi.mocked(process.stderr.write).mock.calls.join('')
const seeds = () => ({ reached: [seed], missed: [], close: async () => undefined })

function fleet(rootThreshold: number): ChangeOptions {
  const [one, two] = ['one.key', 'two.key'].map((file) => writeKeyPair(at(file), 'ed25519'))
  if (one === undefined || two === undefined) throw new Error('two keys')
  const root = firstRoot({
    rootKeys: [one.public, two.public],
    rootThreshold,
    publishers: [spec({ name: name('ci') })],
    admissionKeys: [],
    freshnessKeys: [],
    maxAgeS: 60,
    maxSkewS: 300,
    expires: EXPIRES,
  })
  const envelope = signEnvelope('root', encodeRoot(root), [one, two])
  saveEnvelope(at('root.json'), envelope)
  seed.roots.set(1, encodeEnvelope(envelope))
  return { root: at('root.json'), rootKey: [at('one.key')], seed: [ADDRESS] }
}

test.each<[string, (root: TrustRoot) => TrustRoot]>([
  ['remove-publisher', (root) => removePublisher(root, name('ci'))],
  ['raise-epoch', (root) => raiseEpoch(root, pattern('pay/*'))],
  [
    'add-publisher --replace, whose --channel grants a right',
    (root) => addPublisher(root, spec({ name: name('ci'), keys: [otherKey.public] }), { replace: true }),
  ],
])('%s issues nothing again: what the seed holds is to be published', async (_, edit) => {
  await changeRoot(fleet(1), edit)
  expect(said()).toMatch(UNSAID)
  expect(said()).toContain('must be published again, too')
  expect(said()).not.toContain('--channel')
})

test('nor does trust sign', async () => {
  const { root } = fleet(2)
  await changeRoot({ root, rootKey: [at('one.key')] }, (old) => raiseEpoch(old, pattern('pay/*')))
  await signRoot(at('root.2.draft.json'), { rootKey: [at('two.key')], seed: [ADDRESS] })
  expect(said()).toMatch(UNSAID)
  expect(said()).not.toContain('--channel')
})

test('nor does trust push without keys, which --channel would make a push that needs one', async () => {
  const { root, rootKey } = fleet(1)
  await changeRoot({ root, rootKey }, (old) => raiseEpoch(old, pattern('pay/*')))
  await pushToSeeds({ root, seed: [ADDRESS] })
  expect(said()).toMatch(UNSAID)
  expect(said()).not.toContain('--channel')
})

test('where they are issued again --channel names them', async () => {
  const { root } = readRoot(fleet(1).root)
  const chain = startChain(seed.roots.get(1) as Uint8Array, LIMITS)
  const session = { chain, seeds: seeds(), signers: [], memory: noMemory, publisher: undefined }
  expect(await channelsKnown([pattern('pay/*')], ['pay/prod'], [], root, session)).toEqual(['pay/prod'])
  expect(said()).toMatch(UNSAID)
  expect(said()).toContain('name with --channel what is missing')
})
