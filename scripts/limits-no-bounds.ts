/** Numbers in src/core and src/net that bound nothing a peer may do, and why: all others there stand in wire-bounds.ts. A test compares. */

const PACE = 'when, how often or how long this node does something of its own'
const OWN = 'how much this node does at once of its own'
const UNIT = 'a unit'
const FORM = 'of the form of what is sent, which the codec checks'
const SIZE = 'the size of something of ours, taken off a bound of limits.ts'
const COPIES = 'how bytes are kept that other bounds let in'

type Reasons = Readonly<Record<string, string>>
const inFile = (file: string, names: readonly string[], reason: string): Reasons =>
  Object.fromEntries(names.map((name) => [`${file} ${name}`, reason]))

const OF_CORE: Reasons = {
  ...inFile('core/freshness/beacon-pages.ts', ['FIRST_BYTES'], UNIT),
  ...inFile('core/freshness/beacon-pages.ts', ['LIST_HEAD_BYTES', 'MAX_ENTRY_BYTES', 'ENTRY_ITEMS'], FORM),
  ...inFile('core/activate.ts', ['RETRY_MIN_MS', 'RETRY_MAX_MS'], PACE),
  ...inFile('core/freshness/beacon-keys.ts', ['SERVED_BEACONS'], 'how many of its own pages a seed serves'),
  ...inFile('core/freshness/beacon-wants.ts', ['SPREAD_MS', 'RETRY_MS'], PACE),
  ...inFile('core/freshness/beacon-wants.ts', ['NEIGHBOURS_FIRST', 'MAX_AT_ONCE'], OWN),
  ...inFile('core/bitmap.ts', ['MAX_BETTER'], 'how far a search of ours goes'),
  ...inFile('core/bitmap.ts', ['MAX_AHEAD'], 'how far it grows at once: MAX_PLACES of holders.ts bounds it'),
  ...inFile('core/bridge.ts', ['PULLS_A_STEP'], OWN),
  ...inFile('core/bridge.ts', ['PULL_PAUSE_MS'], PACE),
  ...inFile('core/bridge/items.ts', ['NOT_NOW_MS'], PACE),
  ...inFile('core/fetch/bulk-pace.ts', ['SHARE', 'AT_ONCE', 'REMEMBERED', 'MAX_GAP_MS'], PACE),
  ...inFile('core/fetch/own-pace.ts', ['PARTS', 'LEAST', 'MOST', 'MOST_IN_VAIN'], OWN),
  ...inFile('core/fetch/own-pace.ts', ['IN_VAIN_MS'], PACE),
  ...inFile('core/fetch/views.ts', ['VIEW_MS'], PACE),
  ...inFile('core/fetch/chooser.ts', ['MAX_VAIN', 'MAX_LOOKS'], 'how far a search of ours goes'),
  ...inFile('core/fetch/upstream.ts', ['MAX_FAILING', 'MAX_PUT_OFF'], 'how far a search of ours goes'),
  ...inFile('core/serve/backlog.ts', ['WEIGHT'], UNIT),
  ...inFile('core/freshness/derived-pages.ts', ['MAX_TRIES'], 'how far a search of ours goes'),
  ...inFile('core/fetch.ts', ['UNAVAILABLE_MS'], PACE),
  ...inFile('core/fetch/disk.ts', ['RETRY_MS'], PACE),
  ...inFile('core/fetch.ts', ['MAX_CHECKS'], OWN),
  ...inFile('core/freshness.ts', ['LOOKS_PER_BEACON'], PACE),
  ...inFile('core/gateways.ts', ['LOOK_MS', 'IDLE_LOOK_MS', 'ASK_ALL_MS'], PACE),
  ...inFile('core/gateways.ts', ['SHARE', 'ANSWER_OVERHEAD_BYTES'], SIZE),
  ...inFile('core/gateways/heartbeats.ts', ['CLASS'], 'ranks'),
  ...inFile('core/gateways/own-word.ts', ['UNSAID_MS'], PACE),
  ...inFile('core/gateways/turn.ts', ['LARGEST_REGION', 'HEX_DIGITS'], PACE),
  ...inFile(
    'core/housekeeping.ts',
    [
      'SAVE_RETRY_MS',
      'COLLECT_EVERY_MS',
      'COLLECT_PAUSES',
      'MOST_PAUSE_MS',
      'CHECK_EVERY_MS',
      'ROOT_LOOK_EVERY_MS',
      'FIRST_COMPARES',
    ],
    PACE,
  ),
  ...inFile('core/housekeeping.ts', ['CHECKS_AT_ONCE'], OWN),
  ...inFile('core/submit/first-compare.ts', ['TIMES'], PACE),
  ...inFile('core/lateness.ts', ['PAUSES', 'MAX_MS', 'CROWDED_MS'], PACE),
  ...inFile('core/admit/own-certificate.ts', ['HOUR_MS', 'DAY_MS'], UNIT),
  ...inFile('core/clock-set.ts', ['SET_MS'], PACE),
  ...inFile('core/admit/own-certificate.ts', ['REFUSED_LOOK_MS'], PACE),
  ...inFile('core/fetch/offers.ts', ['CROWD_OFFERS'], OWN),
  ...inFile('core/fetch/offers.ts', ['LATENESS_KEPT_MS'], PACE),
  ...inFile('core/fetch/patience.ts', ['MAX_ALLOWED', 'EARNED_BY'], OWN),
  ...inFile('core/peers/book.ts', ['REMEMBER_AGAIN_MS', 'MET_LATELY_MS', 'UNMET_MS'], PACE),
  ...inFile('core/peers/dial-window.ts', ['REFUSALS_OF_ROUNDS'], PACE),
  ...inFile(
    'core/peers.ts',
    ['PASS_ON_FAILURES', 'ENOUGH_KNOWN', 'ENOUGH_REMEMBERED'],
    'what this node goes by',
  ),
  ...inFile('core/peers.ts', ['IDLE_LOOK_MS'], PACE),
  ...inFile('core/peers/unreached.ts', ['TOLD_AFTER_FAILURES'], PACE),
  ...inFile('core/peers/sample.ts', ['RECORD_OVERHEAD_BYTES'], SIZE),
  ...inFile('core/submit/questions.ts', ['STATE_OVERHEAD_BYTES'], SIZE),
  ...inFile('core/fetch/overdue.ts', ['MAX_ASKED'], OWN),
  ...inFile('core/fetch/pull.ts', ['JOBS_A_GO'], OWN),
  ...inFile('core/fetch/jobs.ts', ['JOBS_A_TICK'], OWN),
  ...inFile('core/fetch/rescue.ts', ['MOST_BLINDLY'], OWN),
  ...inFile('core/fetch/pull.ts', ['MAX_HELD_MS', 'NEXT_GO_MS'], PACE),
  ...inFile('core/roots/run.ts', ['MINUTE_MS'], UNIT),
  ...inFile('core/fetch/sources.ts', ['MAX_AVOID_MS', 'MAX_AVOID_TIMES', 'MAX_BUSY_MS'], PACE),
  ...inFile('core/sync/answer.ts', ['LACK_BYTES'], SIZE),
  ...inFile('core/sync/choice.ts', ['MAX_AT_ONCE'], OWN),
  ...inFile(
    'core/sync/digests.ts',
    ['BUCKETS', 'BUCKET_BITS', 'CHANNELS_PER_SUB', 'MAX_SUBS', 'SHORT_HEX'],
    FORM,
  ),
  ...inFile('core/sync/channel-index.ts', ['RESCAN_MS'], PACE),
  ...inFile('core/sync/round.ts', ['ENTRY_BYTES', 'SUB_BUCKET_BYTES'], SIZE),
  ...inFile('core/onward.ts', ['PATIENCE_MS', 'YOUNG_MS'], PACE),
  ...inFile('core/sync.ts', ['DUE_SHARE', 'BEACON_PATIENCE_MS', 'SILENT_MS'], PACE),
  ...inFile('core/sync.ts', ['PROBES'], OWN),
  ...inFile('core/fetch/turns.ts', ['MORE_BY_TURN'], 'how many nodes of the region act'),
  ...inFile('core/peers/twin.ts', ['KEPT_RECORDS'], 'how many of its own records are known again'),
  ...inFile('core/peers/twin.ts', ['RECORDS_LEFT'], 'how sure it is before it tells'),
  ...inFile('core/peers/twin.ts', ['TELL_MS', 'CLOCKS_APART_MS'], PACE),
  ...inFile('core/fetch/want-window.ts', ['START', 'LEAST', 'LATE_MS', 'FAR_LEAST', 'FAR_LATE_MS'], PACE),
  ...inFile('core/fetch/rescue.ts', ['MOST_WAITS', 'CROSS_AT_ONCE', 'MOST_LEFT'], PACE),
  ...inFile('core/fetch/way-pause.ts', ['MOST_DEADLINES'], PACE),
  ...inFile('core/gateways/warm-links.ts', ['LINGER_MS', 'PATIENCE_MS'], PACE),
}

const OF_NET: Reasons = {
  ...inFile('net/deadline.ts', ['STOOD_STILL_MS'], 'from where on this host counts as one that stood still'),
  ...inFile('net/framing.ts', ['LONG_BYTES'], COPIES),
  ...inFile('net/gossip.ts', ['FLEET_ID_CHARS'], 'part of a name'),
  ...inFile('net/gossip.ts', ['TOLD_HEARTBEATS', 'RETAIN_SCORE_MS'], PACE),
  ...inFile('net/gossip.ts', ['TOLD_PEERS'], OWN),
  ...inFile('net/gossip-clock.ts', ['STEP_MS'], 'from where on a clock counts as set back'),
  ...inFile(
    'net/gossip-promises.ts',
    ['STOOD_STILL_MS'],
    'from where on this host counts as one that stood still',
  ),
  ...inFile('net/relay-hold.ts', ['HOLD_MS', 'LATE_MS', 'MAX_SECOND_HOLD_MS'], PACE),
  ...inFile('net/gossip.ts', ['MESH_DEGREE'], 'how many neighbours this node aims at'),
  ...inFile('net/host.ts', ['HOUR_MS'], UNIT),
  ...inFile('net/host.ts', ['ADDRESS_ATTEMPT_MS'], PACE),
  ...inFile('net/handshakes.ts', ['SOON_MS'], 'what counts as late for LEAST'),
  ...inFile('net/identity.ts', ['KEY_BYTES'], 'of the own key file'),
  ...inFile('net/no-modes.ts', ['OTHERS_MAY'], 'of the own key file'),
  ...inFile('net/muxer-begun.ts', ['HEADER_BYTES', 'LENGTH_AT'], FORM),
  ...inFile('net/muxer-begun.ts', ['JOINED_AFTER'], COPIES),
  ...inFile('net/muxer-frames.ts', ['SHORT_BYTES'], 'what counts as short for SHORT_PER_SECOND'),
  ...inFile('net/muxer-frames.ts', ['DATA', 'PING', 'SYN'], FORM),
  ...inFile('net/muxer.ts', ['KIB'], UNIT),
  ...inFile(
    'net/muxer.ts',
    ['UNSENT_FOR_LONGEST'],
    'what MAX_STREAM_UNSENT_BYTES is, where limits allow for more',
  ),
  ...inFile('net/muxer.ts', ['HEADER_BYTES', 'INIT', 'SYN_RECEIVED'], FORM),
  ...inFile('net/noise.ts', ['TAG_BYTES', 'MOST_BYTES'], FORM),
  ...inFile('net/noise.ts', ['LONG_BYTES', 'JOINED_AFTER'], COPIES),
  ...inFile('net/unframing.ts', ['FIRST_BYTES', 'GROWTH'], COPIES),
  ...inFile('net/unframing.ts', ['MORE'], FORM),
  ...inFile('net/unread.ts', ['LENGTH_BYTES'], SIZE),
  ...inFile('net/watchdog.ts', ['MIB'], UNIT),
}

const OF_CODEC = inFile(
  'codec/message-forms.ts',
  ['MAX_OWN_TEXT_CHARS'],
  'how much this node says itself: MAX_TEXT_BYTES bounds what it reads',
)

export const NO_BOUNDS: Reasons = { ...OF_CODEC, ...OF_CORE, ...OF_NET }
