/**
 * What programs may build on: judging releases and roots offline with the rules that every node applies, and
 * running a node inside one's own process. Applications that only read configuration want `confmesh/client`.
 *
 * @packageDocumentation
 */

export { decodeEnvelope, encodeEnvelope } from './codec/envelope.ts'
export { decodeHeader, encodeHeader } from './codec/header.ts'
export { decodeRoot, encodeRoot } from './codec/root.ts'
export { loadConfig, type NodeConfig, type Overrides } from './daemon/config.ts'
export type { Where } from './daemon/config-checks.ts'
export { type Ready, type RunningNode, startNode } from './daemon/node.ts'
export { CODES, type Code, isMeshError, MeshError } from './errors.ts'
export { LIMITS, type Limits } from './limits.ts'
export { type ClockOrder, compareClocks, type VectorClock } from './model/clock.ts'
export { type Envelope, PAYLOAD_TYPES, type Signature } from './model/envelope.ts'
export type { Extra } from './model/extra.ts'
export type {
  Address,
  Branded,
  Channel,
  Digest,
  FleetId,
  KeyId,
  Name,
  Pattern,
  PeerId,
  ReleaseId,
} from './model/ids.ts'
export type { BlockRef, FileMode, ManifestEntry, ManifestPage } from './model/manifest.ts'
export { parseAddress, parseChannel, parseName, parsePattern } from './model/names.ts'
export { covers, matches } from './model/pattern.ts'
export { comparePlaces, type Place } from './model/place.ts'
export type { Header, Release } from './model/release.ts'
export type { EpochEntry, PublicKey, Publisher, Role, TrustRoot } from './model/root.ts'
export { authorised } from './trust/authorise.ts'
export {
  type Adoption,
  type AdoptionKind,
  adopt,
  type KeptRoot,
  type RootChain,
  startChain,
} from './trust/chain.ts'
