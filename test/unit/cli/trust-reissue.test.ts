import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Session, withSession } from '../../../src/cli/publish-session.ts'
import {
  handOut,
  pushAndReissue,
  requireSigners,
  staleOf,
  type Target,
  tellLeft,
} from '../../../src/cli/trust-reissue.ts'
import { decodeEnvelope } from '../../../src/codec/envelope.ts'
import { encodeEnvelopeJson } from '../../../src/codec/envelope-json.ts'
import { type Code, MeshError } from '../../../src/errors.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Channel, Name } from '../../../src/model/ids.ts'
import type { Header } from '../../../src/model/release.ts'
import type { TrustRoot } from '../../../src/model/root.ts'
import { noMemory, openMemory } from '../../../src/publish/counter.ts'
import { keySigner, type Signer } from '../../../src/publish/signer.ts'
import { startChain } from '../../../src/trust/chain.ts'
import { renew } from '../../../src/trust/edit.ts'
import { inNewerFormat, make, ROOT, raised, rootBytes } from '../core/fleet.ts'
import { ALICE, FakeSeed, headerOf } from '../publish/fake-seed.ts'

vi.mock('../../../src/cli/publish-session.ts', async (original) => ({
  ...(await original<typeof import('../../../src/cli/publish-session.ts')>()),
  withSession: vi.fn(),
}))

const NEXT = raised(ROOT)
const CHANNELS = ['a', 'b', 'c', 'd', 'e'].map((name) => `app/${name}` as Channel)
const TARGETS: readonly Target[] = CHANNELS.map((channel) => [
  channel,
  make({ clock: { alice: 1 }, header: { channel } }).release,
])

let folder: string
let said: string[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'confmesh-reissue-'))
  save('root.1.json', ROOT)
  save('root.json', NEXT)
  said = []
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0)
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true })
  process.exitCode = 0
})

const save = (name: string, root: TrustRoot): void =>
  writeFileSync(
    join(folder, name),
    encodeEnvelopeJson(decodeEnvelope(rootBytes(root), LIMITS.maxRootBytes, LIMITS)),
  )

function sessionWith(...reached: readonly FakeSeed[]): Session {
  for (const seed of reached) seed.roots.set(1, rootBytes(ROOT))
  return {
    chain: startChain(rootBytes(ROOT), LIMITS),
    seeds: { reached, missed: [], close: async () => undefined },
    signers: [keySigner(ALICE)],
    memory: noMemory,
    publisher: undefined,
  }
}

const handOutTo = (seed: FakeSeed) => handOut(join(folder, 'root.json'), ROOT, TARGETS, sessionWith(seed))

test('a channel that cannot be issued again stops none after it, and is named at the end', async () => {
  const seed = new FakeSeed('a')
  seed.next.set('submit', [{ type: 'refused', code: 'LIMIT_CHANNELS', text: 'full' }])
  const { reissued, left } = await handOutTo(seed)
  expect(reissued.map(({ channel }) => channel)).toEqual(CHANNELS.slice(1))
  expect(left).toMatchObject([{ channel: 'app/a', code: 'LIMIT_CHANNELS' }])
  tellLeft(left, NEXT)
  expect(said.join('')).toContain('LIMIT_CHANNELS: app/a is left without a release under root 2: full')
  expect(said.join('')).toContain('confmesh publish')
  expect(process.exitCode).toBe(3)
})

test('what goes live by rules that this build does not know is told of before anything changes', () => {
  const [channel] = CHANNELS as [Channel]
  const check = (header: Partial<Header>) => () => {
    const { release } = make({ clock: { alice: 1 }, header: { channel, ...header } })
    requireSigners(ROOT, NEXT, [...TARGETS, [channel, release]], sessionWith())
  }
  const said = expect.stringMatching(/^release [0-9a-f]{12} of app\/a says .*\(waves\).*confmesh trust push/)
  expect(check({ critical: ['waves'] })).toThrow(
    expect.objectContaining({ code: 'CODEC_UNSUPPORTED', message: said }),
  )
  // It is not issued again in any case.
  expect(check({ critical: ['waves'], expires: 1 })).not.toThrow()
  expect(check({})).not.toThrow()
})

test('a push again reaches every seed, whatever a newer build has published since', async () => {
  const channel = 'app/new' as Channel
  const seed = new FakeSeed('a')
  seed.envelopes = [inNewerFormat(make({ clock: { alice: 1 }, header: { channel, root: NEXT.version } }))]
  expect(await staleOf([channel], NEXT, sessionWith(seed))).toEqual([])
})

test('one beside which another publisher has a release that ranks higher is named', async () => {
  const seed = new FakeSeed('a')
  seed.next.set('await', [{ type: 'done', verdict: 'CONCURRENT', acknowledgedBy: [seed.peer] }])
  const { reissued, left } = await handOutTo(seed)
  expect([reissued.map(({ verdict }) => verdict), left]).toEqual([
    ['CONCURRENT', 'NEW', 'NEW', 'NEW', 'NEW'],
    [],
  ])
  expect(said).toEqual([expect.stringMatching(/no node activates .* beside it in app\/a and ranks higher/)])
})

test('where no seed answers any more the rest is named without being tried one by one', async () => {
  const seed = new FakeSeed('a')
  seed.next.set(
    'state',
    CHANNELS.map(() => new MeshError('NET_TIMEOUT', 'no word')),
  )
  const { reissued, left } = await handOutTo(seed)
  expect(reissued).toEqual([])
  expect(left.map(({ channel }) => channel)).toEqual(CHANNELS)
  expect(seed.asked.filter((kind) => kind === 'state')).toHaveLength(3)
  tellLeft(left, NEXT)
  expect(process.exitCode).toBe(4)
})

test.each([
  ['at once', false, CHANNELS.slice(3)],
  ['by its time being over', true, []],
] as const)('a signing command that fails three times, %s', async (_, late, issued) => {
  const key = keySigner(ALICE)
  let calls = 0
  const signer: Signer = {
    keyId: key.keyId,
    async sign(...asked) {
      calls += 1
      if (calls > 3) return key.sign(...asked)
      throw new MeshError('SIGN_FAILED', 'the signing command ended', late ? { late } : {})
    },
  }
  const session = { ...sessionWith(new FakeSeed('a')), signers: [signer] }
  const { reissued, left } = await handOut(join(folder, 'root.json'), ROOT, TARGETS, session)
  expect(reissued.map(({ channel }) => channel)).toEqual(issued)
  expect(left).toHaveLength(CHANNELS.length - issued.length)
})

test.each(['state', 'submit'] as const)(
  'a seed that restarts meanwhile, when it is asked to %s, leaves nothing behind, nor a second release of one channel',
  async (kind) => {
    let dials = 0
    const redial = async () => {
      dials += 1
    }
    const seed = Object.assign(new FakeSeed('a'), { redial })
    const cut = new MeshError('NET_UNREACHABLE', 'cut')
    seed.next.set(kind, [cut])
    const session = { ...sessionWith(seed), memory: openMemory(join(folder, 'alice.key')) }
    const { reissued, left } = await handOut(join(folder, 'root.json'), ROOT, TARGETS, session)
    expect([reissued.length, left, dials]).toEqual([CHANNELS.length, [], 1])
    // Hosts know by that counter what they tried already.
    expect(reissued.map(({ clock }) => [...clock])).toEqual(CHANNELS.map(() => [['alice', 1]]))
  },
)

test('nothing is left where all of it is issued again', async () => {
  const { reissued, left } = await handOutTo(new FakeSeed('a'))
  expect(reissued).toHaveLength(CHANNELS.length)
  tellLeft(left, NEXT)
  expect(said).toEqual([])
  expect(process.exitCode).toBe(0)
})

test('what has expired is not issued again, for no host would take it: it is named at the end, and the others are issued', async () => {
  const seed = new FakeSeed('a')
  const expiring = (expires: number): Target => [
    'app/z' as Channel,
    make({ clock: { alice: 1 }, header: { channel: 'app/z' as Channel, expires } }).release,
  ]
  const run = (expires: number) =>
    handOut(join(folder, 'root.json'), ROOT, [expiring(expires), ...TARGETS], sessionWith(seed))
  const { reissued, left } = await run(Date.UTC(2020, 0, 31))
  expect(reissued.map(({ channel }) => channel)).toEqual(CHANNELS)
  expect(left).toMatchObject([{ channel: 'app/z', code: 'ACTIVATE_EXPIRED' }])
  tellLeft(left, NEXT)
  expect(said.join('')).toContain(
    'ACTIVATE_EXPIRED: app/z is left without a release under root 2: what counted there expired at 2020-01-31T00:00:00.000Z',
  )
  expect(process.exitCode).toBe(1)
  expect(await run(Date.now() + 60_000)).toMatchObject({ left: [] })
})

test('too few keys are told of a way that is there: the root first, then each channel by its signers', () => {
  const publishers = new Map(
    [...NEXT.publishers].map(([name, one]) => [name, { ...one, keys: [ALICE.id, ALICE.id], threshold: 2 }]),
  )
  const session = { ...sessionWith(new FakeSeed('a')), publisher: 'alice' as Name }
  expect(() => requireSigners(ROOT, { ...NEXT, publishers }, TARGETS, session)).toThrow(
    /alice needs 2 signatures, 1 at hand; name more keys, or hand the root out without keys .*: confmesh publish --prepare, then confmesh sign$/,
  )
})

test('a channel that holds nothing of the root’s epoch is stale; one that two releases hold is not', async () => {
  const of = (text: string, root: number) =>
    make({ clock: { alice: 1 }, text, header: { channel: 'app/a' as Channel, root } }).envelope
  const seed = new FakeSeed('a')
  const stale = () => staleOf(['app/a' as Channel], NEXT, sessionWith(seed))
  seed.envelopes = [of('old', 1)]
  expect(await stale()).toEqual(['app/a'])
  seed.envelopes = [of('one', 2), of('two', 2)]
  expect(await stale()).toEqual([])
})

test('a push that ends a fork issues again what was made under the seed’s own root', async () => {
  const seed = new FakeSeed('a')
  const session = sessionWith(seed)
  // Theirs raised the epoch, ours did not; the next does both.
  seed.roots.set(2, rootBytes(NEXT))
  const ours = renew(ROOT, ROOT.expires + 1_000)
  save('root.2.json', ours)
  save('root.json', raised(ours))
  const [channel] = CHANNELS as [Channel]
  seed.channels = [channel]
  const theirs = make({ clock: { alice: 1 }, header: { channel, root: 2 } })
  seed.envelopes = [theirs.envelope]
  vi.mocked(withSession).mockImplementation(async (_, run) => run(session))
  const printed = vi.spyOn(process.stdout, 'write').mockReturnValue(true)
  await pushAndReissue({ root: join(folder, 'root.json') })
  expect(headerOf(seed.submitted)).toMatchObject({ root: 3, channel, pages: theirs.release.header.pages })
  expect(printed.mock.calls.join('')).toMatch(/its root 2 was another/)
})
/** Whose disk is slow: it has acted on the root once it says so, and nobody waits for so long. */
function lateSeed(times: number, code: Code = 'NET_TIMEOUT'): FakeSeed {
  const seed = Object.assign(new FakeSeed('a'), { redial: async () => undefined })
  const ask = seed.ask.bind(seed)
  let late = 0
  seed.ask = async (request) => {
    const reply = await ask(request)
    if (request.type === 'root' && late < times) throw new MeshError(code, `${++late} too late`)
    return reply
  }
  return seed
}

test('what a seed that answers too late has acted on is issued again all the same', async () => {
  const seed = lateSeed(1)
  const { seeds, reissued, left } = await handOutTo(seed)
  expect(seeds).toMatchObject([{ version: 2 }])
  expect([reissued.map(({ channel }) => channel), left]).toEqual([CHANNELS, []])
})

test.each<Code>(['NET_TIMEOUT', 'NET_UNREACHABLE'])(
  'be it that another one, asked before, has refused it: %s',
  async (code) => {
    const refusing = new FakeSeed('b')
    refusing.next.set('root', [
      new MeshError('STORE_FULL', 'no room'),
      new MeshError('STORE_FULL', 'no room'),
    ])
    const { seeds, reissued } = await handOut(
      join(folder, 'root.json'),
      ROOT,
      TARGETS,
      sessionWith(refusing, lateSeed(1, code)),
    )
    expect(seeds).toMatchObject([{ version: 2 }])
    expect(reissued.map(({ channel }) => channel)).toEqual(CHANNELS)
  },
)

test('where none answers at all what would have to be issued again is named, and that the fleet may have the root', async () => {
  const seed = new FakeSeed('a')
  seed.next.set('root', [new MeshError('NET_TIMEOUT', 'no word')])
  const targets = Array.from({ length: 8 }, () => TARGETS).flat()
  const said = await handOut(join(folder, 'root.json'), ROOT, targets, sessionWith(seed)).catch(
    (error: unknown) => error,
  )
  expect(said).toMatchObject({ code: 'NET_TIMEOUT' })
  const { message, details } = said as MeshError
  const [[channel, release]] = TARGETS as [Target]
  expect(message).toMatch(/^no word; the fleet may have root 2 all the same, .* until now: app\/a /)
  expect(message).toContain(details.waiting)
  expect(String(details.waiting).split(', ')).toHaveLength(21)
  expect(details.waiting).toMatch(new RegExp(`^${channel} ${release.id.slice(0, 12)}, .*, 20 more$`))
})

test('a seed that is past the root by its own word, and shows no newer one, does not say that nothing counted', async () => {
  const seed = new FakeSeed('a')
  seed.channels = CHANNELS.slice(0, 1)
  seed.rootVersion = 2
  vi.mocked(withSession).mockImplementation(async (_, run) => run(sessionWith(seed)))
  await expect(pushAndReissue({ root: join(folder, 'root.json') })).rejects.toMatchObject({
    code: 'TRUST_ROOT_OLD',
    message: expect.stringMatching(/12D3KooWa says that it is at root 2, .* under root 1; fetch the newest/),
  })
  expect(seed.asked).not.toContain('root')
})
