import type { KeyId, Name, Pattern } from '../model/ids.ts'
import { covers } from '../model/pattern.ts'
import type { EpochEntry, PublicKey, Publisher, TrustRoot } from '../model/root.ts'
import { narrowed } from './root-rules.ts'

/** What a next root may say differently; the rest follows from it. */
export interface RootChange
  extends Partial<
    Pick<TrustRoot, 'expires' | 'root' | 'publishers' | 'admission' | 'freshness' | 'removed'>
  > {
  /** Keys that the change brings in. */
  readonly newKeys?: readonly PublicKey[]
  /** Patterns that get a new epoch beyond those the change needs. */
  readonly raise?: readonly Pattern[]
}

/**
 * The root after `old`: one version on, with a new epoch for every pattern of a publisher that loses authority, and
 * without keys that no role names any more, as far as this build knows all roles.
 */
export function successor(old: TrustRoot, change: RootChange): TrustRoot {
  const { newKeys = [], raise = [], ...fields } = change
  const version = old.version + 1
  const draft: TrustRoot = { ...old, ...fields, version, critical: [] }
  const losing = narrowed(old, draft).flatMap((publisher) => publisher.patterns)
  return {
    ...draft,
    keys: saysMore(old) ? allKeys(old, newKeys) : keysInUse(draft, [...old.keys.values(), ...newKeys]),
    epochs: raiseEpochs(old.epochs, [...losing, ...raise], version),
  }
}

/** What this build does not know may name keys, as a role of a newer one does: then it takes none out of the table. */
function saysMore(root: TrustRoot): boolean {
  const { removed, keys, publishers, epochs } = root
  const single = [root, root.root, root.admission, root.freshness, removed]
  const listed = [...keys.values(), ...publishers.values(), ...epochs, ...removed.peers, ...removed.pools]
  return root.otherRoles !== undefined || [...single, ...listed].some((part) => 'extra' in part)
}

/** One that stands there already stays as it stands, with what a newer build says of it. */
const allKeys = (old: TrustRoot, newKeys: readonly PublicKey[]): ReadonlyMap<KeyId, PublicKey> =>
  new Map([...newKeys, ...old.keys.values()].map((key) => [key.id, key]))

/** Entries that a raised pattern covers are swept away: the new, higher one holds for all they matched. */
export function raiseEpochs(
  epochs: readonly EpochEntry[],
  patterns: readonly Pattern[],
  value: number,
): EpochEntry[] {
  const distinct = [...new Set(patterns)]
  const widest = distinct.filter((p) => !distinct.some((q) => q !== p && covers(q, p)))
  const kept = epochs.filter(({ pattern }) => !widest.some((raised) => covers(raised, pattern)))
  const raised = widest.map((pattern) => ({ pattern, value }))
  return [...kept, ...raised].sort((a, b) => compareText(a.pattern, b.pattern) || a.value - b.value)
}

/**
 * What to raise so that at most so many entries are left: the narrowest of all patterns above them that makes so much room,
 * since whatever else it covers gets a new epoch, too.
 */
export function roomier(epochs: readonly EpochEntry[], most: number): Pattern {
  const patterns = epochs.map(({ pattern }) => pattern)
  const above = patterns.flatMap((pattern) => {
    const segments = pattern.split('/')
    const at = (depth: number, end: string) => [...segments.slice(0, depth), end].join('/') as Pattern
    return segments.flatMap((_, depth) => [at(depth, '*'), at(depth, '**')])
  })
  const depth = (pattern: Pattern) => pattern.split('/').length
  const isDeep = (pattern: Pattern) => Number(pattern.endsWith('**'))
  const [best] = [...new Set(above)]
    .map((pattern) => ({ pattern, swept: patterns.filter((one) => covers(pattern, one)).length }))
    .filter(({ swept }) => patterns.length - swept + 1 <= most)
    .sort(
      (a, b) =>
        depth(b.pattern) - depth(a.pattern) ||
        isDeep(a.pattern) - isDeep(b.pattern) ||
        a.swept - b.swept ||
        compareText(a.pattern, b.pattern),
    )
  return best?.pattern ?? ('**' as Pattern)
}

export function keysInUse(
  root: Pick<TrustRoot, 'root' | 'publishers' | 'admission' | 'freshness'>,
  keys: readonly PublicKey[],
): ReadonlyMap<KeyId, PublicKey> {
  const used = new Set<KeyId>([...root.root.keys, ...root.admission.keys, ...root.freshness.keys])
  for (const publisher of root.publishers.values()) for (const id of publisher.keys) used.add(id)
  const byId = new Map(keys.map((key) => [key.id, key]))
  const found = [...used].sort().flatMap((id) => byId.get(id) ?? [])
  return new Map(found.map((key) => [key.id, key]))
}

export const byName = (publishers: Iterable<Publisher>): ReadonlyMap<Name, Publisher> =>
  new Map([...publishers].sort((a, b) => compareText(a.name, b.name)).map((one) => [one.name, one]))

/** Code unit order, which is byte order for the ASCII of names and patterns. */
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
