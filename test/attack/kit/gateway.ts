/** What peers of the kit say as gateways, honest ones as far as a test needs them. */
import { encodeReleaseGossip } from '../../../src/codec/gossip.ts'
import { LIMITS } from '../../../src/limits.ts'
import type { Digest, Name, PeerId } from '../../../src/model/ids.ts'
import type { BridgeItem, BridgeReply, BridgeRequest } from '../../../src/model/messages.ts'
import { readHeartbeat } from '../../../src/trust/heartbeat.ts'
import type { MadeRelease } from './fleet.ts'
import { type Answers, agreeing, type Hostile } from './hostile.ts'
import type { Victim } from './victim.ts'

/** Beyond a border of the node that is attacked. */
export const FAR = 'far'

export const itemOf = (id: string): BridgeItem => ({
  topic: 'releases',
  id: id as Digest,
  home: FAR as Name,
})

/** As it travels, with all its content. */
export const carried = ({ bytes, pages, blocks }: MadeRelease): Uint8Array =>
  encodeReleaseGossip({ envelope: bytes, attached: [...pages, ...blocks] })

/** In, and known to stand for gateway of the region of its certificate. */
export async function stand(peer: Hostile, victim: Victim): Promise<Hostile> {
  peer.heartbeats = [peer.heartbeat()]
  await peer.join(victim.address)
  return peer
}

export const bridge = (peer: Hostile, message: BridgeRequest): Promise<BridgeReply> =>
  peer.ask('bridge', message)

/** Whoever pulls or wants something of a release gets it. */
export const giving =
  (release: MadeRelease): Answers =>
  (request) => {
    const { protocol, message } = request
    if (protocol === 'bridge' && message.type === 'pull')
      return message.item.id === (release.id as string)
        ? { protocol, message: { type: 'item', bytes: carried(release) } }
        : { protocol, message: { type: 'gone' } }
    if (protocol === 'bridge') return { protocol, message: { type: 'noted' } }
    if (protocol !== 'blocks') return agreeing(request)
    if (message.type !== 'want') return { protocol, message: { type: 'noted' } }
    const bytes = release.content.get(message.digest)
    return { protocol, message: bytes === undefined ? { type: 'gone' } : { type: 'block', bytes } }
  }

/** What it was asked to give over the border. */
export const pulls = ({ asked }: Hostile): Digest[] =>
  asked.flatMap(({ protocol, message }) =>
    protocol === 'bridge' && message.type === 'pull' ? [message.item.id] : [],
  )

export const wants = ({ asked }: Hostile): number =>
  asked.filter(({ protocol, message }) => protocol === 'blocks' && message.type === 'want').length

/** Those that the node tells of, to whoever asks. */
export async function gatewaysKnown(peer: Hostile): Promise<PeerId[]> {
  const reply = await bridge(peer, { type: 'heartbeats', heartbeats: [], want: true })
  if (reply.type !== 'heartbeats') throw new Error(`no heartbeats: ${reply.type}`)
  return reply.heartbeats.map((bytes) => readHeartbeat(bytes, LIMITS).heartbeat.peer)
}
