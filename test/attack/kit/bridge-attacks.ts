/** What a hostile peer can say over a region's border, or in the name of those who may. */
import { generatePrivateKey } from '../../../src/cli/generate-key.ts'
import { encodeControlGossip } from '../../../src/codec/gossip.ts'
import type { Name } from '../../../src/model/ids.ts'
import type { BridgeItem, BridgeRequest } from '../../../src/model/messages.ts'
import { peerIdOf } from '../../../src/net/identity.ts'
import { type Attack, BURST, digest, pour, say, times } from './bursts.ts'
import type { Hostile } from './hostile.ts'

/** A release that nobody made, at home where this peer is. */
const nothing = ({ region }: Hostile): BridgeItem => ({
  topic: 'releases',
  id: digest(),
  home: region as Name,
})

const encoded = (hostile: Hostile, message: BridgeRequest): Uint8Array =>
  hostile.encode({ protocol: 'bridge', message })

const bridged =
  (make: (hostile: Hostile) => BridgeRequest): Attack =>
  async (hostile) => {
    // only the word of gateways counts
    const heartbeats = [hostile.heartbeat()]
    await hostile.ask('bridge', { type: 'heartbeats', heartbeats, want: false })
    await pour(
      hostile,
      'bridge',
      times(BURST, () => encoded(hostile, make(hostile))),
    )
  }

/** On the control topic, and eight at a time over the border. */
const told =
  (make: (hostile: Hostile, at: number) => Uint8Array): Attack =>
  async (hostile) => {
    const all = times(BURST, (at) => make(hostile, at))
    const messages = times(Math.ceil(BURST / 8), (at) =>
      encoded(hostile, { type: 'heartbeats', heartbeats: all.slice(8 * at, 8 * at + 8), want: true }),
    )
    await pour(hostile, 'bridge', messages)
    const gossip = all.map((envelope) => encodeControlGossip({ kind: 'heartbeat', envelope }))
    await say(hostile, 'control', gossip)
  }

/** Of a peer that does not exist, signed by the key that it would have. */
export function inventedHeartbeat(hostile: Hostile): Uint8Array {
  const { pem, key } = generatePrivateKey('ed25519')
  return hostile.heartbeat({ peer: peerIdOf(pem) }, key)
}

/** Of another peer, signed by this one. */
function forgedHeartbeat(hostile: Hostile): Uint8Array {
  const { pem } = generatePrivateKey('ed25519')
  return hostile.heartbeat({ peer: peerIdOf(pem) })
}

export const BRIDGING: Readonly<Record<string, Attack>> = {
  'announcements of nothing': bridged((hostile) => ({ type: 'announce', item: nothing(hostile) })),
  'claims that bring nothing': bridged((hostile) => ({ type: 'claim', item: nothing(hostile) })),
  'pulls of nothing': bridged((hostile) => ({ type: 'pull', item: nothing(hostile) })),
  'things to be had without end': bridged((hostile) => ({
    type: 'have',
    items: times(256, () => nothing(hostile)),
  })),
  'invented gateways': told(inventedHeartbeat),
  'forged heartbeats': told(forgedHeartbeat),
  'heartbeats of one gateway without end': told((hostile, at) =>
    hostile.heartbeat({ at: Date.now() + Math.floor(at / 2) }),
  ),
}
