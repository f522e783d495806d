/** Bounds of the wire format, of connections and of what tools and the client library read: constants that stand beside what they bound, and cannot be configured. */
import * as client from '../src/client/client.ts'
import * as admit from '../src/codec/admit-messages.ts'
import * as blocks from '../src/codec/blocks-messages.ts'
import * as bridge from '../src/codec/bridge-messages.ts'
import * as certificate from '../src/codec/certificate.ts'
import * as envelope from '../src/codec/envelope.ts'
import * as gossipMessages from '../src/codec/gossip.ts'
import * as heartbeat from '../src/codec/heartbeat.ts'
import * as ids from '../src/codec/ids.ts'
import * as forms from '../src/codec/message-forms.ts'
import * as messages from '../src/codec/messages.ts'
import * as peerRecord from '../src/codec/peer-record.ts'
import * as publish from '../src/codec/publish-messages.ts'
import * as root from '../src/codec/root.ts'
import * as sync from '../src/codec/sync-messages.ts'
import { LIMITS } from '../src/limits.ts'
import * as address from '../src/net/address.ts'
import * as gossip from '../src/net/gossip.ts'
import * as notices from '../src/net/gossip-notices.ts'
import * as handshakes from '../src/net/handshakes.ts'
import * as host from '../src/net/host.ts'
import * as muxer from '../src/net/muxer.ts'
import * as frames from '../src/net/muxer-frames.ts'
import * as pace from '../src/net/pace.ts'
import * as protocols from '../src/net/protocols.ts'
import * as pulled from '../src/net/pulled.ts'
import * as reader from '../src/net/reader.ts'
import * as silence from '../src/net/silence.ts'
import * as watchdog from '../src/net/watchdog.ts'
import * as car from '../src/publish/car.ts'
import * as roots from '../src/publish/roots.ts'
import * as signer from '../src/publish/signer.ts'
import { constants, inFile, type Row, type WireBound } from './limits-bound.ts'
import { BLOCKS, PEERS } from './limits-core-bounds.ts'

const CONNECTION = 'the sender: its connection ends'
const DOCUMENT = 'whoever made it: the document is refused'
const RESET = 'whoever opens one more: it is reset'
const IGNORED = 'nobody: it is ignored'
const DIALLER = 'the dialler: its connection ends at once'

const GOSSIP_WHAT: Readonly<Record<keyof typeof gossip.RPC_LIMITS, string>> = {
  maxSubscriptions: 'subscriptions in one RPC',
  maxMessages: 'messages in one RPC',
  maxControlMessages: 'control messages in one RPC',
  maxIhaveMessageIDs: 'messages told of in one RPC',
  maxIwantMessageIDs: 'messages asked for in one RPC',
  maxIdontwantMessageIDs: 'messages declined in one RPC',
  maxPeerInfos: 'peers named in one RPC',
}

/** As many as in src/codec begin with MAX_: a test compares. */
const CODEC: readonly WireBound[] = [
  ...constants('codec/admit-messages.ts', admit, [
    ['MAX_CHAIN', 'certificates in a hello', CONNECTION],
    ['MAX_HEARTBEATS', 'heartbeats in a hello', CONNECTION],
  ]),
  ...constants('codec/blocks-messages.ts', blocks, [
    ['MAX_BITMAP_BYTES', 'bytes of a bitmap of blocks', CONNECTION],
    ['MAX_ADDRESSES', 'addresses of a peer that somebody is sent to', CONNECTION],
    ['MAX_RANGES', 'numbers in a list of ranges of blocks, two for each range', CONNECTION],
    ['MAX_PLACE', 'place of a block in its release', CONNECTION],
  ]),
  ...constants('codec/bridge-messages.ts', bridge, [
    ['MAX_TOLD', 'own heartbeats in one bridge message', CONNECTION],
  ]),
  ...constants('codec/certificate.ts', certificate, [
    ['MAX_LABELS', 'labels of a certificate', DOCUMENT],
    ['MAX_SPKI_BYTES', 'bytes of a pool’s key', DOCUMENT],
  ]),
  ...constants('codec/envelope.ts', envelope, [
    ['MAX_PAYLOAD_TYPE_BYTES', 'bytes of the type that is signed', DOCUMENT],
    ['MAX_SIGNATURE_BYTES', 'bytes of a signature', DOCUMENT],
  ]),
  ...constants('codec/gossip.ts', gossipMessages, [
    [
      'MAX_CONTROL_TEXT_BYTES',
      'bytes of a root, beacon or heartbeat in gossip that are in no byte string',
      IGNORED,
    ],
    ['MAX_RELEASE_TEXT_BYTES', 'bytes of a release in gossip that are in no byte string', IGNORED],
  ]),
  ...constants('codec/heartbeat.ts', heartbeat, [
    ['MAX_ADDRESSES', 'addresses in a heartbeat', DOCUMENT],
    ['MAX_CHAIN', 'certificates in a heartbeat', DOCUMENT],
  ]),
  ...constants('codec/ids.ts', ids, [['MAX_TIME_MS', 'a time: the end of the year 9999', DOCUMENT]]),
  ...constants('codec/message-forms.ts', forms, [
    ['MAX_TEXT_BYTES', 'bytes of the text of a refusal', CONNECTION],
  ]),
  ...constants('codec/messages.ts', messages, [
    ['MAX_ADMIT_TEXT_BYTES', 'bytes of a request for admission that are in no byte string', CONNECTION],
    ['MAX_PUBLISH_TEXT_BYTES', 'bytes of a submission that are in no byte string', CONNECTION],
    ['MAX_BLOCKS_TEXT_BYTES', 'bytes of a request for blocks that are in no byte string', CONNECTION],
    ['MAX_SYNC_TEXT_BYTES', 'bytes of a question of sync that are in no byte string', CONNECTION],
    ['MAX_BRIDGE_TEXT_BYTES', 'bytes of a question of a gateway that are in no byte string', CONNECTION],
  ]),
  ...constants('codec/peer-record.ts', peerRecord, [
    ['MAX_ADDRESSES', 'addresses in a peer record', DOCUMENT],
    ['MAX_CHAIN', 'certificates in a peer record', DOCUMENT],
  ]),
  ...constants('codec/publish-messages.ts', publish, [
    ['MAX_ACKNOWLEDGED', 'seeds that acknowledge a release', CONNECTION],
  ]),
  ...constants('codec/root.ts', root, [
    ['MAX_SPKI_BYTES', 'bytes of a key in a root', DOCUMENT],
    ['MAX_SECONDS', 'seconds of a span in a root: a century', DOCUMENT],
  ]),
  ...constants('codec/sync-messages.ts', sync, [
    ['MAX_SUBS', 'parts of a bucket of channels that are compared', CONNECTION],
    ['MAX_BEACONS', 'beacons, or marks of them, in one message', CONNECTION],
  ]),
]

const node = host.connectionsOf('node', LIMITS)
const seed = host.connectionsOf('seed', LIMITS)
const CONNECTIONS: readonly WireBound[] = [
  ...inFile('net/host.ts', [
    ['connectionsOf(node).connections', node.connections, 'connections of a node', DIALLER],
    ['connectionsOf(node).sockets', node.sockets, 'sockets of a node, those of handshakes too', DIALLER],
    [
      'DIALS_PER_SECOND.node',
      host.DIALS_PER_SECOND.node,
      'dials from one host that a node takes in a second',
      DIALLER,
    ],
    ['connectionsOf(seed).connections', seed.connections, 'connections of a seed', DIALLER],
    ['connectionsOf(seed).sockets', seed.sockets, 'sockets of a seed', DIALLER],
    [
      'DIALS_PER_SECOND.seed',
      host.DIALS_PER_SECOND.seed,
      'dials from one host that a seed takes in a second',
      DIALLER,
    ],
  ]),
  ...constants('net/address.ts', address, [
    ['MAX_CHARACTERS', 'characters of an address that a person gives', 'whoever gives it: it is refused'],
  ]),
  ...constants('net/host.ts', host, [
    ['MAX_PASSING', 'connections beside those of peers and strangers', DIALLER],
    ['MAX_DIALS', 'own dials under way', 'this node: further ones wait'],
  ]),
  ...constants('net/muxer.ts', muxer, [
    ['MAX_STREAMS', 'streams on a connection, each way', RESET],
    ['MAX_WINDOW_BYTES', 'bytes on their way on a stream, and of a frame of yamux', CONNECTION],
    ['MAX_STREAM_UNREAD_BYTES', 'bytes on a stream that nobody reads', 'the sender: its stream is reset'],
    [
      'MAX_STREAM_UNSENT_BYTES',
      'bytes written on a stream, other than of gossip, that the other side does not take; half as much again as the longest answer or request where limits allow for more',
      'who does not read: its stream is reset',
    ],
    ['MAX_UNSENT_BYTES', 'bytes for a connection that takes none', 'who does not read: its connection ends'],
  ]),
  ...constants('net/muxer-frames.ts', frames, [
    [
      'SHORT_PER_SECOND',
      'frames of yamux a second on a connection with next to nothing in them, and messages of noise',
      CONNECTION,
    ],
    ['SHORT_BURST', 'and so many at once', CONNECTION],
    ['STREAMS_PER_SECOND', 'streams opened on a connection in a second', CONNECTION],
    ['STREAMS_BURST', 'and so many at once', CONNECTION],
    ['MAX_PONGS_UNSENT', 'pings of yamux from one who does not take the answers', CONNECTION],
    ['MAX_SMALL_TALK_BYTES', 'bytes on a stream before its protocol is agreed on, or of pings', CONNECTION],
  ]),
  ...constants('net/reader.ts', reader, [
    ['MAX_WAITING_MESSAGES', 'messages on a stream that wait to be read', 'the sender: its stream is reset'],
  ]),
  ...constants('net/pulled.ts', pulled, [
    [
      'MAX_RPC_BYTES',
      'bytes of one RPC of gossip',
      'the sender: it is heard no more, and the link is made anew',
    ],
  ]),
  ...inFile(
    'net/gossip.ts',
    Object.entries(gossip.RPC_LIMITS).map(
      ([name, value]): Row => [
        `RPC_LIMITS.${name}`,
        value,
        GOSSIP_WHAT[name as keyof typeof GOSSIP_WHAT],
        'the sender: that RPC is not looked at',
      ],
    ),
  ),
  ...constants('net/gossip-notices.ts', notices, [
    [
      'MAX_NOTICES',
      'messages a heartbeat of which neighbours are told that they are here (IDONTWANT), of one peer’s no more than are left for others',
      'whoever sends most: nothing is said of the rest, which neighbours may send once more',
    ],
  ]),
  ...constants('net/watchdog.ts', watchdog, [
    ['MAX_UNSENT_BYTES', 'bytes of gossip that a peer leaves unread', 'the peer: its link is made anew'],
    ['MAX_ALL_UNSENT_BYTES', 'and all peers together, each an equal part', 'the peer: its link is made anew'],
  ]),
  ...constants('net/watchdog.ts', watchdog, [
    [
      'MISSES',
      'looks of `watchdogMs` in a row at which a link is found dead',
      'the peer: its link is made anew',
    ],
  ]),
  ...constants('net/silence.ts', silence, [
    [
      'SILENT_LOOKS',
      'looks of `watchdogMs` in a row at which nothing has come on a connection',
      'the peer: its connection ends (`NET_TIMEOUT`), and is made anew',
    ],
  ]),
  ...constants('net/handshakes.ts', handshakes, [
    [
      'FIRST',
      'handshakes at a time to begin with; one more for each that ends soon, up to `maxHandshakes`',
      DIALLER,
    ],
    ['LEAST', 'and at least, where they end late', DIALLER],
  ]),
  ...constants('net/pace.ts', pace, [
    [
      'MAX_AT_ONCE',
      'messages begun in one turn of the event loop',
      'all who send: the rest waits for a later turn',
    ],
    [
      'BYTES_AS_ONE',
      'bytes of a message that count as one more there',
      'all who send: the rest waits for a later turn',
    ],
  ]),
  ...constants('net/protocols.ts', protocols, [
    [
      'BRIDGE_BYTES_AS_ONE',
      'bytes of a bridge message that count as one more request (`requestsPerSecond`)',
      'the sender: it is not read from until its turn comes',
    ],
  ]),
  ...constants('net/gossip.ts', gossip, [
    [
      'MAX_MESH_DEGREE',
      'neighbours in the mesh of a topic, unless the node is a seed',
      'a neighbour beyond: it is told of messages, and asks for them',
    ],
  ]),
]

const CALLER = 'whoever asked: the answer is given up'
const TOOLS: readonly WireBound[] = [
  ...constants('publish/signer.ts', signer, [
    [
      'MAX_OUTPUT_BYTES',
      'bytes that a signing command prints',
      'the command: it is ended, nothing is signed',
    ],
  ]),
  ...constants('publish/car.ts', car, [
    ['MAX_CAR_HEADER_BYTES', 'bytes of the header of a CAR file', 'whoever made it: the file is refused'],
  ]),
  ...constants('publish/roots.ts', roots, [
    ['MAX_ROOTS', 'roots taken from one seed in a run of the tool', 'the seed: no further one is asked for'],
  ]),
  ...constants('client/client.ts', client, [
    ['MAX_JSON_BYTES', 'bytes of an answer in JSON that the client library reads', CALLER],
    ['MAX_FILE_BYTES', 'bytes of a file that it reads whole, where `maxFileBytes` says nothing', CALLER],
    [
      'MAX_SNAPSHOT_BYTES',
      'bytes of all files of a snapshot, where `maxSnapshotBytes` says nothing, nor `maxFileBytes` more',
      'whoever asked: nothing of it is; a watch waits for another release',
    ],
  ]),
]

export const WIRE_BOUNDS: readonly WireBound[] = [...CODEC, ...CONNECTIONS, ...PEERS, ...BLOCKS, ...TOOLS]
