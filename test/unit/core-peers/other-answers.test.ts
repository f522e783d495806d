/** A peer was dialled, and another one answers there. */
import { expect, it } from 'vitest'
import type { PeerId } from '../../../src/model/ids.ts'
import { addressOf } from './fakes.ts'
import { bench, peers, SEED, someone, start } from './linking.ts'

it('is a warning where the address is a seed’s, and none where a peer had it that is rebuilt by now', () => {
  const gone = someone()
  start({}, [gone.record()])
  const notes = (id: PeerId) =>
    bench
      .run((step, journey) =>
        peers.onDialFailed(step, journey, {
          kind: 'dialFailed',
          address: addressOf(id),
          code: 'NET_PEER_ID',
        }),
      )
      .flatMap((effect) => (effect.kind === 'note' ? [[effect.code, effect.level, effect.peer]] : []))
  for (const _ of [1, 2]) {
    expect(notes(SEED.id)).toEqual([['NET_PEER_ID', 'warn', SEED.id]])
    expect(notes(gone.id)).toEqual([['NET_PEER_ID', 'debug', gone.id]])
  }
})
