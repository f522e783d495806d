import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { stateText } from '../../../src/cli/commands/status.ts'
import { tellBytes, tellParts, tellUpload } from '../../../src/cli/progress.ts'
import { MeshError } from '../../../src/errors.ts'
import type { PeerId } from '../../../src/model/ids.ts'

const { isTTY } = process.stderr
let said: string[]

beforeEach(() => {
  said = []
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0)
})
afterEach(() => {
  vi.restoreAllMocks()
  process.stderr.isTTY = isTTY
})

test('a fetch under way is told beside the state, and the gate after it', () => {
  const fetch = { have: 120, blocks: 400 }
  expect(stateText({ state: 'fetching', gate: null, fetch })).toBe('fetching 120 of 400 blocks')
  expect(stateText({ state: 'fetching', gate: 'content', fetch })).toBe(
    'fetching 120 of 400 blocks (content)',
  )
  expect(stateText({ state: 'active', gate: 'health', fetch: null })).toBe('active (health)')
  expect(stateText({ state: 'active', gate: null, fetch: null })).toBe('active')
})

test('content that is here and not active yet is no fetch that hangs', () => {
  expect(stateText({ state: 'fetching', gate: null, fetch: null })).toBe('fetching, all is here')
  // what is active cannot be read here: nothing is fetched, and not all is here
  expect(stateText({ state: 'fetching', gate: 'content', fetch: null })).toBe('fetching (content)')
})

test('an upload says how much of how much, once for each hundredth', () => {
  process.stderr.isTTY = true
  const tell = tellUpload(2 ** 20).onProgress
  for (let bytes = 0; bytes <= 2 ** 20; bytes += 2 ** 10) tell(bytes)
  expect(said).toHaveLength(101)
  expect(said[50]).toBe('512.0 KiB of at most 1.0 MiB uploaded\n')
})

test('the wait for a second seed, or for one that is busy, is told, and one that went silent too, terminal or not', () => {
  process.stderr.isTTY = true
  const { onBusy, onWait, onLost } = tellUpload(10)
  onBusy('12D3KooWa' as PeerId, new MeshError('LIMIT_RATE', 'it has just started'))
  onWait('12D3KooWa' as PeerId, 40_012)
  process.stderr.isTTY = false
  onLost('12D3KooWa' as PeerId, new MeshError('NET_TIMEOUT', 'no word'))
  expect(said).toEqual([
    'it has just started; asked again\n',
    'seed 12D3KooWa has all of it and brings it to a second one: 40 s so far\n',
    'confmesh: seed 12D3KooWa went silent (NET_TIMEOUT); the next one is asked what it lacks\n',
  ])
})

test('reading says how much, once for each GiB, told as a whole or by its parts', () => {
  process.stderr.isTTY = true
  const tell = tellBytes('read')
  for (let bytes = 0; bytes <= 2 ** 31; bytes += 2 ** 28) tell(bytes)
  const part = tellParts('written')
  for (let count = 0; count < 8; count += 1) part(2 ** 28)
  expect(said).toEqual(['1.0 GiB read\n', '2.0 GiB read\n', '1.0 GiB written\n', '2.0 GiB written\n'])
})

test('within a GiB or a hundredth it says so again after five seconds, where anything came', () => {
  process.stderr.isTTY = true
  let nowMs = 1e9
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
  const read = tellBytes('read')
  const upload = tellUpload(2 ** 30).onProgress
  for (let second = 1; second <= 11; second += 1) {
    nowMs += 1_000
    read(second * 2 ** 20)
    upload(second * 2 ** 10)
  }
  expect(said).toEqual([
    '1.0 KiB of at most 1.0 GiB uploaded\n',
    '5.0 MiB read\n',
    '6.0 KiB of at most 1.0 GiB uploaded\n',
    '10.0 MiB read\n',
    '11.0 KiB of at most 1.0 GiB uploaded\n',
  ])
})

test('and nothing where nobody looks', () => {
  process.stderr.isTTY = false
  tellUpload(10).onProgress(5)
  tellUpload(10).onWait('12D3KooWa' as PeerId, 20_000)
  expect(said).toEqual([])
})
