import type { EpochEntry, Publisher, Role, TrustRoot } from '../model/root.ts'

/** What the next root changes, for whom, and which channels get a new epoch: one sentence a line, for people to agree to. */
export function describeChange(old: TrustRoot, next: TrustRoot): string[] {
  return [
    `root ${old.version} -> ${next.version} of fleet ${next.fleetId.slice(0, 12)}`,
    ...describeRole('the root role', old.root, next.root),
    ...describePublishers(old, next),
    ...describeKeys('admission', old.admission.keys, next.admission.keys),
    ...describeFreshness(old, next),
    ...describeRemoved(old, next),
    ...(old.expires === next.expires ? [] : [`expires ${date(old.expires)} -> ${date(next.expires)}`]),
    ...describeEpochs(old, next),
  ]
}

function describeRole(what: string, old: Role, next: Role): string[] {
  const keys = describeKeys(what, old.keys, next.keys)
  if (old.threshold === next.threshold) return keys
  return [...keys, `${what}: threshold ${old.threshold} -> ${next.threshold} of ${next.keys.length} keys`]
}

function describeKeys(what: string, old: readonly string[], next: readonly string[]): string[] {
  const added = next.filter((id) => !old.includes(id)).map((id) => `${what}: key ${id.slice(0, 12)} is added`)
  const gone = old
    .filter((id) => !next.includes(id))
    .map((id) => `${what}: key ${id.slice(0, 12)} is removed`)
  return [...added, ...gone]
}

function describePublishers(old: TrustRoot, next: TrustRoot): string[] {
  const names = new Set([...old.publishers.keys(), ...next.publishers.keys()])
  return [...names].sort().flatMap((name) => {
    const before = old.publishers.get(name)
    const after = next.publishers.get(name)
    const what = `publisher ${name}`
    if (before !== undefined && after !== undefined) return describePublisher(what, before, after)
    if (after === undefined) return [`${what} is removed: it may publish nothing any more`]
    const { threshold, keys, patterns } = after
    return [`${what} is added: ${threshold} of ${keys.length} keys, on ${patterns.join(', ')}`]
  })
}

function describePublisher(what: string, before: Publisher, after: Publisher): string[] {
  const gains = after.patterns.filter((pattern) => !before.patterns.includes(pattern))
  const loses = before.patterns.filter((pattern) => !after.patterns.includes(pattern))
  return [
    ...describeRole(what, before, after),
    ...gains.map((pattern) => `${what} may publish on ${pattern}`),
    ...loses.map((pattern) => `${what} may no longer publish on ${pattern}`),
  ]
}

function describeFreshness(old: TrustRoot, next: TrustRoot): string[] {
  const [a, b] = [old.freshness, next.freshness]
  const lines = describeKeys('freshness', a.keys, b.keys)
  if (a.maxAgeS !== b.maxAgeS)
    lines.push(`freshness: a node is silent after ${a.maxAgeS} s -> ${b.maxAgeS} s`)
  if (a.maxSkewS !== b.maxSkewS)
    lines.push(`freshness: clocks may differ by ${a.maxSkewS} s -> ${b.maxSkewS} s`)
  return lines
}

function describeRemoved(old: TrustRoot, next: TrustRoot): string[] {
  const peers = (root: TrustRoot) => new Set<string>(root.removed.peers.map(({ id }) => id))
  const pools = (root: TrustRoot) => new Set<string>(root.removed.pools.map(({ key }) => key))
  const less = (a: Set<string>, b: Set<string>) => [...a].filter((one) => !b.has(one)).sort()
  return [
    ...less(peers(next), peers(old)).map((id) => `node ${id} is shut out`),
    ...less(peers(old), peers(next)).map(
      (id) => `node ${id}: its certificate has ended, the entry is dropped`,
    ),
    ...less(pools(next), pools(old)).map(
      (key) => `pool ${key.slice(0, 12)} is shut out with all its members`,
    ),
    ...less(pools(old), pools(next)).map(
      (key) => `pool ${key.slice(0, 12)}: it has ended, the entry is dropped`,
    ),
  ]
}

/** Patterns whose channels get a new epoch: what they hold must be issued again. */
export const raisedBy = (old: TrustRoot, next: TrustRoot): readonly EpochEntry[] =>
  next.epochs.filter(
    ({ pattern, value }) => !old.epochs.some((entry) => entry.pattern === pattern && entry.value === value),
  )

function describeEpochs(old: TrustRoot, next: TrustRoot): string[] {
  const raised = raisedBy(old, next)
  if (raised.length === 0) return ['no channel gets a new epoch']
  return raised.map(
    ({ pattern, value }) =>
      `new epoch ${value} for every channel that ${pattern} matches: what is active stays, older releases no longer count, publish there again under this root`,
  )
}

const date = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')
