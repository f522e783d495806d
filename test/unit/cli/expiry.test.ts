/** A release whose time is over is brought to no seed as something new: no node would activate it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { register as registerImport } from '../../../src/cli/commands/import.ts'
import { register as registerPublish } from '../../../src/cli/commands/publish.ts'
import { expiryOf, requireUnexpired } from '../../../src/cli/expiry.ts'
import { decodeEnvelope } from '../../../src/codec/envelope.ts'
import { LIMITS } from '../../../src/limits.ts'
import { writeCar } from '../../../src/publish/car.ts'
import { encodePrepared } from '../../../src/publish/prepared.ts'
import { reachSeeds } from '../../../src/publish/seeds.ts'
import { confmesh } from '../../e2e/command-line.ts'
import { inNewerFormat, make, PUBLISHER_KEYS } from '../core/fleet.ts'
import { FakeSeed } from '../publish/fake-seed.ts'

vi.mock('../../../src/publish/seeds.ts', async (original) => ({
  ...(await original<typeof import('../../../src/publish/seeds.ts')>()),
  reachSeeds: vi.fn(),
}))

const header = { expires: Date.UTC(2020, 0, 31) }
const over = make({ clock: { alice: 2 }, header })
const SEED = '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5'

let dir = ''
let seed: FakeSeed
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'confmesh-expiry-'))
  seed = new FakeSeed('a')
  vi.mocked(reachSeeds).mockResolvedValue({ reached: [seed], missed: [], close: async () => undefined })
  for (const stream of [process.stdout, process.stderr]) vi.spyOn(stream, 'write').mockReturnValue(true)
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(dir, { recursive: true, force: true })
})

async function run(register: (program: Command) => void, ...words: readonly string[]): Promise<void> {
  const program = new Command()
  register(program)
  await program.parseAsync([...words, '--seed', SEED], { from: 'user' })
}

/** Waiting for signatures, beside its file. */
async function injectPrepared(): Promise<void> {
  const file = join(dir, 'release.json')
  const folder = join(dir, 'files')
  mkdirSync(folder)
  writeFileSync(join(folder, 'a.conf'), over.block)
  const envelope = decodeEnvelope(over.envelope, LIMITS.maxEnvelopeBytes, LIMITS)
  writeFileSync(file, encodePrepared({ envelope, paths: [folder] }))
  await run(registerPublish, 'publish', '--prepared', file)
}

async function importCar(): Promise<void> {
  const file = join(dir, 'release.car')
  const blocks = async function* () {
    for (const [digest, bytes] of over.content) yield { digest, bytes }
  }
  const parts: Uint8Array[] = []
  for await (const part of writeCar(over.envelope, blocks())) parts.push(part)
  writeFileSync(file, Buffer.concat(parts))
  await run(registerImport, 'import', file)
}

const BOTH = [
  ['where it waited for signatures', injectPrepared],
  ['out of a CAR file', importCar],
] as const

test.each(BOTH)('not %s', async (_, bring) => {
  seed.envelopes = [make({ clock: { alice: 1 } }).envelope]
  await expect(bring()).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining('expired at 2020-01-31T00:00:00.000Z, which is in the past'),
  })
  expect(seed.asked).not.toContain('submit')
})

test.each(BOTH)('a run that was done is run again: %s', async (_, bring) => {
  seed.envelopes = [over.envelope]
  seed.next.set('submit', [{ type: 'done', verdict: 'DUPLICATE', acknowledgedBy: [seed.peer] }])
  await bring()
  expect(seed.asked).toContain('submit')
})

test.each(BOTH)('of one that is superseded the seed says so: %s', async (_, bring) => {
  seed.envelopes = [make({ clock: { alice: 3 } }).envelope]
  seed.next.set('submit', [{ type: 'refused', code: 'ORDER_STALE', text: 'superseded' }])
  await expect(bring()).rejects.toMatchObject({ code: 'ORDER_STALE' })
})

test.each(BOTH)('a target in a newer format hides neither: %s', async (_, bring) => {
  seed.envelopes = [
    inNewerFormat(make({ clock: { bob: 1 }, publisher: 'bob' }), PUBLISHER_KEYS.bob),
    over.envelope,
  ]
  await requireUnexpired('release', over.release, [seed])
  seed.envelopes = [inNewerFormat(make({ clock: { alice: 3 } }))]
  await requireUnexpired('release', over.release, [seed])
  seed.next.set('submit', [{ type: 'refused', code: 'ORDER_STALE', text: 'superseded' }])
  await expect(bring()).rejects.toMatchObject({ code: 'ORDER_STALE' })
})

test('One that stands beside what is there would be new; one of an epoch that has ended would not', async () => {
  seed.envelopes = [make({ clock: { bob: 9 }, publisher: 'bob' }).envelope]
  await expect(requireUnexpired('release', over.release, [seed])).rejects.toMatchObject({ code: 'USAGE' })
  const top = { epoch: over.release.header.root + 1, counter: 0, publisher: '' as const }
  seed.next.set('state', [{ type: 'state', rootVersion: 2, top, held: false, envelopes: [], whole: false }])
  await requireUnexpired('release', over.release, [seed])
})

test.each(['2030-02-31T00:00:00Z', '2031-02-29T12:00:00+01:00', '2030-01-31T24:00:00Z'])(
  'a time that does not exist is none, not the one a day or more later: %s',
  (text) => {
    expect(() => expiryOf(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  },
)

test('a time is read in its own zone, in the last hour of a leap day too', () => {
  expect(expiryOf('2096-02-29T23:30:00-01:00')).toBe(Date.UTC(2096, 2, 1, 0, 30))
  expect(expiryOf('2096-02-29T23:30Z')).toBe(Date.UTC(2096, 1, 29, 23, 30))
})

test('nor is there an end of a certificate on a day that does not exist', async () => {
  const peer = SEED.split('/').at(-1) ?? ''
  for (const until of ['2027-02-30', '2027-02-30T00:00:00Z']) {
    const root = ['--root', join(dir, 'root.json'), '--root-key', join(dir, 'root.key')]
    const { code, err } = await confmesh('trust', 'remove-node', peer, '--until', until, ...root)
    expect([code, err]).toEqual([2, `confmesh: USAGE: --until: "${until}" is no date such as 2027-01-31\n`])
  }
})

test('One that has time left, or no end, is, and nobody is asked', async () => {
  for (const change of [{}, { expires: Date.now() + 60_000 }])
    await requireUnexpired('release', make({ clock: { alice: 1 }, header: change }).release, [seed])
  expect(seed.asked).toEqual([])
})
