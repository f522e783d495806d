/** What one trust root must hold by itself, beyond its form. */
import { MeshError } from '../errors.ts'
import type { KeyId } from '../model/ids.ts'
import type { Role, TrustRoot } from '../model/root.ts'
import { sha256 } from './digest.ts'

const invalid = (at: string, reason: string): MeshError =>
  new MeshError('TRUST_ROOT_INVALID', `root.${at}: ${reason}`)

function checkDistinct(at: string, values: readonly string[]): void {
  if (new Set(values).size !== values.length) throw invalid(at, 'an entry stands twice')
}

/** Distinct, ascending and each in the table: one key listed twice would count twice towards a threshold. */
function checkKeys(at: string, keys: readonly KeyId[], root: TrustRoot): void {
  checkDistinct(at, keys)
  for (const [index, key] of keys.entries()) {
    if (!root.keys.has(key)) throw invalid(at, `key ${key.slice(0, 12)} is not among root.keys`)
    if (index > 0 && key < (keys[index - 1] as KeyId)) throw invalid(at, 'keys do not ascend')
  }
}

function checkRole(at: string, role: Role, root: TrustRoot): void {
  checkKeys(`${at}.keys`, role.keys, root)
  if (role.threshold < 1 || role.threshold > role.keys.length)
    throw invalid(
      `${at}.threshold`,
      `${role.threshold} of ${role.keys.length} keys; it is 1 to the number of keys`,
    )
}

function checkEpochs(root: TrustRoot): void {
  checkDistinct(
    'epochs',
    root.epochs.map(({ pattern }) => pattern),
  )
  for (const { pattern, value } of root.epochs)
    if (value > root.version) throw invalid('epochs', `${pattern} has epoch ${value}, above this version`)
}

/** @throws MeshError TRUST_ROOT_INVALID */
export function checkRoot(root: TrustRoot): void {
  for (const [id, key] of root.keys)
    if (sha256(key.spki) !== (id as string))
      throw invalid(`keys.${id.slice(0, 12)}`, "the name is not the digest of the key's SPKI")
  checkRole('roles.root', root.root, root)
  for (const [name, publisher] of root.publishers) {
    checkRole(`publishers.${name}`, publisher, root)
    checkDistinct(`publishers.${name}.patterns`, publisher.patterns)
  }
  checkKeys('admission.keys', root.admission.keys, root)
  checkKeys('freshness.keys', root.freshness.keys, root)
  checkEpochs(root)
  checkDistinct(
    'removed.peers',
    root.removed.peers.map(({ id }) => id),
  )
  checkDistinct(
    'removed.pools',
    root.removed.pools.map(({ key }) => key),
  )
}
