/** Bounds of the core on what one peer may make it do, or remember. */

import * as activate from '../src/core/activate.ts'
import * as replaced from '../src/core/admit/replaced.ts'
import * as borderDuty from '../src/core/border-duty.ts'
import * as announcers from '../src/core/bridge/announcers.ts'
import * as coreBridge from '../src/core/bridge.ts'
import * as checks from '../src/core/checks.ts'
import * as announcements from '../src/core/fetch/announcements.ts'
import * as askers from '../src/core/fetch/askers.ts'
import * as handed from '../src/core/fetch/handed.ts'
import * as home from '../src/core/fetch/home.ts'
import * as offers from '../src/core/fetch/offers.ts'
import * as sentOn from '../src/core/fetch/sent-on.ts'
import * as sources from '../src/core/fetch/sources.ts'
import * as fetching from '../src/core/fetch.ts'
import * as beaconKeys from '../src/core/freshness/beacon-keys.ts'
import * as heartbeats from '../src/core/gateways/heartbeats.ts'
import * as holders from '../src/core/holders.ts'
import * as hosts from '../src/core/hosts.ts'
import * as starving from '../src/core/peers/starving.ts'
import * as relayed from '../src/core/relayed.ts'
import * as coreRoots from '../src/core/roots.ts'
import * as copies from '../src/core/serve/copies.ts'
import * as slowTakers from '../src/core/serve/slow-takers.ts'
import * as acknowledge from '../src/core/submit/acknowledge.ts'
import * as claims from '../src/core/submit/claims.ts'
import * as givesWay from '../src/core/submit/gives-way.ts'
import * as leases from '../src/core/submit/leases.ts'
import * as lender from '../src/core/submit/lender.ts'
import * as syncIndex from '../src/core/sync/channel-index.ts'
import * as syncPeer from '../src/core/sync/peer.ts'
import * as coreSync from '../src/core/sync.ts'
import { constants, type WireBound } from './limits-bound.ts'

const CONNECTION = 'the sender: its connection ends'
const PUBLISHER = 'the publisher: `LIMIT_RATE`, and when to come back'
const IGNORED = 'the sender: what it sends meanwhile is not looked at'
const FORGOTTEN = 'what was used longest ago: forgotten'

/** What one peer may make the core do, or remember. */
export const PEERS: readonly WireBound[] = [
  ...constants('core/admit/replaced.ts', replaced, [
    [
      'MAX_REPLACED',
      'links of one identity that its next connection replaces, in `settledLinkMs`',
      'whoever comes with that identity: `LIMIT_RATE`, and when to come back',
    ],
  ]),
  ...constants('core/sync/peer.ts', syncPeer, [
    ['MAX_FORGED', 'forged releases of one peer in sync, one more each minute', CONNECTION],
    ['VAIN_PER_SECOND', 'releases of one peer in sync that come to nothing, in a second', IGNORED],
    ['VAIN_BURST', 'and so many at once', IGNORED],
    [
      'ENTRIES_SHARE',
      'questions for entries, for each comparison that a peer may begin (`syncPerSecond`)',
      'the asker: refused with `LIMIT_RATE`, it may ask again later',
    ],
    [
      'REOFFER_MS',
      'until the same releases are given to the same peer again, twice as long each time',
      'the asker: what it was given it is not given again',
    ],
    ['REOFFER_MAX_MS', 'and at most', 'the asker: what it was given it is not given again'],
    [
      'NEW_SALTS',
      'runs not looked at, or lost, after which one peer is asked for them at once, one more each `REOFFER_MAX_MS`',
      'the peer: what it offered it is asked for again later',
    ],
    ['SLOW_MS', 'two questions of sync together', 'the peer: its connection ends'],
    ['SLOWEST_MS', 'an answer to sync of one who lives', 'the peer: it is asked again, a few times'],
  ]),
  ...constants('core/sync.ts', coreSync, [
    [
      'MAX_UNANSWERED',
      'questions of sync without an answer, in a row, where nothing else comes of the peer',
      'the peer: its connection ends',
    ],
    ['MAX_UNANSWERED_ALIVE', 'and where other things do', 'the peer: its connection ends'],
    ['OLD_TO_ONE', 'of what is known already, that count as one that comes to nothing', IGNORED],
    [
      'DEAF_MS',
      'for so long after more than `VAIN_PER_SECOND` no release of that peer is looked at',
      IGNORED,
    ],
  ]),
  ...constants('core/freshness/beacon-keys.ts', beaconKeys, [
    [
      'TAKEN_PER_BEACON',
      'beacons of one freshness key in each `beaconIntervalMs`, and at once, whoever brings them',
      'the key: the latest of them waits for its turn, those between are left out',
    ],
  ]),
  ...constants('core/sync/channel-index.ts', syncIndex, [
    [
      'MAX_VIEWS',
      'sets of patterns of peers for which channels are kept grouped; their digests are for as many as there may be neighbours',
      FORGOTTEN,
    ],
  ]),
  ...constants('core/checks.ts', checks, [
    [
      'SHARES',
      'parts of `verifiesPerSecond`, of which one peer has one for what it says in vain, and one that submits',
      PUBLISHER,
    ],
    ['SHARES_OF_STRANGERS', 'of these parts all strangers together', PUBLISHER],
    [
      'SHARES_OF_PUBLISHER',
      'of these parts what one publisher signed and gossip brings, once no more than the rest is left',
      'that publisher: what is more comes by sync',
    ],
  ]),
  ...constants('core/submit/acknowledge.ts', acknowledge, [
    ['MAX_AWAITS_OF_ONE', 'questions of `maxAwaits`, of one peer or one host of strangers', PUBLISHER],
    [
      'MAX_ASKED',
      'seeds asked at once whether they hold a release, one more in each such part of `acknowledgeMs`',
      'the others: they are asked once one of these refuses, or fails',
    ],
  ]),
  ...constants('core/submit/claims.ts', claims, [
    [
      'SILENT_MS',
      'until a peer that only says it is a seed, and was silent when it was asked for a lease, is asked again',
      'the peer: leases are taken without it',
    ],
    ['MAX_SILENT', 'such peers remembered', FORGOTTEN],
  ]),
  ...constants('core/peers/starving.ts', starving, [
    [
      'LATE_DIALS',
      'full seeds dialled in `linkSwapMs` for what beacons alone name',
      'nobody: it comes by comparison, or once the seed has a place',
    ],
  ]),
  ...constants('core/submit/leases.ts', leases, [
    [
      'SHARES_LENT',
      'parts of `maxLeases`, of which what is lent to one peer has one',
      'the asker: `LIMIT_RATE`, its upload goes on without this seed',
    ],
  ]),
  ...constants('core/submit/lender.ts', lender, [
    [
      'MAX_ASKING',
      'questions for one lease while its record is being written',
      'the asker: `LIMIT_RATE`, its upload goes on without this seed',
    ],
  ]),
  ...constants('core/submit/gives-way.ts', givesWay, [
    [
      'ABANDONED_MS',
      'until an upload of which nothing comes from a publisher that is gone gives its place to one that has none (`maxUploads`, `maxUploadsPerAddress`)',
      'the publisher: submitted again it goes on with what has come, where there is a place',
    ],
    [
      'SHARE_OF_PUBLISHER',
      'a part of all places for uploads: where all are taken, a publisher with as many or more gives up one to a publisher that has fewer (`maxUploads`, `maxUploadsPerAddress`)',
      'the publisher: `LIMIT_RATE`, submitted again it goes on with what has come, where there is a place',
    ],
  ]),
  ...constants('core/gateways/heartbeats.ts', heartbeats, [
    [
      'SHARES',
      'parts of `heartbeatChecksPerSecond`, of which what one peer brings has one',
      'the sender: ignored, the next heartbeat counts',
    ],
  ]),
  ...constants('core/roots.ts', coreRoots, [
    [
      'ASK_EVERY_MS',
      'between two questions to a peer that names roots unknown here',
      'the peer: it is not asked meanwhile, whatever it names',
    ],
  ]),
  ...constants('core/hosts.ts', hosts, [
    ['MAX_HOSTS', 'hosts or peers for which is counted what they ask for, in each table', FORGOTTEN],
  ]),
  ...constants('core/relayed.ts', relayed, [
    [
      'NEW_WHEN_FULL_PER_SECOND',
      'channels that are new to a full table of relayed ones, in a second',
      'the sender: its release is not relayed',
    ],
    ['NEW_WHEN_FULL_BURST', 'and so many at once', 'the sender: its release is not relayed'],
  ]),
  ...constants('core/activate.ts', activate, [
    [
      'MAX_FAILED',
      'failed releases remembered for a channel',
      'what failed longest ago: it may be tried again',
    ],
  ]),
]

/** What peers may do where blocks are exchanged. */
export const BLOCKS: readonly WireBound[] = [
  ...constants('core/fetch/announcements.ts', announcements, [
    [
      'MAX_RELEASES',
      'releases of which announcements are remembered, besides those that are being fetched',
      'what was used longest ago: forgotten',
    ],
    [
      'MAX_PARTS',
      'announcements of single blocks remembered, a release of a peer each',
      'whoever announced most: its oldest is forgotten',
    ],
    [
      'MAX_LIES',
      'peers remembered to have given wrong bytes of a release, of all releases together',
      'the oldest is forgotten: that peer may be asked for that release again',
    ],
  ]),
  ...constants('core/fetch/sources.ts', sources, [
    [
      'MAX_BUSY',
      'times in a row that a peer is too busy for what it announced',
      'the peer: its word counts no more until it gives something',
    ],
    [
      'MAX_LACKED',
      'times in a row that a seed of the own region lacks what it is asked for',
      'the seed: far ones are asked as well until it gives something',
    ],
    [
      'MAX_SLOW',
      'times that a neighbour may say other things while it owes a block, until it gives one in time',
      'the peer: it counts as silent until it gives something, and its part is for whoever comes next',
    ],
  ]),
  ...constants('core/holders.ts', holders, [
    [
      'MAX_WHOLE',
      'peers remembered to have all of a release',
      'whoever was asked in vain; else who says so last',
    ],
    ['MAX_PLACES', 'blocks that one announcement may name', 'the sender: the rest is not looked at'],
    [
      'PLACES_A_MESSAGE',
      'blocks named in an announcement that count as one more (`announcementsPerSecond`)',
      'the sender: its announcement is not looked at',
    ],
  ]),
  ...constants('core/fetch/handed.ts', handed, [
    ['MAX_PAGES', 'pages handed on with releases that are remembered', 'what came longest ago: it goes'],
  ]),
  ...constants('core/bridge/announcers.ts', announcers, [
    [
      'DISTRUST_MS',
      'for so long a peer is not pulled from after too many announcements that led to nothing (`bridgeDudsPerSecond`)',
      'the peer: what it announces is not pulled from it',
    ],
  ]),
  ...constants('core/fetch/askers.ts', askers, [
    [
      'MAX_WAITED_FOR',
      'releases that one peer may wait for here',
      'the peer: it is not told of what it asked for longest ago',
    ],
  ]),
  ...constants('core/fetch/offers.ts', offers, [
    [
      'RETELL_MS',
      'between two times that a peer is told all of what is here of a release',
      'the asker: it is told what is new alone',
    ],
  ]),
  ...constants('core/serve/slow-takers.ts', slowTakers, [
    [
      'SLOW_MS',
      'for each block that a peer has on its way at once: until one that it does not take counts against it, where others take theirs meanwhile',
      'the peer: it is slow',
    ],
    [
      'SLOW_FOR_MS',
      'for so long all slow peers share one place of `maxServedAtOnce`',
      'the peer: it is busy here',
    ],
    ['MAX_SLOW', 'slow peers remembered', FORGOTTEN],
  ]),
  ...constants('core/border-duty.ts', borderDuty, [
    ['MAX_BROUGHT_IN', 'blocks that a gateway brought in and no other gateway has asked for', FORGOTTEN],
  ]),
  ...constants('core/fetch/sent-on.ts', sentOn, [
    [
      'MAX_SENT_TO',
      'peers of which it is remembered when they were first dialled at a seed’s word, while nobody but seeds is linked',
      FORGOTTEN,
    ],
  ]),
  ...constants('core/fetch/home.ts', home, [
    ['MAX_SEEDS', 'seeds of which it is remembered what they store', FORGOTTEN],
  ]),
  ...constants('core/serve/copies.ts', copies, [
    ['MAX_BLOCKS', 'blocks of which a seed remembers whom it gave them to', FORGOTTEN],
    ['MAX_HOLDERS', 'and so many peers for each', 'whoever got it first: forgotten'],
    ['MAX_HEARD', 'peers of which a seed remembers when they last asked', FORGOTTEN],
    [
      'FREE_COPIES',
      'copies that a seed gives of a block before `seedExtraBytesPerSecond` counts',
      'the asker: sent to a peer that has the block, or told to come later',
    ],
    [
      'BLOCKS_PER_SPARE',
      'blocks given for which one may be given twice for a doubt',
      'the asker: sent to a peer that may be dead',
    ],
    ['MAX_SPARE', 'of such spare copies, saved up', 'the asker: sent to a peer that may be dead'],
  ]),
  ...constants('core/fetch.ts', fetching, [
    ['MAX_NEWS', 'releases of which it is remembered that gossip brought them', FORGOTTEN],
    ['MAX_EARLY', 'releases fetched in a moment, with what gossip brought of them before', FORGOTTEN],
  ]),
  ...constants('core/bridge.ts', coreBridge, [
    ['MAX_HANDED', 'releases of which it is remembered that their pages went to other regions', FORGOTTEN],
  ]),
]
