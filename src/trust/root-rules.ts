import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { covers } from '../model/pattern.ts'
import type { Publisher, Role, TrustRoot } from '../model/root.ts'
import { importPublicKey } from './public-key.ts'

/**
 * What a root must be by itself, beyond its syntax: strong keys under their own ids, each once in a role, thresholds
 * that can be met, epochs that are not of the future.
 * @throws MeshError TRUST_ROOT_INVALID
 */
export function checkRoot(root: TrustRoot, limits: Limits): void {
  for (const [id, { spki }] of root.keys) {
    if (importPublicKey(spki).id !== id) throw invalid(root, `key ${short(id)} stands under another id`)
  }
  checkRole(root, 'the root role', root.root, limits)
  for (const publisher of root.publishers.values()) {
    checkRole(root, `publisher ${publisher.name}`, publisher, limits)
    const patterns = publisher.patterns.length
    if (patterns === 0 || patterns > limits.maxPatternsPerPublisher) {
      throw invalid(
        root,
        `publisher ${publisher.name} has ${patterns} patterns; 1 to ${limits.maxPatternsPerPublisher}`,
      )
    }
  }
  checkKeys(root, 'admission', root.admission.keys, limits)
  checkKeys(root, 'freshness', root.freshness.keys, limits)
  checkNumbers(root, limits)
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

function checkRole(root: TrustRoot, what: string, role: Role, limits: Limits): void {
  checkKeys(root, what, role.keys, limits)
  const { threshold } = role
  if (!Number.isSafeInteger(threshold) || threshold < 1 || threshold > role.keys.length) {
    throw invalid(root, `${what} needs ${threshold} signatures of ${role.keys.length} keys`)
  }
}

function checkKeys(root: TrustRoot, what: string, keys: Role['keys'], limits: Limits): void {
  if (keys.length > limits.maxKeysPerRole) {
    throw invalid(root, `${what} has ${keys.length} keys; at most ${limits.maxKeysPerRole}`)
  }
  if (new Set(keys).size !== keys.length) throw invalid(root, `${what} names one key twice`)
  const missing = keys.find((id) => !root.keys.has(id))
  if (missing !== undefined)
    throw invalid(root, `${what} names key ${short(missing)}, which it does not hold`)
}

function checkNumbers(root: TrustRoot, limits: Limits): void {
  const { maxAgeS, maxSkewS } = root.freshness
  if (!Number.isSafeInteger(root.version) || root.version < 1) throw invalid(root, 'versions count from 1')
  if (!isCount(maxAgeS, 1) || !isCount(maxSkewS, 0)) throw invalid(root, 'freshness needs whole seconds')
  if (root.publishers.size > limits.maxPublishers) {
    throw invalid(root, `${root.publishers.size} publishers; at most ${limits.maxPublishers}`)
  }
  if (root.epochs.length > limits.maxEpochs) {
    throw invalid(
      root,
      `${root.epochs.length} epochs; at most ${limits.maxEpochs}: raise-epoch '**' sweeps the list`,
    )
  }
  if (root.epochs.some(({ value }) => !isCount(value, 1) || value > root.version)) {
    throw invalid(root, 'an epoch is not one of 1 to its version')
  }
  if (root.removed.peers.length + root.removed.pools.length > limits.maxRemoved) {
    throw invalid(root, `more than ${limits.maxRemoved} removed nodes and pools`)
  }
}

const isCount = (n: number, least: number): boolean => Number.isSafeInteger(n) && n >= least

const short = (id: string): string => id.slice(0, 12)

function invalid(root: TrustRoot, what: string): MeshError {
  return new MeshError('TRUST_ROOT_INVALID', `root ${root.version} is invalid: ${what}`, {
    version: root.version,
  })
}
