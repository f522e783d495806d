/** `docs/limits.md` as text: every limit of src/limits.ts with its value and the reason that stands beside it there. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LIMITS } from '../src/limits.ts'
import { REASONS } from './limits-reasons.ts'

const KIB = 1024
const MIB = 1024 * KIB
const GIB = 1024 * MIB

interface Limit {
  readonly name: string
  readonly reason: string
}

/** Names in order, each with the comment right above it, else with the reason of the table. */
function limitsInSource(): Limit[] {
  const source = readFileSync(join(import.meta.dirname, '../src/limits.ts'), 'utf8')
  const body = source.slice(source.indexOf('LIMITS = {'), source.indexOf('} as const'))
  const found: Limit[] = []
  let reason = ''
  let open: string[] | undefined
  for (const line of body.split('\n').map((each) => each.trim())) {
    if (line.startsWith('/**')) open = []
    if (open !== undefined) {
      open.push(
        line
          .replace(/^\/\*\*|\*\/$|^\*(?!\/)/g, '')
          .replace(/\*\/$/, '')
          .trim(),
      )
      if (line.endsWith('*/')) {
        reason = open.join(' ').trim()
        open = undefined
      }
      continue
    }
    const [, name] = /^(\w+): /.exec(line) ?? []
    if (name === undefined) continue
    found.push({ name, reason: reason === '' ? (REASONS[name] ?? '') : reason })
    reason = ''
  }
  return found
}

function amount(name: string, value: unknown): string {
  if (typeof value === 'object' && value !== null)
    return Object.entries(value)
      .map(([key, each]) => `${key} ${String(each)}`)
      .join(', ')
  const number = Number(value)
  if (/Bytes/.test(name)) return bytes(number)
  if (/Ms(PerMib)?$/.test(name)) return milliseconds(number)
  return number.toLocaleString('en')
}

function bytes(count: number): string {
  for (const [unit, size] of [
    ['GiB', GIB],
    ['MiB', MIB],
    ['KiB', KIB],
  ] as const)
    if (count >= size && count % size === 0) return `${(count / size).toLocaleString('en')} ${unit}`
  return `${count.toLocaleString('en')} B`
}

function milliseconds(count: number): string {
  if (count >= 60_000 && count % 60_000 === 0) return `${count / 60_000} min`
  return count >= 1_000 ? `${count / 1_000} s` : `${count} ms`
}

/** Who pays for too much, by what is limited; the first that fits. */
const COSTS: readonly (readonly [RegExp, string])[] = [
  [
    /^(maxHttp|httpRequest|maxWatchers|watch)/,
    'the caller: refused with a 4xx, 503 or the end of its connection',
  ],
  [/^(gossipPerSecond|gossipBurst)/, 'the sender: ignored, and read from more slowly'],
  [/^(requests|slice|gossipRpcs|streams(Per|Burst))/, 'the sender: read from more slowly'],
  [/^(logLines|audits)/, 'nobody: the rest is counted and left out of the log'],
  [
    /^(verifies|heartbeatChecks|syncPerSecond|syncBurst|exchanges(Per|Burst)|admissions)/,
    'the sender: ignored or told to come back',
  ],
  [
    /^(submits|publishAsks|maxUploads|maxStaged|maxLeases|maxAwaits|maxNeed)/,
    'the publisher: `LIMIT_RATE`, and when to come back',
  ],
  [/^(maxUnadmitted|maxStreams|hardDegree|seedDegree|gatewayDegree)/, 'the newest: turned away'],
  [
    /^max.*(Message|Gossip|Run)Bytes$|DeadlineMs$|^maxRunMessages|^streamIdle/,
    'the sender: its stream is reset, it loses score or its connection',
  ],
  [
    /^(maxRoot|maxHeader|maxEnvelope|maxPage|maxBlock|maxBeacon|maxCertificate|maxHeartbeatBytes|maxPeerRecord|maxSignatures|maxDepth|maxItems|maxInline|maxMessage|maxClock|maxPublishers|maxKeysPerRole|maxPatternsPer|maxEpochs|maxRemoved|maxCritical)/,
    'whoever made the document: it is refused',
  ],
  [/^(maxRelease|maxFiles|maxPath|maxChannel(Bytes|Segments))/, 'the publisher: the release is refused'],
  [
    /^(maxChannels|maxRelayedChannels|maxKnownPeers|maxRejected|maxAnswered|maxOffers|maxHeartbeats|maxRegions|maxWants|maxQueued|maxGossipSeen)/,
    'what comes last, or came longest ago: it is not remembered',
  ],
  [/^(hook|maxHook|health|soak)/, 'the hook or check: ended, the release counts as unhealthy'],
  [
    /^(max(Audit|Cache|Store|Checked|History|Quarantined|Parallel)|keep|storeProbe|storeWatch)/,
    'this node: older things go, or work waits',
  ],
  [/^(maxConfig|maxPatterns$|keyLock|sign|counterTries|otherSeeds|publishIdle)/, 'the operator: told so'],
]

const costOf = (name: string): string =>
  COSTS.find(([pattern]) => pattern.test(name))?.[1] ?? 'this node: it waits, or tries again later'

const STREAM_WINDOW_BYTES = 256 * KIB
const SEEN_BYTES = 600

/** What peers can make a node hold at most, each from the limits. */
function memory(): readonly (readonly [string, string, number])[] {
  const L = LIMITS
  const perStranger =
    L.maxStreams.admit + 2 * L.maxStreams.publish + L.maxStreams.sync + L.maxStreams.blocks + 2
  const admittedStreams = Object.values(L.maxStreams).reduce<number>((sum, each) => sum + each, 2)
  return [
    [
      'strangers of one address',
      `${L.maxUnadmittedPerAddress} connections × ${perStranger} streams × a first window of 256 KiB, for ${L.admitDeadlineMs / 1_000} s`,
      L.maxUnadmittedPerAddress * perStranger * STREAM_WINDOW_BYTES,
    ],
    [
      'admitted peers',
      `${L.hardDegree} × ${admittedStreams} streams × 256 KiB; as many as send nothing hold nothing`,
      L.hardDegree * admittedStreams * STREAM_WINDOW_BYTES,
    ],
    [
      'gossip under way',
      `${L.hardDegree} peers × (one RPC of 4 MiB + two windows of 512 KiB); as many as send nothing hold nothing`,
      L.hardDegree * 5 * MIB,
    ],
    [
      'gossip known again',
      `(${L.maxGossipSeen.toLocaleString('en')} messages + ${L.hardDegree} peers × ${2 * (L.gossipPerSecond + L.gossipBurst)} in a second) × ${SEEN_BYTES} B`,
      (L.maxGossipSeen + L.hardDegree * 2 * (L.gossipPerSecond + L.gossipBurst)) * SEEN_BYTES,
    ],
    [
      'announced blocks',
      `${L.hardDegree} peers × ${L.maxAnnouncedInPart} releases × a bitmap that grows to 256 KiB`,
      L.hardDegree * L.maxAnnouncedInPart * 256 * KIB,
    ],
    ['beacon pages', 'of all keys', L.maxBeaconPageBytes],
    [
      'channels',
      `${L.maxChannels} stored × 2 KiB, ${L.maxRelayedChannels} relayed × 256 B`,
      L.maxChannels * 2 * KIB + L.maxRelayedChannels * 256,
    ],
    ['peers known', `${L.maxKnownPeers} records × 2 KiB`, L.maxKnownPeers * 2 * KIB],
    ['leases', `${L.maxLeases} × 4 KiB`, L.maxLeases * 4 * KIB],
    ['uploads', `${L.maxUploads} × 2 blocks under way`, L.maxUploads * 2 * L.maxBlockMessageBytes],
    ['rejected messages', `${L.maxRejectedDigests} digests`, L.maxRejectedDigests * 128],
  ]
}

const INTRODUCTION = `# Limits

<!-- Made by \`npm run docs:limits\` from src/limits.ts; a test says when it is out of date. -->

Every input has a bound, and what exceeds it costs the one who sent it. Single limits can be set under \`limits\` in a node's
configuration, by these names.
`

export function limitsDocument(): string {
  const rows = limitsInSource().map(({ name, reason }) => {
    const value = (LIMITS as Readonly<Record<string, unknown>>)[name]
    return `| \`${name}\` | ${amount(name, value)} | ${reason.replaceAll('|', '\\|') || '-'} | ${costOf(name)} |`
  })
  const sums = memory()
  const total = sums.reduce((sum, [, , each]) => sum + each, 0)
  return `${INTRODUCTION}
## Memory under attack

What hostile peers can make one node hold, if every neighbour is hostile and all do their worst at once. A single attacker
comes nowhere near: \`npm run attack\` sends everything it can and shows the memory of the attacked process
([results](../bench/results/README.md)).

| what | made of | at most |
|---|---|---|
${sums.map(([what, of, most]) => `| ${what} | ${of} | ${Math.ceil(most / MIB)} MiB |`).join('\n')}
| **together** | | **${Math.ceil(total / MIB)} MiB** |

Beside it stands what nobody holds any more: V8 collects once garbage is half of what lives, three tenths where 44 MiB are used,
buffers included, and the young generation works with two halves of 4 MiB (\`src/cli/heap-growth.ts\`); the allocator gives
free memory back late.

## Every limit

| name | bound | reason | what exceeds it costs |
|---|---|---|---|
${rows.join('\n')}
`
}
