import { formatTime } from '../codec/json-fields.ts'
import { MeshError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { TrustRoot } from '../model/root.ts'
import { keysOf, signers } from '../trust/threshold.ts'
import { out } from './output.ts'
import { followsFrom, type RootFile, readRoot, readRootDraft } from './root-files.ts'

/** What a root says, for people and machines; says, too, how many of its own keys signed it. */
export function showRoot(path: string): void {
  const file = readRootDraft(path)
  const { root } = file
  const have = signersOf(file)
  const value = { ...asJson(root), signatures: { have, need: root.root.threshold } }
  out(value, describe(root, have))
}

/** The file holds, and follows from the older versions that lie beside it. @throws MeshError TRUST_*, CODEC_* */
export function verifyRoot(path: string, nowMs: number): void {
  const file = readRoot(path)
  const { root } = file
  const from = followsFrom(file)
  if (root.expires <= nowMs) {
    throw new MeshError(
      'TRUST_ROOT_EXPIRED',
      `${file.path}: expired ${formatTime(root.expires)}; confmesh trust renew makes the next`,
      {
        path: file.path,
      },
    )
  }
  const value = {
    valid: true,
    root: file.path,
    fleetId: root.fleetId,
    version: root.version,
    verifiedFrom: from,
  }
  out({ ...value, expires: formatTime(root.expires) }, [
    `${file.path} is valid: version ${root.version} of fleet ${root.fleetId}, ${signersOf(file)} of ${root.root.threshold} signatures needed, until ${formatTime(root.expires)}`,
    from === root.version
      ? 'no older version lies beside it to follow from'
      : `it follows from version ${from}, step by step`,
  ])
}

const signersOf = ({ envelope, root }: RootFile): number =>
  signers(envelope, 'root', keysOf(root.root.keys, root.keys), LIMITS).length

function asJson(root: TrustRoot) {
  const { keys, maxAgeS, maxSkewS } = root.freshness
  return {
    fleetId: root.fleetId,
    version: root.version,
    expires: formatTime(root.expires),
    keys: Object.fromEntries([...root.keys].map(([id, { type }]) => [id, { type }])),
    roles: { root: { keys: root.root.keys, threshold: root.root.threshold } },
    publishers: Object.fromEntries(
      [...root.publishers].map(([name, { keys, threshold, patterns }]) => [
        name,
        { keys, threshold, patterns },
      ]),
    ),
    admission: { keys: root.admission.keys },
    freshness: { keys, maxAgeS, maxSkewS },
    epochs: root.epochs.map(({ pattern, value }) => ({ pattern, value })),
    removed: {
      peers: root.removed.peers.map(({ id, until }) => ({ id, ...ending(until) })),
      pools: root.removed.pools.map(({ key, until }) => ({ key, ...ending(until) })),
    },
  }
}

const ending = (until: number | undefined): { until?: string } =>
  until === undefined ? {} : { until: formatTime(until) }

function describe(root: TrustRoot, have: number): string[] {
  const short = (ids: readonly string[]) => ids.map((id) => id.slice(0, 12)).join(', ') || 'none'
  const { maxAgeS, maxSkewS } = root.freshness
  return [
    `fleet      ${root.fleetId}`,
    `version    ${root.version}, expires ${formatTime(root.expires)}, ${have} of ${root.root.threshold} signatures needed`,
    `root       ${root.root.threshold} of ${root.root.keys.length}: ${short(root.root.keys)}`,
    ...[...root.publishers.values()].map(
      ({ name, keys, threshold, patterns }) =>
        `publisher  ${name}: ${threshold} of ${keys.length} (${short(keys)}) on ${patterns.join(', ')}`,
    ),
    `admission  ${short(root.admission.keys)}`,
    `freshness  ${short(root.freshness.keys)}; silent after ${maxAgeS} s, clocks within ${maxSkewS} s`,
    ...root.epochs.map(({ pattern, value }) => `epoch      ${value} for ${pattern}`),
    ...root.removed.peers.map(({ id, until }) => `removed    node ${id}${untilText(until)}`),
    ...root.removed.pools.map(({ key, until }) => `removed    pool ${key}${untilText(until)}`),
  ]
}

const untilText = (until: number | undefined): string =>
  until === undefined ? '' : `, whose certificate ends ${formatTime(until)}`
