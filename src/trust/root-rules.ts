import { MeshError } from '../errors.ts'
import type { Pattern } from '../model/ids.ts'
import { covers, overlaps } from '../model/pattern.ts'
import type { EpochEntry, Publisher, TrustRoot } from '../model/root.ts'
import { importPublicKey } from './public-key.ts'

/**
 * What a root must be by itself beyond its form, which `decodeRoot` checks: each key of a type we know, in its one
 * encoding, strong, under its own id.
 * @throws MeshError TRUST_ROOT_INVALID
 */
export function checkRoot(root: TrustRoot): void {
  for (const [id, { spki, type }] of root.keys) {
    const key = importPublicKey(spki)
    if (key.id !== id) throw invalid(root, `key ${id.slice(0, 12)} stands under another key's id`)
    if (key.type !== type) throw invalid(root, `key ${id.slice(0, 12)} is ${key.type}, not ${type}`)
  }
}

/**
 * N → N+1, beyond signatures: no channel's epoch falls, and whoever loses authority does so under a new epoch, so
 * that what was authorised within an epoch stays so until the epoch ends.
 * @throws MeshError TRUST_ROOT_INVALID, TRUST_ROOT_NARROWS
 */
export function checkSuccession(old: TrustRoot, next: TrustRoot): void {
  if (next.version !== old.version + 1) throw invalid(next, `it does not follow version ${old.version}`)
  if (next.fleetId !== old.fleetId) throw invalid(next, 'it is the root of another fleet')
  for (const { pattern, value } of old.epochs) {
    const kept = next.epochs.some((entry) => entry.value >= value && covers(entry.pattern, pattern))
    if (!kept) throw invalid(next, `the epoch of ${pattern} falls below ${value}`)
  }
  for (const { pattern, value } of next.epochs) {
    const had = old.epochs.some((entry) => entry.pattern === pattern && entry.value === value)
    if (!had && value !== next.version) {
      throw invalid(next, `the new epoch of ${pattern} is ${value}, not this root's version`)
    }
  }
  for (const publisher of narrowed(old, next)) checkRaised(publisher, next)
}

/**
 * What a root that follows one of two roots of a version must raise to follow the other, too: to either of them an epoch of the
 * other is neither its own nor new; and whoever loses authority there does so under a new epoch.
 */
export function toFollow(other: TrustRoot, own: TrustRoot, next: TrustRoot): readonly Pattern[] {
  const has = ({ epochs }: TrustRoot, { pattern, value }: EpochEntry) =>
    epochs.some((entry) => entry.pattern === pattern && entry.value === value)
  const alone = [
    ...own.epochs.filter((entry) => !has(other, entry)),
    ...other.epochs.filter((entry) => !has(own, entry)),
  ].map(({ pattern }) => pattern)
  const losing = narrowed(other, next).flatMap(({ patterns }) => patterns)
  return [...new Set([...alone, ...losing])].sort()
}

/**
 * What has to be raised before nodes of another line of roots begin anew under the newest: they keep their floors, which stand
 * above whatever is to come where that line alone raised an epoch, or where who published there counts no more.
 */
export function toOutrank(other: TrustRoot, newest: TrustRoot): readonly Pattern[] {
  const epochUnder = (pattern: Pattern) =>
    Math.max(1, ...other.epochs.filter((entry) => overlaps(entry.pattern, pattern)).map(({ value }) => value))
  const ended = narrowed(other, newest)
    .flatMap(({ patterns }) => patterns)
    .map((pattern) => ({ pattern, value: epochUnder(pattern) + 1 }))
  const isRaised = ({ pattern, value }: EpochEntry) =>
    newest.epochs.some((entry) => covers(entry.pattern, pattern) && entry.value >= value)
  const lacking = [...other.epochs, ...ended].filter((entry) => !isRaised(entry))
  return [...new Set(lacking.map(({ pattern }) => pattern))].sort()
}

/** Publishers of `old` that lost a key, a pattern or their place, or need more signatures than before. */
export function narrowed(old: TrustRoot, next: TrustRoot): Publisher[] {
  return [...old.publishers.values()].filter((before) => isNarrower(before, next.publishers.get(before.name)))
}

function isNarrower(before: Publisher, after: Publisher | undefined): boolean {
  if (after === undefined || after.threshold > before.threshold) return true
  if (before.keys.some((key) => !after.keys.includes(key))) return true
  return before.patterns.some((pattern) => !after.patterns.some((kept) => covers(kept, pattern)))
}

function checkRaised(publisher: Publisher, next: TrustRoot): void {
  for (const pattern of publisher.patterns) {
    const raised = next.epochs.some((entry) => entry.value === next.version && covers(entry.pattern, pattern))
    if (raised) continue
    throw new MeshError(
      'TRUST_ROOT_NARROWS',
      `root ${next.version} takes authority from publisher ${publisher.name} without a new epoch for ${pattern}; add an epoch of ${next.version} for it`,
      { version: next.version, publisher: publisher.name, pattern },
    )
  }
}

function invalid(root: TrustRoot, what: string): MeshError {
  return new MeshError('TRUST_ROOT_INVALID', `root ${root.version} is invalid: ${what}`, {
    version: root.version,
  })
}
