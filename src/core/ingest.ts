/** Verify and order: what a received release changes, and the batch that makes it durable. */

import type { Limits } from '../limits.ts'
import type { Envelope } from '../model/envelope.ts'
import type { Channel, Digest, ReleaseId } from '../model/ids.ts'
import type { Release } from '../model/release.ts'
import { authorised } from '../trust/authorise.ts'
import { epochOf } from '../trust/epoch.ts'
import { recordWrite, stateWrites } from './cell-writes.ts'
import { isNamed, targetOf } from './channel.ts'
import type { Ticket } from './events.ts'
import { inOrder } from './inline.ts'
import { ACCEPTED, type Ingested, type Source, type Verdict } from './journey.ts'
import { type OrderContext, order, placeOf } from './order.ts'
import { type OverLimit, overOwnLimit } from './over-limit.ts'
import { observeDelay } from './publish-delay.ts'
import { leastBuiltIn, readRelease } from './release-bytes.ts'
import { type Cell, cellFor, keepCell, keptOut, type NodeState, neededBy } from './state.ts'
import type { Step } from './step.ts'
import { CODE_OF } from './verify.ts'
import type { Write } from './writes.ts'

/** Content that came with the envelope, each digest checked; together it is the whole release. */
export type Content = ReadonlyMap<Digest, Uint8Array>

export interface IngestOptions {
  /** Say the verdict, change nothing. */
  readonly judgeOnly?: boolean
  /** Pages and blocks to write in the same batch, which ends with `whole`. */
  readonly content?: Content
  /** The content counts only where the release becomes the target of a channel stored here. */
  readonly onlyForTarget?: boolean
  /** Should the batch fail, the release never came. */
  readonly undoable?: boolean
}

export interface Outcome extends Ingested {
  /** The batch under way, 0 where nothing is written. */
  readonly ticket: Ticket
  /** The batch holds the content and ends with `whole`. */
  readonly whole: boolean
  /** Of one that no other envelope would bring in: why it is not taken or not stored here. */
  readonly over?: OverLimit
}

const nothing = (verdict: Verdict, release?: Release): Outcome => ({
  verdict,
  ...(release === undefined ? {} : { release }),
  provable: false,
  relayable: false,
  ticket: 0,
  whole: false,
})

export function ingest(
  node: NodeState,
  step: Step,
  bytes: Uint8Array,
  source: Source,
  options: IngestOptions,
): Outcome {
  const { limits } = node.config
  const read = readRelease(bytes, limits)
  if (read.kind === 'refused') {
    const { verdict, text, code, over } = read
    const ours = over !== undefined && isOurs(node, over) ? over.release : undefined
    const refused = { ...nothing(verdict, ours), code }
    if (ours === undefined || options.judgeOnly === true)
      return { ...refused, ...refuse(step, options, verdict, text, source, undefined, code) }
    const told = { code, text: overOwnLimit(text) }
    noteOver(node, step, ours, told)
    if (over?.inPayload !== true) return refused
    node.overLimits.add(ours.id, told)
    return { ...refused, over: told }
  }
  const { envelope, release } = read
  if (read.kind === 'unsupported') {
    if (!isOurs(node, read)) return nothing('UNSUPPORTED')
    const text = 'a release of a newer format; upgrade this node to take it'
    if (options.judgeOnly !== true) isFirstNotTaken(node, step, release, { code: 'CODEC_UNSUPPORTED', text })
    const refused = refuse(step, options, 'UNSUPPORTED', text, source, release)
    return { ...nothing('UNSUPPORTED', release), ...refused }
  }
  return orderRead(node, step, { bytes, envelope, release }, source, options)
}

/** Of one that is not taken, for it says more than can be read or kept here: a publisher of this fleet signed it. */
const isOurs = (
  { roots, config }: NodeState,
  { envelope, release }: Pick<ReadBytes, 'envelope' | 'release'>,
): boolean =>
  release.header.fleet === roots.fleetId() &&
  authorised(roots.current(), envelope, release, leastBuiltIn(config.limits))

/** Aloud where it is the first that keeps a channel of this node behind: each comparison brings it again. No peer is to blame. */
function noteOver(node: NodeState, step: Step, release: Release, over: OverLimit): void {
  const { id, header } = release
  const level = isFirstNotTaken(node, step, release, over) ? 'warn' : 'debug'
  step.emit({ kind: 'note', level, ...over, channel: header.channel, release: id })
}

/** Kept in mind, so that the channel's state says why it stays behind. @returns whether it is the first of this channel that is */
function isFirstNotTaken(node: NodeState, step: Step, release: Release, over: OverLimit): boolean {
  const { channel, root } = release.header
  const cell = cellFor(node, channel)
  return (
    cell?.stored === true &&
    root >= cell.epoch &&
    node.overLimits.isFirst(channel, cell.state.floor.top, {
      place: placeOf(release, cell.epoch),
      error: { ...over, at: step.now.wallMs, release: release.id },
    })
  )
}

interface ReadBytes {
  readonly bytes: Uint8Array
  readonly envelope: Envelope
  readonly release: Release
}

function orderRead(
  node: NodeState,
  step: Step,
  read: ReadBytes,
  source: Source,
  options: IngestOptions,
): Outcome {
  const { release } = read
  const context = contextOf(node, read)
  const cell = cellFor(node, release.header.channel)
  if (cell === undefined) {
    const { channel } = release.header
    const full = whyFull(node, channel)
    if (full !== undefined && options.judgeOnly !== true)
      step.emit({ kind: 'note', level: 'warn', code: 'LIMIT_CHANNELS', text: full, channel })
    const verdict = node.relayed.order(release, context, step.now.monoMs, options.judgeOnly === true)
    const outcome = judged(node, step, read, source, verdict, options)
    if (full === undefined || options.judgeOnly === true || !ACCEPTED.has(verdict)) return outcome
    const over = { code: 'LIMIT_CHANNELS', text: full } as const
    node.overLimits.add(release.id, over)
    return { ...outcome, over }
  }
  const { verdict, state } = order(cell.state, release, context)
  const outcome = judged(node, step, read, source, verdict, options)
  const lost = verdict === 'DUPLICATE' && !node.kept.has(release.id)
  const becomes = verdict === 'NEW' || (lost && targetOf(state.floor) === release.id)
  const target = becomes && cell.stored && !node.readOnly
  const content = options.onlyForTarget && !target ? undefined : options.content
  const fills = verdict === 'DUPLICATE' && content !== undefined
  if (options.judgeOnly || (state === cell.state && !lost && !fills)) return outcome
  const ticket = step.nextTicket()
  if (options.undoable && !isNamed(cell.state, release.id))
    cell.submitting.set(ticket, { id: release.id, before: cell.state })
  cell.state = state
  keepCell(node, cell)
  if (!node.kept.has(release.id))
    node.kept.set(release.id, { release, channel: release.header.channel, envelope: read.bytes })
  if (verdict === 'NEW') announceOrdered(node, step, release)
  const writes = [
    ...batch(node, cell, ticket, release, read.bytes),
    ...contentWrites(release, content, node.config.limits),
  ]
  step.emit({ kind: 'persist', ticket, writes, sync: true })
  return { ...outcome, ticket, whole: content !== undefined }
}

/** First come stays: what no longer fits is relayed like a foreign channel, and the operator hears of it. */
function whyFull(node: NodeState, channel: Channel): string | undefined {
  const by = keptOut(node, channel)
  if (by === undefined || by === 'patterns') return undefined
  return by === 'maxChannels'
    ? `${node.storedCells} channels are stored here, the most allowed; this one is not (limits.maxChannels)`
    : `${node.cells.size - node.storedCells} channels that were stored here keep their floors, the most allowed; this one is not stored (limits.maxFormerChannels)`
}

function announceOrdered(node: NodeState, step: Step, release: Release): void {
  const { channel, publisher } = release.header
  const text = `release ${release.counter} of ${publisher} is the newest`
  step.emit({ kind: 'note', level: 'info', code: 'RELEASE_NEW', text, channel, release: release.id })
  observeDelay(node, step, 'publish_to_ordered', release.header)
}

function contextOf(node: NodeState, { envelope, release }: ReadBytes): OrderContext {
  const root = node.roots.current()
  return {
    fleet: node.roots.fleetId(),
    rootVersion: root.version,
    epoch: epochOf(root, release.header.channel),
    authorised: () => authorised(root, envelope, release, node.config.limits),
  }
}

/**
 * Relaying asks for more than order: authorised under the root the release names, too, and that root kept and
 * undisputed; else a node still at that root would punish the relay. Blame asks for the same proof. What is submitted is taken
 * under the root kept, disputed or not: who may publish must not wait for the end of a fork, nor for one of a replaced root,
 * which whoever has old keys can make. Neighbours order it, and those that know of the fork leave it to sync.
 */
function judged(
  node: NodeState,
  step: Step,
  read: ReadBytes,
  source: Source,
  verdict: Verdict,
  options: IngestOptions,
): Outcome {
  const { judgeOnly, content } = options
  const { release, envelope } = read
  const { roots } = node
  const { root: version } = release.header
  const named = source.via === 'submit' ? roots.kept(version) : roots.undisputed(version)
  const signed = () =>
    named !== undefined &&
    (named === roots.current()
      ? verdict !== 'UNAUTHORISED'
      : authorised(named, envelope, release, node.config.limits))
  // What is only judged was not ordered: of two that race for a place the second is refused, and nothing is held.
  if (judgeOnly !== true) count(step, verdict)
  const text = REFUSALS[verdict]
  const refused =
    text === undefined || (judgeOnly && verdict === 'TWIN')
      ? {}
      : refuse(step, options, verdict, text, source, release)
  return {
    ...refused,
    verdict,
    release,
    provable: verdict === 'UNAUTHORISED' && named !== undefined && !signed(),
    relayable: (ACCEPTED.has(verdict) || (verdict === 'DUPLICATE' && content !== undefined)) && signed(),
    ticket: 0,
    whole: false,
  }
}

function count(step: Step, verdict: Verdict): void {
  if (ACCEPTED.has(verdict)) step.emit({ kind: 'count', metric: 'ordered', by: 1, label: verdict })
  else if (verdict === 'DUPLICATE' || verdict === 'TWIN_KNOWN')
    step.emit({ kind: 'count', metric: 'duplicates', by: 1 })
}

const REFUSALS: Partial<Record<Verdict, string>> = {
  TWIN: 'two releases in one place: the publisher equivocated; the channel is held until its next release',
  STALE: 'an older release than the one known here',
  STALE_EPOCH:
    "the release was made before the channel's epoch was raised; publish it again under the newest root",
  AHEAD: 'the release names a newer trust root than is known here',
  UNAUTHORISED: 'the trust root does not let these signatures publish on this channel',
  MISPLACED: 'the release is of another fleet or channel',
  MALFORMED: 'the release is malformed',
  UNSUPPORTED: 'the release is of a format this build does not know',
  RATE: 'too many channels that are not stored here',
}

/** What a fault of the sender's costs a warning, the rest is everyday. */
const LOUD: ReadonlySet<Verdict> = new Set(['UNAUTHORISED', 'MISPLACED', 'MALFORMED', 'TWIN', 'UNSUPPORTED'])

/** Said, unless whoever asked for the verdict alone is to say it. */
function refuse(
  step: Step,
  { judgeOnly }: IngestOptions,
  verdict: Verdict,
  text: string,
  source: Source,
  release?: Release,
  code = CODE_OF[verdict],
): Pick<Ingested, 'refusal'> {
  if (code === undefined) return {}
  const refusal = {
    kind: 'note',
    level: LOUD.has(verdict) ? 'warn' : 'debug',
    code,
    text,
    ...(source.peer === undefined ? {} : { peer: source.peer }),
    ...(release === undefined ? {} : { channel: release.header.channel, release: release.id }),
  } as const
  if (judgeOnly) return { refusal }
  step.emit(refusal)
  return {}
}

/** Envelope, floor and heads in one; what is needed by nothing any more goes in the same batch. */
function batch(node: NodeState, cell: Cell, ticket: Ticket, release: Release, bytes: Uint8Array): Write[] {
  const { channel } = release.header
  const envelope: Write = { kind: 'envelope', release: release.id, channel, bytes }
  // The floor that a root raised goes with it, and need not be waited for.
  if (cell.unsaved === 'state') cell.unsaved = false
  return [envelope, ...stateWrites(cell, ticket), ...dropUnneeded(node, cell, release.id)]
}

/** Once more: nobody is asked for what is kept in memory. With the channel, which is saved again where the disk takes nothing. */
export function writeEnvelope(node: NodeState, step: Step, release: ReleaseId): void {
  const kept = node.kept.get(release)
  const cell = kept === undefined ? undefined : node.cells.get(kept.channel)
  if (kept === undefined || cell === undefined) return
  const { channel, envelope: bytes } = kept
  const writes: Write[] = [{ kind: 'envelope', release, channel, bytes }]
  writes.push(recordWrite(cell))
  step.emit({ kind: 'persist', ticket: step.nextTicket(), writes, sync: true })
}

/** Of a release whose content is damaged. Its envelope as well: that may be what was damaged, and nobody is asked for what is kept in memory. */
export function mending(node: NodeState, release: ReleaseId): Write[] {
  const kept = node.kept.get(release)
  const unwhole = { kind: 'unwhole', release } as const
  if (kept === undefined) return [unwhole]
  return [unwhole, { kind: 'envelope', release, channel: kept.channel, bytes: kept.envelope }]
}

/** Forgets envelopes of the channel that floor, heads, active and history no longer name. */
export function dropUnneeded(node: NodeState, cell: Cell, keep?: ReleaseId): Write[] {
  const needed = neededBy(cell, node.config.keepReleases)
  const writes: Write[] = []
  for (const id of cell.envelopes) {
    if (needed.has(id) || id === keep) continue
    cell.envelopes.delete(id)
    node.kept.delete(id)
    node.whole.delete(id)
    // Also where it is not known to be whole: the record may be on its way to disk, ahead of this one.
    writes.push({ kind: 'dropEnvelope', release: id }, { kind: 'unwhole', release: id })
  }
  if (keep !== undefined) cell.envelopes.add(keep)
  return writes
}

function contentWrites(release: Release, content: Content | undefined, limits: Limits): Write[] {
  if (content === undefined) return []
  const writes: Write[] = []
  for (const [digest, bytes] of content) writes.push({ kind: 'block', digest, bytes })
  const alone = inOrder(release, content, limits) === undefined ? {} : ({ alone: true } as const)
  writes.push({ kind: 'whole', release: release.id, ...alone })
  return writes
}
