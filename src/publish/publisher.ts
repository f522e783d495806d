/** Which publisher of the trust root the keys at hand speak for. */
import { MeshError } from '../errors.ts'
import type { Channel, KeyId, Name } from '../model/ids.ts'
import { matchesAny } from '../model/pattern.ts'
import type { PublicKey, Publisher, TrustRoot } from '../model/root.ts'

export interface Speaker {
  readonly publisher: Publisher
  readonly keys: readonly PublicKey[]
}

export interface By {
  /** Ids known beforehand; a signing command's is not. */
  readonly keys: readonly KeyId[]
  readonly name: Name | undefined
}

/** @throws MeshError TRUST_UNAUTHORISED (no publisher, another's channel), USAGE (several fit) */
export function speakerFor(root: TrustRoot, channel: Channel, by: By): Speaker {
  const owners = ownersOf(root, by)
  const fitting = owners.filter(({ patterns }) => matchesAny(patterns, channel))
  const [publisher] = fitting
  if (publisher === undefined) {
    const names = owners.map(({ name, patterns }) => `${name} (${patterns.join(', ')})`).join('; ')
    throw refused(`${channel} is none of the channels of publisher ${names}`)
  }
  if (fitting.length > 1)
    throw new MeshError(
      'USAGE',
      `publishers ${fitting.map(({ name }) => name).join(', ')} fit; choose one by --publisher`,
    )
  const keys = publisher.keys.map((id) => root.keys.get(id)).filter((key) => key !== undefined)
  return { publisher, keys }
}

/** Publishers with all of these keys. @throws MeshError TRUST_UNAUTHORISED where there is none */
export function ownersOf(root: TrustRoot, by: By): readonly Publisher[] {
  const all = [...root.publishers.values()].filter(({ name }) => by.name === undefined || name === by.name)
  const owners = all.filter(({ keys }) => by.keys.every((key) => keys.includes(key)))
  if (owners.length > 0) return owners
  throw refused(whyNone(root, by))
}

/** Each with the change that it asks for, if any: a key that left, perhaps as stolen, is not to come back by following advice. */
function whyNone({ publishers, version }: TrustRoot, { keys, name }: By): string {
  const all = [...publishers.values()]
  if (all.length === 0) return `root ${version} has no publisher; add one with: confmesh trust add-publisher`
  const having = (key: KeyId) => all.filter((one) => one.keys.includes(key)).map((one) => one.name)
  if (name !== undefined) {
    const own = publishers.get(name)
    if (own === undefined)
      return `root ${version} has no publisher ${name}, but ${all.map((one) => one.name).join(', ')}`
    const foreign = keys.filter((key) => !own.keys.includes(key))
    return `publisher ${name} has no key ${foreign.map(brief).join(', ')} in root ${version}; use one that it has, or add a new one with: confmesh trust rotate ${name} --add-key FILE`
  }
  const unknown = keys.filter((key) => having(key).length === 0)
  if (unknown.length > 0)
    return `no publisher has the key ${unknown.map(brief).join(', ')} in root ${version}; use the publisher's present key, or add a new one with: confmesh trust rotate PUBLISHER --add-key FILE (a new publisher: confmesh trust add-publisher)`
  const owned = keys.map((key) => `${brief(key)} of ${having(key).join(', ')}`).join('; ')
  return `no publisher has all of these keys in root ${version} (${owned}); name those of one`
}

const brief = (key: KeyId): string => key.slice(0, 12)

/** For what is published from files: by one command, or by each holder of a key in turn. */
const ONE_BY_ONE = 'publish the files by: confmesh publish --prepare, then confmesh sign'

/**
 * Before anything is built or sent.
 * @param instead the way of whoever has no more keys
 * @throws MeshError TRUST_UNAUTHORISED
 */
export function requireThreshold({ publisher }: Speaker, signers: number, instead = ONE_BY_ONE): void {
  if (signers < publisher.threshold)
    throw refused(
      `publisher ${publisher.name} needs ${publisher.threshold} signatures, ${signers} at hand; name more keys, or ${instead}`,
    )
}

const refused = (text: string): MeshError => new MeshError('TRUST_UNAUTHORISED', text)
