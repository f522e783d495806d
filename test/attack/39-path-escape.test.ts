/** Rows 39 to 42: manifests signed by the threshold whose paths leave their folder or collide, whose modes or sizes lie. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { encodePage } from '../../src/codec/page.ts'
import type { FileMode, ManifestEntry } from '../../src/model/manifest.ts'
import { entryOf } from './kit/fleet.ts'
import { stage } from './kit/stage.ts'
import { until } from './kit/victim.ts'

const { fleet: aFleet, victim: aVictim, joined } = stage()

const ESCAPES = [
  '../escaped',
  'a/../../escaped',
  '/escaped',
  './escaped',
  'a//escaped',
  'a\\..\\escaped',
  'a\0escaped',
  'C:/escaped',
  'escaped ',
  'escaped.',
]
const COLLISIONS = [
  ['a', 'a/escaped'],
  ['App.yaml', 'app.yaml'],
  ['e\u0301', '\u00e9'],
]

const bytes = Buffer.from('escaped')
const plain = entryOf('a-escaped', bytes)
const another = entryOf('b-escaped', bytes)
const [block] = plain.blocks as [ManifestEntry['blocks'][number]]

/** A link, a pipe, a device, set-uid, writable: as the system numbers them. */
const MODES = [0o120777, 0o010444, 0o020444, 0o104555, 0o644]

interface Lie {
  readonly entries: readonly ManifestEntry[]
  readonly header?: { readonly files?: number; readonly bytes?: number }
}
const SIZES: Readonly<Record<string, Lie>> = {
  'a size above that of the blocks': { entries: [{ ...plain, size: 8 }], header: { bytes: 8 } },
  'a size below that of the blocks': { entries: [{ ...plain, size: 6 }], header: { bytes: 6 } },
  'a block of no bytes': { entries: [{ ...plain, blocks: [block, { ...block, size: 0 }] }] },
  'more bytes than the header says': { entries: [plain], header: { bytes: 6 } },
  'fewer bytes than the header says': { entries: [plain], header: { bytes: 8 } },
  'more files than the header says': { entries: [plain, another], header: { files: 1 } },
  'fewer files than the header says': { entries: [plain], header: { files: 2 } },
  'a sum beyond 2^53': {
    entries: [plain, { ...another, size: Number.MAX_SAFE_INTEGER }],
    header: { bytes: bytes.length },
  },
}

const WRONG: readonly (readonly [code: string, what: string, lie: Lie])[] = [
  ...[...ESCAPES.map((path) => [path]), ...COLLISIONS].map(
    (paths) =>
      ['CONTENT_PATH', paths.join(), { entries: paths.map((path) => entryOf(path, bytes)) }] as const,
  ),
  ...MODES.map(
    (mode) =>
      [
        'CONTENT_PATH',
        `mode ${mode.toString(8)}`,
        { entries: [{ ...plain, mode: mode as FileMode }] },
      ] as const,
  ),
  ...Object.entries(SIZES).map(([what, lie]) => ['LIMIT_CONTENT', what, lie] as const),
]

test('nothing is written, nothing is outside, and the next good release appears', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { materialize: true })
  let counter = 0
  for (const [code, what, { entries, header }] of WRONG) {
    // a peer is thrown out for what it proves, so each comes by a new one
    const peer = await joined(fleet, victim)
    const before = await victim.refused(code)
    counter += 1
    const made = fleet.release({
      counter,
      files: { x: bytes },
      pages: [encodePage(entries)],
      header: { files: entries.length, bytes: entries.length * bytes.length, ...header },
    })
    // over a limit, what is attached is only left aside: it is fetched, and judged for good then
    peer.answers = ({ message }) => {
      const given = message.type === 'want' ? made.content.get(message.digest) : undefined
      return given && { protocol: 'blocks', message: { type: 'block', bytes: given } }
    }
    peer.announce(made)
    await until(what, async () => (await victim.refused(code)) > before)
    await peer.stop()
  }
  const good = fleet.release({ counter: counter + 1, files: { 'app.yaml': 'good' } })
  const peer = await joined(fleet, victim)
  peer.announce(good)
  await victim.runs(good)
  const all = readdirSync(victim.dir, { recursive: true, encoding: 'utf8' })
  expect(all.filter((path) => path.includes('escaped'))).toEqual([])
  expect(readdirSync(join(victim.dir, 'trees', 'pay/prod/current'))).toEqual(['app.yaml'])
})
