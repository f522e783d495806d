/** The configured root and the stored ones as chains: one where nothing was lost, else one more for each hole. */
import { isMeshError } from '../../errors.ts'
import type { Limits } from '../../limits.ts'
import { adopt, type RootChain, startChain } from '../../trust/chain.ts'
import type { Snapshot } from '../snapshot.ts'

interface Restored {
  /** Ascending, at least one; the last is the node's own chain. */
  readonly runs: readonly RootChain[]
  /** What could not be used, one line each. */
  readonly unused: readonly string[]
}

/**
 * A stored root counts where it follows from the one before, the configured one among them: what the store holds may be
 * somebody else's. Above a hole it is taken at its word, so that a record which is lost (of the newest a second copy is
 * kept apart) brings no older root back; but one that is there and does not follow is no hole: nothing above it counts.
 */
export function restoreRoots(
  configuredBytes: Uint8Array,
  stored: Snapshot['roots'],
  limits: Limits,
): Restored {
  const configured = startChain(configuredBytes, limits)
  const { version: own } = configured.current
  const unused = stored.flatMap(({ version, envelope }) =>
    version === own ? differences(configured, envelope, limits) : [],
  )
  let runs: readonly RootChain[] = []
  let broken = false
  const others = stored.filter(({ version }) => version !== own)
  const sorted = [...others, { version: own, envelope: configuredBytes }].sort(
    (a, b) => a.version - b.version,
  )
  for (const { version, envelope } of sorted) {
    if (broken && version !== own) continue
    const next = follow(runs.at(-1), { version, envelope }, configured, limits)
    if (next.kind === 'extends') runs = [...runs.slice(0, -1), next.chain]
    // What was kept below the configured root and does not lead to it is not known to be of this fleet.
    else if (version === own) runs = [configured]
    else if ('text' in next) unused.push(`stored root ${version}${next.text}`)
    else runs = [...runs, next.chain]
    broken = next.kind === 'differs' && version !== own
  }
  return { runs, unused }
}

type Next =
  | { readonly kind: 'extends'; readonly chain: RootChain }
  | { readonly kind: 'begins'; readonly chain: RootChain }
  /** `unreadable`: as good as lost. */
  | { readonly kind: 'differs' | 'unreadable'; readonly text: string }

function follow(
  last: RootChain | undefined,
  { version, envelope }: Snapshot['roots'][number],
  { current: { fleetId } }: RootChain,
  limits: Limits,
): Next {
  if (last?.current.version === version - 1) {
    const { adoption, chain } = adopt(last, envelope, limits)
    if (adoption.kind === 'adopted') return { kind: 'extends', chain }
    if (adoption.kind === 'invalid') return { kind: 'unreadable', text: `: ${adoption.text}` }
    const text = ` does not follow from root ${version - 1}, which counts: ${adoption.text}`
    return { kind: 'differs', text }
  }
  const begun = begin(envelope, limits)
  if (typeof begun === 'string') return { kind: 'unreadable', text: `: ${begun}` }
  if (begun.current.fleetId === fleetId && begun.current.version === version)
    return { kind: 'begins', chain: begun }
  return { kind: 'differs', text: ' is of another fleet; the configured one counts' }
}

function differences(configured: RootChain, envelope: Uint8Array, limits: Limits): readonly string[] {
  const begun = begin(envelope, limits)
  const { version } = configured.current
  if (typeof begun === 'string') return [`stored root ${version}: ${begun}`]
  if (begun.currentDigest === configured.currentDigest) return []
  return [`stored root ${version} is another than the configured one, which counts`]
}

/** A string says why it is no root. */
function begin(envelope: Uint8Array, limits: Limits): RootChain | string {
  try {
    return startChain(envelope, limits)
  } catch (error) {
    if (!isMeshError(error)) throw error
    return error.message
  }
}
