import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { stateText } from '../../../src/cli/commands/status.ts'
import { tellReading, tellUpload } from '../../../src/cli/publish-text.ts'

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

test('an upload says how much of how much, once for each hundredth', () => {
  process.stderr.isTTY = true
  const tell = tellUpload(2 ** 20)
  for (let bytes = 0; bytes <= 2 ** 20; bytes += 2 ** 10) tell(bytes)
  expect(said).toHaveLength(101)
  expect(said[50]).toBe('512.0 KiB of at most 1.0 MiB uploaded\n')
})

test('reading says how much, once for each GiB', () => {
  process.stderr.isTTY = true
  const tell = tellReading()
  for (let bytes = 0; bytes <= 2 ** 31; bytes += 2 ** 28) tell(bytes)
  expect(said).toEqual(['1.0 GiB read\n', '2.0 GiB read\n'])
})

test('and nothing where nobody looks', () => {
  process.stderr.isTTY = false
  tellUpload(10)(5)
  expect(said).toEqual([])
})
