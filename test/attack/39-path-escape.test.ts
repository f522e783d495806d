/** Rows 39 to 41: paths of a release signed by the threshold that leave their folder, or collide. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { encodePage } from '../../src/codec/page.ts'
import { entryOf } from './kit/fleet.ts'
import { stage } from './kit/stage.ts'

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

test('nothing is written, nothing is outside, and the next good release appears', async () => {
  const fleet = aFleet()
  const victim = await aVictim(fleet, { materialize: true })
  const bytes = Buffer.from('escaped')
  let counter = 0
  const sets = [...ESCAPES.map((path) => [path]), ...COLLISIONS]
  for (const paths of sets) {
    // a peer is thrown out for what it proves, so each comes by a new one
    const peer = await joined(fleet, victim)
    counter += 1
    const entries = paths.map((path) => entryOf(path, bytes))
    const header = { files: paths.length, bytes: paths.length * bytes.length }
    const made = fleet.release({ counter, files: { x: bytes }, pages: [encodePage(entries)], header })
    peer.announce(made)
    await victim.refusedAtLeast('CONTENT_PATH', counter)
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
