/** A peer was dialled, and another one answers there. */
import { expect, it } from 'vitest'
import type { Address, PeerId } from '../../../src/model/ids.ts'
import { addressOf } from './fakes.ts'
import { bench, peers, SEED, someone, start } from './linking.ts'

const SAID = '/ip4/127.0.0.1/tcp/4001'

it('is a warning where somebody wrote that address of a seed, and none where a seed or a rebuilt peer says so of itself', () => {
  const gone = someone()
  start({}, [gone.record()])
  const notes = (id: PeerId, address = addressOf(id)) =>
    bench
      .run((step, journey) =>
        peers.onDialFailed(step, journey, {
          kind: 'dialFailed',
          address,
          code: 'NET_PEER_ID',
        }),
      )
      .flatMap((effect) => (effect.kind === 'note' ? [[effect.code, effect.level, effect.peer]] : []))
  for (const _ of [1, 2]) {
    expect(notes(SEED.id)).toEqual([['NET_PEER_ID', 'warn', SEED.id]])
    expect(notes(SEED.id, `${SAID}/p2p/${SEED.id}` as Address)).toContainEqual([
      'NET_PEER_ID',
      'debug',
      SEED.id,
    ])
    expect(notes(gone.id)).toEqual([['NET_PEER_ID', 'debug', gone.id]])
  }
})
