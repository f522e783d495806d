import { expect, test } from 'vitest'
import { inTurn } from '../../../bench/in-turn.ts'

test('each bench says how long it took, one that failed too, and the last line is how long all did', async () => {
  let nowMs = 5_000
  const said: string[] = []
  const takes = (seconds: number) => async () => {
    nowMs += seconds * 1_000
  }
  const fails = async () => {
    await takes(2)()
    throw new Error('no nodes')
  }
  const parts = [
    { name: 'wire', run: takes(70) },
    { name: 'crowd --nodes 300', run: fails },
    { name: 'micro', run: takes(4.4) },
  ]
  await inTurn(parts, {
    say: (line) => said.push(line),
    failed: (name, { message }) => said.push(`${name} failed: ${message}`),
    nowMs: () => nowMs,
  })
  expect(said).toEqual([
    'wire: took 70 s',
    'crowd --nodes 300 failed: no nodes',
    'crowd --nodes 300: took 2 s',
    'micro: took 4 s',
    'all: took 76 s',
  ])
})
