import type { Connection } from '@libp2p/interface'
import { streamPair } from '@libp2p/utils'
import { expect, test, vi } from 'vitest'
import { LIMITS } from '../../../src/limits.ts'
import { Answerer, type AnswererOptions } from '../../../src/net/answerer.ts'
import { frame } from '../../../src/net/framing.ts'
import { protocolRules } from '../../../src/net/protocols.ts'

test('what a peer said and left behind is not laid at its door once it has gone', async () => {
  const [sender, receiver] = await streamPair()
  const turns: (() => void)[] = []
  const misconduct = { report: vi.fn() }
  let isHere = true
  const answerer = new Answerer({
    rules: protocolRules(LIMITS),
    limits: LIMITS,
    pace: { slice: () => new Promise<void>((resolve) => turns.push(resolve)) },
    unread: { watch: () => () => {} },
    misconduct,
    isCurrent: () => isHere,
  } as unknown as AnswererOptions)
  const served = answerer.handler('admit')(receiver, { remotePeer: 'peer' } as unknown as Connection)
  sender.send(frame([Uint8Array.of(1, 2, 3)], 100))
  await expect.poll(() => turns.length).toBe(1)
  isHere = false
  turns[0]?.()
  await served
  expect(misconduct.report).not.toHaveBeenCalled()
})
