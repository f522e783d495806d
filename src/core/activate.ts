/** Activation of the target, what comes of it, and the one step back after a failed health check. */
import type { Code } from '../errors.ts'
import type { ReleaseId } from '../model/ids.ts'
import { report, tellGate } from './activate/told.ts'
import { recordWrite } from './cell-writes.ts'
import { isHeld, targetOf } from './channel.ts'
import type { EventOf, Now } from './events.ts'
import { dropUnneeded, mending } from './ingest.ts'
import { observeDelay } from './publish-delay.ts'
import { activated, failed, failedAnew, fallbackOf, isUnsupported, passed, settle, soaked } from './settle.ts'
import {
  type Activating,
  type Cell,
  type Due,
  expiryOf,
  gateFor,
  isDurable,
  isRootOver,
  type NodeState,
} from './state.ts'
import type { Step } from './step.ts'
import type { ActiveRecord } from './writes.ts'

const RETRY_MIN_MS = 1_000
const RETRY_MAX_MS = 60_000
/** Failed ids remembered per channel: one is tried again only after so many others have failed. */
export const MAX_FAILED = 32

/** The content was not what it should be: read and fetch it again. */
const DAMAGED: ReadonlySet<Code> = new Set([
  'STORE_CORRUPT',
  'CONTENT_GONE',
  'CONTENT_DIGEST',
  'STORE_MISSING',
])

/** Try to make the target active; does nothing where it is, is under way, or a gate is closed. */
export function settleCell(node: NodeState, step: Step, cell: Cell): void {
  settleNow(node, step, cell)
  const { monoMs, wallMs } = step.now
  const retries = [...cell.retries.values()].flatMap(({ atMonoMs }) => (monoMs < atMonoMs ? [atMonoMs] : []))
  const times = cell.soakAtMonoMs === undefined ? retries : [...retries, cell.soakAtMonoMs]
  const expires = expiryOf(node, cell)
  if (times.length === 0 && expires === undefined) return void node.due.delete(cell)
  const atMonoMs = times.length === 0 ? undefined : Math.min(...times)
  node.due.set(cell, { atMonoMs, expires, wasOver: isOver(expires, wallMs) })
}

const isOver = (expires: number | undefined, wallMs: number): boolean =>
  expires !== undefined && expires <= wallMs

const isDue = ({ atMonoMs, expires, wasOver }: Due, { monoMs, wallMs }: Now): boolean =>
  (atMonoMs !== undefined && atMonoMs <= monoMs) || isOver(expires, wallMs) !== wasOver

/** After what changes the gates of all. */
export function settleAll(node: NodeState, step: Step): void {
  node.rootOver = isRootOver(node, step.now.wallMs)
  for (const cell of node.cells.values()) settleCell(node, step, cell)
}

function settleNow(node: NodeState, step: Step, cell: Cell): void {
  if (!cell.stored) return
  if (cell.activating !== undefined) return withdraw(node, step, cell, cell.activating)
  stayInEnded(node, step, cell)
  carryFailure(node, step, cell)
  for (const next of nextOf(node, step, cell)) {
    // The other one may have better luck: only the one that failed waits.
    const atMonoMs = cell.retries.get(next.release)?.atMonoMs ?? 0
    const shown = cell.stepsBack?.from ?? cell.state.active?.release
    if (step.now.monoMs < atMonoMs) step.wakeAt(atMonoMs)
    else if (begin(node, step, cell, next, next.kind === 'restore' ? next.release : shown)) return
  }
}

/**
 * An order waits for its turn behind other channels' hooks, and a large tree is built for long: what must not be begun any
 * more by then, or has been rolled back, must not be shown, nor what is shown be looked through. A step back goes on.
 */
function withdraw(node: NodeState, step: Step, cell: Cell, under: Activating): void {
  const { kind, release } = under
  if (kind === 'fallback' || under.withdrawn) return
  const isVain = kind === 'target' && isOff(node, step, cell, under)
  if (!isVain && !isOvertaken(node, step, cell, under)) return
  if (!isVain && kind === 'target') cell.overtaken = true
  cell.activating = { ...under, withdrawn: true }
  step.emit({ kind: 'withdraw', channel: cell.state.channel, release })
}

/** A root ended its epoch, its twin is known, or its time or the root's is over. A newer target has a time of its own. */
function isOff(node: NodeState, { now }: Step, cell: Cell, { release, epoch }: Activating): boolean {
  if (epoch < cell.epoch || isHeld(cell.state.floor)) return true
  const expires = node.kept.get(release)?.release.header.expires
  return isOver(expires, now.wallMs) || isRootOver(node, now.wallMs)
}

/**
 * By a target that has not failed yet, as it may fail for ever; what is to be shown itself once until something is, as they may
 * come for ever. What is begun, too, by a root that ends its epoch.
 */
function isOvertaken(node: NodeState, step: Step, cell: Cell, under: Activating): boolean {
  const { kind, release, epoch } = under
  if (kind === 'begun' && epoch < cell.epoch) return true
  if (kind === 'target' && cell.overtaken) return false
  const [next] = nextOf(node, step, cell)
  if (next?.kind !== 'target' || next.release === release) return false
  return node.whole.has(next.release) && !cell.retries.has(next.release)
}

/** What is to be shown, the first that can be. */
function nextOf(node: NodeState, step: Step, cell: Cell): readonly Activating[] {
  const { monoMs, wallMs } = step.now
  const waits = !cell.hadFloor && node.waitUntilMonoMs !== undefined && monoMs < node.waitUntilMonoMs
  const gate = gateFor(node, cell, wallMs)
  tellGate(step, cell, gate)
  const target = waits ? undefined : settle(cell.state, gate)
  if (target === undefined) return [...(waits ? [] : begunOf(node, cell)), ...activeOf(cell)]
  // What is activated must not be above the floor that a crash leaves. What was active before needs no write.
  if (!isDurable(cell)) return cell.unsaved ? activeOf(cell) : []
  // Straight to the target, also after start: a crash may have come between the swap and its record.
  return [{ release: target, epoch: cell.state.floor.top.epoch, kind: 'target' }, ...activeOf(cell)]
}

/**
 * Files show it, and its hooks were not through when the node was killed or the host too short for them. It was begun while its
 * gate was open: its hooks are owed whatever has closed since, unless this build does not know what it asks for.
 */
function begunOf(node: NodeState, cell: Cell): readonly Activating[] {
  const {
    ahead,
    state: { floor },
  } = cell
  if (ahead === undefined || !floor.ids.includes(ahead.release)) return []
  if (isUnsupported(node.kept.get(ahead.release)?.release)) return []
  return isDurable(cell) ? [{ release: ahead.release, epoch: ahead.epoch, kind: 'begun' }] : []
}

/** After start `current` must show exactly the active release, unless it shows what is ahead; so, too, after a step back. */
function activeOf({ state: { active }, restoring, stepsBack }: Cell): readonly Activating[] {
  if (active === undefined || !(restoring || stepsBack !== undefined)) return []
  const { release, epoch } = active
  return [{ release, epoch, kind: stepsBack === undefined ? 'restore' : 'fallback' }]
}

/** False where the content is not whole: then nothing is begun. */
function begin(
  node: NodeState,
  step: Step,
  cell: Cell,
  activating: Activating,
  previous: ReleaseId | undefined,
): boolean {
  const { release, kind } = activating
  const after = node.whole.get(release)
  const kept = node.kept.get(release)
  if (after === undefined || kept === undefined) return false
  cell.activating = activating
  step.emit({
    kind: 'activate',
    channel: cell.state.channel,
    release,
    pages: kept.release.header.pages,
    previous,
    ahead: kind === 'restore' ? cell.ahead?.release : undefined,
    after,
    fallback: kind === 'fallback',
  })
  return true
}

/** @returns a release whose stored content is damaged and must be fetched again. */
export function onActivated(node: NodeState, step: Step, event: EventOf<'activated'>): ReleaseId | undefined {
  const cell = node.cells.get(event.channel)
  const under = cell?.activating
  if (cell === undefined || under === undefined || under.release !== event.release) return undefined
  cell.activating = undefined
  const { outcome } = event
  // As wished, and nothing to try again: what counts now is settled next.
  if (under.withdrawn && outcome.kind === 'failed' && outcome.shown !== true) return undefined
  step.emit({ kind: 'count', metric: 'activations', by: 1, label: outcome.kind })
  if (outcome.kind === 'failed') {
    if (outcome.shown === true) inSight(step, cell, under)
    return retryLater(node, step, cell, under, outcome.code, outcome.text)
  }
  cell.retries.delete(under.release)
  cell.restoring = false
  // What files showed ahead of its check is this very one where hooks were cut short before.
  const ahead = cell.ahead?.release === under.release ? undefined : cell.ahead
  const served = cell.stepsBack?.served ?? ahead ?? cell.state.active
  cell.stepsBack = undefined
  if (outcome.kind === 'healthy') healthy(node, step, cell, under)
  else {
    report(step, cell, under.release, outcome.code, outcome.text)
    unhealthy(node, step, cell, under, served)
  }
  return undefined
}

/**
 * Files show it, and its hooks were not through. As after a crash in between: nothing older is shown or served while it is
 * tried again, or cannot be, and what was active before does not soak. A step back has left what failed.
 */
function inSight({ now }: Step, cell: Cell, { release, epoch, kind }: Activating): void {
  if (kind === 'restore') return
  cell.stepsBack = undefined
  // Of a step back the hooks are left: it is active by the record already.
  cell.restoring = kind === 'fallback'
  if (kind === 'fallback') return
  cell.ahead = { release, epoch, activatedAt: now.wallMs, soaked: false }
  cell.soakAtMonoMs = undefined
}

function healthy(node: NodeState, step: Step, cell: Cell, under: Activating): void {
  const { release, epoch, kind } = under
  const isBack = kind === 'fallback'
  if (!isBack && !isOfNewest(cell, release)) cell.lastError = undefined
  if (!isBack) cell.relapsed = undefined
  if (kind === 'restore') {
    clearFailure(node, step, cell, release)
    return scheduleSoak(node, step, cell)
  }
  setActive(node, step, cell, under, isBack)
  const kept = node.kept.get(release)
  const text = isBack ? 'back on the last release that was healthy here' : `active in epoch ${epoch}`
  step.emit({
    kind: 'note',
    level: 'info',
    code: 'RELEASE_ACTIVE',
    text,
    channel: cell.state.channel,
    release,
  })
  if (kept !== undefined && !isBack) observeDelay(node, step, 'publish_to_active', kept.release.header)
}

/**
 * What stayed although its check failed, for want of anything to go back to, has passed it after a start: the check was wrong,
 * or what it asks was not up yet. Where files show what is ahead nothing was checked.
 */
function clearFailure(node: NodeState, step: Step, cell: Cell, release: ReleaseId): void {
  const kept = node.kept.get(release)
  if (kept === undefined || cell.ahead !== undefined) return
  const state = passed(cell.state, kept.release)
  if (state === cell.state) return
  cell.state = state
  persistRecord(node, step, cell)
}

/** What keeps the newest back is said on, whatever else is in order meanwhile. */
const isOfNewest = ({ lastError, state: { floor } }: Cell, active: ReleaseId): boolean =>
  lastError?.release !== undefined && lastError.release !== active && floor.ids.includes(lastError.release)

function unhealthy(
  node: NodeState,
  step: Step,
  cell: Cell,
  under: Activating,
  served: ActiveRecord | undefined,
): void {
  if (under.kind === 'restore') {
    cell.relapsed = under.release
    return
  }
  if (under.kind === 'fallback') return setActive(node, step, cell, under, false)
  cell.state = failed(cell.state, under.release, MAX_FAILED)
  const { epoch } = cell
  const release = fallbackOf(cell.state, under.release, epoch)
  if (release !== undefined && node.kept.has(release)) {
    const back: Activating = { release, epoch, kind: 'fallback' }
    cell.stepsBack = { from: under.release, served }
    // Its content may be read again just now, or fetched: then the step is taken as soon as that is here.
    begin(node, step, cell, back, under.release)
    // Written before it is there: whatever ends the process meanwhile, the next start goes on with it, hooks included.
    return setActive(node, step, cell, back, true)
  }
  // Nothing to go back to: the failed one stays in place, and its state says so.
  setActive(node, step, cell, under, false)
}

/** A root ended the epoch that a step back would lead into: what failed stays, and its state says so. */
function stayInEnded(node: NodeState, step: Step, cell: Cell): void {
  const { active } = cell.state
  if (cell.stepsBack === undefined || active === undefined || active.epoch === cell.epoch) return
  const { from } = cell.stepsBack
  cell.stepsBack = undefined
  setActive(node, step, cell, { release: from, epoch: active.epoch, kind: 'target' }, false)
}

/** What failed here does not come back under another id, as the root that ends its epoch is handed out. */
function carryFailure(node: NodeState, step: Step, cell: Cell): void {
  const target = targetOf(cell.state.floor)
  const kept = target === undefined ? undefined : node.kept.get(target)
  if (kept === undefined || !isDurable(cell)) return
  const { release } = kept
  const state = failedAnew(cell.state, release, MAX_FAILED)
  if (state === cell.state) return
  const isCarried = state.failed !== cell.state.failed
  cell.state = state
  // Else written with what becomes active next.
  if (!isCarried) return
  persistRecord(node, step, cell)
  const text =
    'it failed its health check here before the root changed; what is active stays; once more, by --again, it is tried'
  report(step, cell, release.id, 'ACTIVATE_UNHEALTHY', text)
}

function setActive(node: NodeState, step: Step, cell: Cell, under: Activating, isSoaked: boolean): void {
  const { release, epoch } = under
  const active = { release, epoch, activatedAt: step.now.wallMs, soaked: isSoaked }
  cell.state = activated(cell.state, active, node.config.limits.maxHistory)
  cell.overtaken = false
  cell.ahead = undefined
  persistRecord(node, step, cell)
  scheduleSoak(node, step, cell)
}

/** Again later, ever more slowly. Damaged content is fetched again first. */
function retryLater(
  node: NodeState,
  step: Step,
  cell: Cell,
  under: Activating,
  code: Code,
  text: string,
): ReleaseId | undefined {
  report(step, cell, under.release, code, text)
  const before = cell.retries.get(under.release)?.delayMs ?? RETRY_MIN_MS / 2
  const delayMs = Math.min(RETRY_MAX_MS, before * 2)
  const atMonoMs = step.now.monoMs + Math.round(delayMs * (0.75 + node.config.random() / 2))
  const { floor, active } = cell.state
  for (const id of cell.retries.keys())
    if (!floor.ids.includes(id) && id !== active?.release) cell.retries.delete(id)
  cell.retries.set(under.release, { atMonoMs, delayMs })
  step.wakeAt(atMonoMs)
  if (!DAMAGED.has(code)) return undefined
  node.whole.delete(under.release)
  step.emit({ kind: 'persist', ticket: step.nextTicket(), writes: mending(node, under.release), sync: true })
  return under.release
}

/** What could not be had is here after all; what else keeps it back is told once more. */
export function cameAfterAll(cell: Cell, release: ReleaseId): void {
  const { lastError } = cell
  if (lastError?.code !== 'FETCH_UNAVAILABLE' || lastError.release !== release) return
  cell.lastError = undefined
  cell.toldGate = undefined
}

export function persistRecord(node: NodeState, step: Step, cell: Cell): void {
  const ticket = step.nextTicket()
  // While its floor is not on disk yet, what that ends stays: a start would find the one before, and what it names gone.
  const writes = [recordWrite(cell), ...(isDurable(cell) ? dropUnneeded(node, cell) : [])]
  step.emit({ kind: 'persist', ticket, writes, sync: true })
}

function scheduleSoak(node: NodeState, step: Step, cell: Cell): void {
  const { active, failed: bad } = cell.state
  cell.soakAtMonoMs = undefined
  // Files may show what is ahead: then nobody uses this one.
  if (active === undefined || active.soaked || bad.includes(active.release) || cell.ahead !== undefined)
    return
  cell.soakAtMonoMs = step.now.monoMs + node.config.soakMs
  step.wakeAt(cell.soakAtMonoMs)
}

/**
 * Soak over, retries due, gates that close or open by the clock; asks for the next wake of each channel. Those at rest, or
 * whose time has not come, are not looked at: ticks come every few milliseconds while content does, and where the disk for
 * files is full tens of thousands of channels wait to be tried again.
 */
export function tickActivations(node: NodeState, step: Step): void {
  if (isRootOver(node, step.now.wallMs) !== node.rootOver) settleAll(node, step)
  const { monoMs } = step.now
  for (const [cell, due] of node.due) {
    if (isDue(due, step.now)) {
      endSoak(node, step, cell)
      settleCell(node, step, cell)
    }
    const atMonoMs = node.due.get(cell)?.atMonoMs
    if (atMonoMs !== undefined && monoMs < atMonoMs && cell.activating === undefined) step.wakeAt(atMonoMs)
  }
}

/** What is under way may be shown already: only where that touched nothing does the soak go on. */
function endSoak(node: NodeState, step: Step, cell: Cell): void {
  if (cell.soakAtMonoMs === undefined || cell.activating !== undefined) return
  if (step.now.monoMs < cell.soakAtMonoMs) return
  cell.soakAtMonoMs = undefined
  cell.state = soaked(cell.state)
  persistRecord(node, step, cell)
}
