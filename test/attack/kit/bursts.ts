/** How an attack is sent: bursts on a topic or on a stream, as fast as the other side takes them. */
import { randomBytes } from 'node:crypto'
import type { Channel, Digest, FleetId, KeyId, Name } from '../../../src/model/ids.ts'
import type { AnyRequest, Protocol } from '../../../src/model/messages.ts'
import { frame } from '../../../src/net/framing.ts'
import type { Hostile } from './hostile.ts'

export interface Aim {
  readonly fleet: FleetId
  /** Of the fleet's root, at present. */
  readonly root: number
  readonly channel: Channel
  readonly publisher: Name
  /** The publisher's, which the root names for everybody: a forger names them so that they are tried. */
  readonly keys: readonly KeyId[]
  /** Honest releases overheard, as they travel. */
  readonly overheard: readonly Uint8Array[]
}

export type Attack = (hostile: Hostile, aim: Aim) => Promise<number>

/** What a burst has of each message. */
export const BURST = 100
export const times = <T>(count: number, make: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at))
export const digest = (): Digest => randomBytes(32).toString('hex') as Digest

const MIB = 1024 * 1024

/** Messages on a topic, many to an RPC, waiting for the stream where it is full. */
export async function say(
  hostile: Hostile,
  topic: 'releases' | 'control',
  all: readonly Uint8Array[],
): Promise<number> {
  hostile.gossip(topic, ...all)
  await drained(hostile)
  return all.length
}

/** So that a flood does not end in our own memory. */
export async function drained(hostile: Hostile): Promise<void> {
  const stream = hostile.gossipStream
  while (stream?.status === 'open' && stream.writableNeedsDrain)
    await new Promise<void>((resolve) => setTimeout(resolve, 1))
}

export const gossipOf =
  (topic: 'releases' | 'control', make: (aim: Aim, at: number) => Uint8Array): Attack =>
  (hostile, aim) =>
    say(
      hostile,
      topic,
      times(BURST, (at) => make(aim, at)),
    )

/** Requests on one stream, without waiting for a single answer. */
export async function pour(
  hostile: Hostile,
  protocol: Protocol,
  messages: readonly Uint8Array[],
): Promise<number> {
  const stream = await hostile.stream(protocol)
  let sent = 0
  for (const message of messages) {
    if (stream.status !== 'open') break
    stream.send(frame([message], 2 * MIB))
    sent += 1
  }
  return sent
}

export const requests =
  (make: (aim: Aim, at: number) => AnyRequest): Attack =>
  (hostile, aim) => {
    const all = times(BURST, (at) => make(aim, at))
    const [first] = all
    return pour(hostile, first?.protocol ?? 'sync', all.map(hostile.encode))
  }
