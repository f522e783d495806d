import { asJson } from '../codec/extra.ts'
import { formatTime } from '../codec/json-fields.ts'
import type { Extra } from '../model/extra.ts'
import type { EpochEntry, Publisher, Role, TrustRoot } from '../model/root.ts'
import { keepsOut, type Removal } from './edit.ts'

/** What the next root changes, for whom, and which channels get a new epoch: one sentence a line, for people to agree to. */
export function describeChange(old: TrustRoot, next: TrustRoot, nowMs: number): string[] {
  return [
    `root ${old.version} -> ${next.version} of fleet ${next.fleetId.slice(0, 12)}`,
    ...describeRole('the root role', old.root, next.root),
    ...describePublishers(old, next),
    ...describeKeys('admission', old.admission.keys, next.admission.keys),
    ...describeFreshness(old, next),
    ...describeRemoved(old, next, nowMs),
    ...(old.expires === next.expires
      ? []
      : [`expires ${formatTime(old.expires)} -> ${formatTime(next.expires)}`]),
    ...describeEpochs(old, next),
    ...describeUnknown(old, next),
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

function describeRemoved({ removed: old }: TrustRoot, { removed: next }: TrustRoot, nowMs: number): string[] {
  const peers = (all: typeof old.peers) => new Map<string, Removal>(all.map((one) => [one.id, one]))
  const pools = (all: typeof old.pools) => new Map<string, Removal>(all.map((one) => [one.key, one]))
  const node = { name: (id: string) => `node ${id}`, out: 'is shut out', ended: 'its certificate has ended' }
  const pool = {
    name: (key: string) => `pool ${key.slice(0, 12)}`,
    out: 'is shut out with all its members',
    ended: 'it has ended',
  }
  return [
    ...describeRemovals(node, peers(old.peers), peers(next.peers), nowMs),
    ...describeRemovals(pool, pools(old.pools), pools(next.pools), nowMs),
  ]
}

interface Words {
  readonly name: (id: string) => string
  readonly out: string
  readonly ended: string
}

/** An entry that goes before its time lets somebody in again: nobody is to sign that as tidying up. */
function describeRemovals(
  { name, out, ended }: Words,
  old: ReadonlyMap<string, Removal>,
  next: ReadonlyMap<string, Removal>,
  nowMs: number,
): string[] {
  const come = [...next.keys()].filter((id) => !old.has(id)).map((id) => `${name(id)} ${out}`)
  const others = [...old].flatMap(([id, before]) => {
    const after = next.get(id)
    if (after === undefined)
      return keepsOut(before, nowMs)
        ? [`${name(id)} IS LET IN AGAIN`]
        : [`${name(id)}: ${ended}, the entry is dropped`]
    return before.until === after.until ? [] : [`${name(id)} ${out}: ${end(before)} -> ${end(after)}`]
  })
  return [...come, ...others]
}

const end = ({ until }: Removal): string => (until === undefined ? 'for ever' : `until ${formatTime(until)}`)

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

/** Nobody is to sign unawares what only a newer build can read. What goes with a part that is gone was said with it. */
function describeUnknown(old: TrustRoot, next: TrustRoot): string[] {
  const before = partsOf(old)
  const changed = [...partsOf(next)].flatMap(([part, after]) => {
    const [was, is] = [namesIn(before.get(part)), namesIn(after)]
    const names = [...new Set([...was.keys(), ...is.keys()])]
    return names.filter((name) => was.get(name) !== is.get(name)).map((name) => `${part}${name}`)
  })
  if (changed.length === 0) return []
  const shown = changed.length > MAX_SHOWN ? [...changed.slice(0, MAX_SHOWN), 'and others'] : changed
  const names = shown.map((name) => name.slice(0, MAX_SHOWN_CHARS)).join(', ')
  return [`IT SAYS SOMETHING THAT THIS BUILD DOES NOT KNOW (${names}); sign it with the newer build`]
}

/** Of names that this build does not know; more make a line that nobody reads. */
const MAX_SHOWN = 8
const MAX_SHOWN_CHARS = 100

/** What it says of each, as text. */
const namesIn = (extra: Extra | undefined): ReadonlyMap<string, string> =>
  new Map(
    extra === undefined
      ? []
      : Object.entries(asJson.unpack(extra) as object).map(([name, value]) => [name, JSON.stringify(value)]),
  )

/** Each part of a root that may hold names of a newer build, and what it holds. */
function partsOf(root: TrustRoot): ReadonlyMap<string, Extra | undefined> {
  const { removed, admission, freshness } = root
  const each = <T extends { readonly extra?: Extra }>(
    what: string,
    all: Iterable<T>,
    named: (part: T) => string,
  ) => [...all].map((part) => [`${what} ${named(part)} `, part.extra] as const)
  return new Map([
    ['', root.extra],
    ['role ', root.otherRoles],
    ['root role ', root.root.extra],
    ['admission ', admission.extra],
    ['freshness ', freshness.extra],
    ['removed ', removed.extra],
    ...each('key', root.keys.values(), ({ id }) => id),
    ...each('publisher', root.publishers.values(), ({ name }) => name),
    ...each('epoch', root.epochs, ({ pattern }) => pattern),
    ...each('node', removed.peers, ({ id }) => id),
    ...each('pool', removed.pools, ({ key }) => key),
  ])
}
