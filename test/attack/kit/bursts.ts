/** How an attack is sent: bursts on a topic or on a stream, as fast as the other side takes them. */
import { randomBytes } from 'node:crypto'
import type { Stream } from '@libp2p/interface'
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

/** One burst; what went out of it is counted in `hostile.written`, as it may be cut off anywhere. */
export type Attack = (hostile: Hostile, aim: Aim) => Promise<void>

/** What a burst has of each message. */
export const BURST = 100
export const times = <T>(count: number, make: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at))
export const digest = (): Digest => randomBytes(32).toString('hex') as Digest

const MIB = 1024 * 1024
/** A node that reads no further for so long has had enough of this stream. */
const ROOM_MS = 200

/** Messages on a topic, many to an RPC, waiting for the stream where it is full. */
export async function say(
  hostile: Hostile,
  topic: 'releases' | 'control',
  all: readonly Uint8Array[],
): Promise<void> {
  hostile.gossip(topic, ...all)
  await drained(hostile, all.length)
}

/** So that a flood does not end in our own memory. The messages of the last RPC count once it is out. */
export async function drained(hostile: Hostile, messages: number): Promise<void> {
  const stream = hostile.gossipStream
  while (stream?.status === 'open' && stream.writableNeedsDrain) await moment()
  if (stream?.status === 'open') hostile.written += messages
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
): Promise<void> {
  const frames = messages.map((message) => frame([message], 2 * MIB).subarray())
  await put(hostile, await hostile.stream(protocol), frames)
}

/** As far as the other side takes them: what waits for room that does not come is not counted. */
export async function put(hostile: Hostile, stream: Stream, all: readonly Uint8Array[]): Promise<void> {
  for (const bytes of all) {
    if (stream.status !== 'open') return
    if (!stream.send(bytes) && !(await hasRoom(stream))) return
    hostile.written += 1
  }
}

async function hasRoom(stream: Stream): Promise<boolean> {
  const endMs = performance.now() + ROOM_MS
  while (stream.status === 'open' && stream.writableNeedsDrain && performance.now() < endMs) await moment()
  return stream.status === 'open' && !stream.writableNeedsDrain
}

const moment = () => new Promise<void>((resolve) => setTimeout(resolve, 1))

export const requests =
  (make: (aim: Aim, at: number) => AnyRequest): Attack =>
  (hostile, aim) => {
    const all = times(BURST, (at) => make(aim, at))
    const [first] = all
    return pour(hostile, first?.protocol ?? 'sync', all.map(hostile.encode))
  }
