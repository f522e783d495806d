/** A root's file that nobody brings up to date: each run asks the seeds for what came since, and says so once that is much. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { withSession } from '../../../src/cli/publish-session.ts'
import { envelopeText } from '../../../src/cli/root-files.ts'
import { decodeEnvelope } from '../../../src/codec/envelope.ts'
import { LIMITS } from '../../../src/limits.ts'
import { reachSeeds } from '../../../src/publish/seeds.ts'
import { renew } from '../../../src/trust/edit.ts'
import { ROOT, rootBytes } from '../core/fleet.ts'
import { FakeSeed } from '../publish/fake-seed.ts'

vi.mock('../../../src/publish/seeds.ts', async (original) => ({
  ...(await original<typeof import('../../../src/publish/seeds.ts')>()),
  reachSeeds: vi.fn(),
}))

const SEED = '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5'
let file = ''

beforeEach(() => {
  file = join(mkdtempSync(join(tmpdir(), 'confmesh-old-root-')), 'root.json')
  writeFileSync(file, envelopeText(decodeEnvelope(rootBytes(ROOT), LIMITS.maxEnvelopeBytes, LIMITS)))
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(join(file, '..'), { recursive: true, force: true })
})

/** Where the seed has so many versions more. @returns what is said on stderr, and the version that the run goes by */
async function behind(versions: number): Promise<readonly [readonly string[], number]> {
  const seed = new FakeSeed('a')
  let root = ROOT
  for (let at = 0; at <= versions; at += 1) {
    seed.roots.set(root.version, rootBytes(root))
    root = renew(root, root.expires + 1_000)
  }
  vi.mocked(reachSeeds).mockResolvedValue({ reached: [seed], missed: [], close: async () => undefined })
  const said: string[] = []
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0)
  const options = { root: file, seed: [SEED], keyless: true }
  const version = await withSession(options, async ({ chain }) => chain.current.version)
  return [said, version]
}

test('some versions behind it is no matter', async () => {
  expect(await behind(0)).toEqual([[], 1])
  expect(await behind(3)).toEqual([[], 4])
})

test('further behind, a line says how to bring it up to date', async () => {
  const line = `confmesh: ${file} is 4 versions behind, and each run asks the seeds for all of them; bring it up to date: confmesh trust fetch --root ${file} --seed ADDRESS\n`
  expect(await behind(4)).toEqual([[line], 5])
})
