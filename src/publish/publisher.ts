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
  const whose = by.keys.map((key) => key.slice(0, 12)).join(', ')
  const what =
    by.name === undefined ? `no publisher has the key ${whose}` : `publisher ${by.name} has no such key`
  throw refused(`${what} in root ${root.version}; add it with: confmesh trust add-publisher`)
}

/** Before anything is built or sent. @throws MeshError TRUST_UNAUTHORISED */
export function requireThreshold({ publisher }: Speaker, signers: number): void {
  if (signers < publisher.threshold)
    throw refused(
      `publisher ${publisher.name} needs ${publisher.threshold} signatures, ${signers} at hand; name more keys, or use --prepare and confmesh sign`,
    )
}

const refused = (text: string): MeshError => new MeshError('TRUST_UNAUTHORISED', text)
