/**
 * Changes of a trust root, each a pure step from version N to N+1 that raises epochs by itself where it takes
 * authority away. They throw MeshError USAGE for what makes no sense; `checkRoot` and `checkSuccession` stay the judges.
 */
import { formatTime } from '../codec/json-fields.ts'
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { KeyId, Name, Pattern, PeerId } from '../model/ids.ts'
import type { PublicKey, Publisher, Role, TrustRoot } from '../model/root.ts'
import { byName, raiseEpochs, roomier, successor } from './successor.ts'

export interface PublisherSpec {
  readonly name: Name
  readonly keys: readonly PublicKey[]
  readonly threshold: number
  readonly patterns: readonly Pattern[]
}

/** `replace`: what was there under this name goes; where that takes authority away, epochs rise. */
export function addPublisher(root: TrustRoot, spec: PublisherSpec, options: { replace: boolean }): TrustRoot {
  if (root.publishers.has(spec.name) && !options.replace) {
    throw usage(`publisher ${spec.name} is there already; --replace puts this one in its place`)
  }
  const publishers = byName([...root.publishers.values()].filter(isNot(spec.name)).concat(asPublisher(spec)))
  return successor(root, { publishers, newKeys: spec.keys })
}

export function removePublisher(root: TrustRoot, name: Name): TrustRoot {
  existing(root, name)
  return successor(root, { publishers: byName([...root.publishers.values()].filter(isNot(name))) })
}

/** Both at once where wanted: the way to replace a stolen key. */
export function changePublisherKeys(
  root: TrustRoot,
  name: Name,
  change: { readonly add: readonly PublicKey[]; readonly remove: readonly KeyId[] },
): TrustRoot {
  const publisher = existing(root, name)
  const keys = changedKeys(publisher.keys, change.add, change.remove, `publisher ${name}`)
  return withPublisher(
    root,
    { ...publisher, ...metBy(keys, publisher.threshold, `publisher ${name}`) },
    change.add,
  )
}

export function addRootKey(root: TrustRoot, key: PublicKey): TrustRoot {
  const keys = changedKeys(root.root.keys, [key], [], 'the root role')
  return successor(root, { root: { ...root.root, keys }, newKeys: [key] })
}

export function removeRootKey(root: TrustRoot, key: KeyId): TrustRoot {
  const keys = changedKeys(root.root.keys, [], [key], 'the root role')
  return successor(root, { root: { ...root.root, ...metBy(keys, root.root.threshold, 'the root role') } })
}

export function addAdmissionKey(root: TrustRoot, key: PublicKey): TrustRoot {
  const keys = changedKeys(root.admission.keys, [key], [], 'admission')
  return successor(root, { admission: { ...root.admission, keys }, newKeys: [key] })
}

export function removeAdmissionKey(root: TrustRoot, key: KeyId): TrustRoot {
  const keys = changedKeys(root.admission.keys, [], [key], 'admission')
  return successor(root, { admission: { ...root.admission, keys } })
}

/** Of the root role, or of a publisher. */
export function setThreshold(root: TrustRoot, threshold: number, publisher?: Name): TrustRoot {
  if (publisher === undefined) {
    return successor(root, { root: { ...root.root, ...metBy(root.root.keys, threshold, 'the root role') } })
  }
  const old = existing(root, publisher)
  return withPublisher(root, { ...old, ...metBy(old.keys, threshold, `publisher ${publisher}`) }, [])
}

export interface FreshnessChange {
  readonly add: readonly PublicKey[]
  readonly remove: readonly KeyId[]
  readonly maxAgeS?: number
  readonly maxSkewS?: number
}

export function setFreshness(root: TrustRoot, change: FreshnessChange): TrustRoot {
  const { keys: old, maxAgeS, maxSkewS } = root.freshness
  const keys = changedKeys(old, change.add, change.remove, 'freshness')
  const freshness = {
    ...root.freshness,
    keys,
    maxAgeS: change.maxAgeS ?? maxAgeS,
    maxSkewS: change.maxSkewS ?? maxSkewS,
  }
  return successor(root, { freshness, newKeys: change.add })
}

/**
 * One that is removed already gets a later end, or none.
 * @param until end of the node's certificate, milliseconds since 1970; the entry may go 7 days after it
 * @param exactly an earlier end counts, too
 */
export function removeNode(root: TrustRoot, id: PeerId, until?: number, exactly = false): TrustRoot {
  const { peers } = root.removed
  const old = peers.find((peer) => peer.id === id)
  requireNews(old, until, exactly, `node ${id}`)
  const all = [...peers.filter((other) => other !== old), withEnd(old ?? { id }, until)]
  return successor(root, {
    removed: { ...root.removed, peers: all.sort((a, b) => (a.id < b.id ? -1 : 1)) },
  })
}

/** As `removeNode`; of a pool's key there may be certificates with several ends. */
export function removePool(root: TrustRoot, key: KeyId, until?: number, exactly = false): TrustRoot {
  const { pools } = root.removed
  const old = pools.find((pool) => pool.key === key)
  requireNews(old, until, exactly, `pool ${key}`)
  const all = [...pools.filter((other) => other !== old), withEnd(old ?? { key }, until)]
  return successor(root, {
    removed: { ...root.removed, pools: all.sort((a, b) => (a.key < b.key ? -1 : 1)) },
  })
}

function requireNews(
  old: Removal | undefined,
  until: number | undefined,
  exactly: boolean,
  what: string,
): void {
  if (old === undefined) return
  const [is, will] = [old, { until }].map((one) => one.until ?? Number.POSITIVE_INFINITY) as [number, number]
  if (exactly ? will === is : will <= is)
    throw usage(`${what} is removed already; --until DATE sets another end`)
}

/** What else a newer build says of it stays. */
function withEnd<T extends Removal>(entry: T, until: number | undefined): T {
  const { until: _, ...rest } = entry
  return (until === undefined ? rest : { ...rest, until }) as T
}

export const raiseEpoch = (root: TrustRoot, pattern: Pattern): TrustRoot =>
  successor(root, { raise: [pattern] })

/** A root that is not handed out yet, with a new epoch for these patterns, too. */
export const alsoRaised = (next: TrustRoot, patterns: readonly Pattern[]): TrustRoot =>
  patterns.length === 0 ? next : { ...next, epochs: raiseEpochs(next.epochs, patterns, next.version) }

/** @param expires milliseconds since 1970 */
export const renew = (root: TrustRoot, expires: number): TrustRoot => successor(root, { expires })

/** A removed node whose certificate ended this long ago can come back by no clock error that admission tolerates. */
const REMOVED_KEPT_MS = 7 * 24 * 3_600_000

/** Of a node or a pool. */
export interface Removal {
  /** End of its certificate, milliseconds since 1970. */
  readonly until?: number | undefined
}

/** Whether an entry still keeps somebody out; one without an end does for ever. */
export const keepsOut = ({ until }: Removal, nowMs: number): boolean =>
  until === undefined || until + REMOVED_KEPT_MS > nowMs

/** Drops entries that no longer keep anybody out. Same version. */
export function dropEndedRemovals(root: TrustRoot, nowMs: number): TrustRoot {
  const holds = (entry: Removal): boolean => keepsOut(entry, nowMs)
  const { peers, pools } = root.removed
  return { ...root, removed: { ...root.removed, peers: peers.filter(holds), pools: pools.filter(holds) } }
}

/** A new entry that would be dropped with the change that makes it shuts nobody out. @throws MeshError USAGE */
export function requireKept(old: TrustRoot, edited: TrustRoot, nowMs: number): void {
  const before = removalsOf(old)
  for (const [who, entry] of removalsOf(edited)) {
    if (before.has(who) || entry.until === undefined || keepsOut(entry, nowMs)) continue
    throw usage(
      `${who} would not be shut out: its end is ${formatTime(entry.until)}, and a week after that the entry is dropped; name the true end, or none (a pool by the digest of its key), and it stays`,
    )
  }
}

const removalsOf = ({ removed: { peers, pools } }: TrustRoot): ReadonlyMap<string, Removal> =>
  new Map<string, Removal>([
    ...peers.map((peer) => [`node ${peer.id}`, peer] as const),
    ...pools.map((pool) => [`pool ${pool.key}`, pool] as const),
  ])

/** Once those that have ended are gone. @throws MeshError USAGE where more are shut out, or have an epoch, than a root may name */
export function requireRoom({ removed, version, epochs }: TrustRoot, limits: Limits): void {
  const { maxRemoved, maxEpochs } = limits
  if (epochs.length > maxEpochs)
    throw usage(
      `root ${version} would have ${epochs.length} epochs, and may ${maxEpochs}; raise with this change, too, a pattern that takes the place of several: --raise '${roomier(epochs, maxEpochs)}' (trust rotate: without --seed); all channels that it matches need a release under the new root then`,
    )
  const lists = [
    ['nodes', removed.peers.length, 'remove-node PEER'],
    ['pools', removed.pools.length, 'remove-pool DIGEST'],
  ] as const
  for (const [what, count, command] of lists)
    if (count > maxRemoved)
      throw usage(
        `root ${version} would shut out ${count} ${what}, and may ${maxRemoved}; give those whose certificates have ended their end, a week after which they are dropped: confmesh trust ${command} --until DATE`,
      )
}

export function asPublisher(spec: PublisherSpec): Publisher {
  const what = `publisher ${spec.name}`
  const keys = changedKeys([], spec.keys, [], what)
  return {
    name: spec.name,
    ...metBy(keys, spec.threshold, what),
    patterns: [...new Set(spec.patterns)].sort(),
  }
}

const isNot =
  (name: Name) =>
  (publisher: Publisher): boolean =>
    publisher.name !== name

function withPublisher(root: TrustRoot, publisher: Publisher, newKeys: readonly PublicKey[]): TrustRoot {
  const others = [...root.publishers.values()].filter(isNot(publisher.name))
  return successor(root, { publishers: byName([...others, publisher]), newKeys })
}

function existing(root: TrustRoot, name: Name): Publisher {
  const publisher = root.publishers.get(name)
  if (publisher !== undefined) return publisher
  const known = [...root.publishers.keys()].join(', ') || 'none'
  throw usage(`there is no publisher ${name}; the root names: ${known}`)
}

function changedKeys(
  old: readonly KeyId[],
  add: readonly PublicKey[],
  remove: readonly KeyId[],
  what: string,
): readonly KeyId[] {
  const keys = new Set(old)
  for (const id of remove) {
    if (!keys.delete(id)) throw usage(`key ${id.slice(0, 12)} is none of ${what}`)
  }
  for (const { id } of add) {
    if (keys.has(id)) throw usage(`key ${id.slice(0, 12)} stands in ${what} already`)
    keys.add(id)
  }
  return [...keys].sort()
}

export function metBy(keys: readonly KeyId[], threshold: number, what: string): Role {
  if (Number.isSafeInteger(threshold) && threshold >= 1 && threshold <= keys.length)
    return { keys, threshold }
  throw usage(
    `${what} would need ${threshold} signatures of ${keys.length} keys; a threshold is 1 to that number`,
  )
}

function usage(text: string): MeshError {
  return new MeshError('USAGE', text)
}
