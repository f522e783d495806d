/** Hands roots out to seeds; the fleet has them from there. */
import { encodeEnvelope } from '../codec/envelope.ts'
import { type Code, isMeshError, MeshError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Channel, Pattern, PeerId } from '../model/ids.ts'
import { channelsUnder } from '../publish/channels.ts'
import { requireTakenByAll } from '../publish/root-forks.ts'
import { type PushedTo, pushRoots, type RootEnvelope, rootAtSeeds } from '../publish/roots.ts'
import { type Seed, type Seeds, UNANSWERED } from '../publish/seeds.ts'
import { startChain } from '../trust/chain.ts'
import { raisedBy } from '../trust/describe.ts'
import { out, warn } from './output.ts'
import { connect, seedAddresses, warnOfExpiry } from './publish-session.ts'
import { olderBeside, readRoot } from './root-files.ts'
import { short } from './text.ts'
import type { PushOptions } from './trust-hand-out.ts'
import { PUBLISH_IT_TOO, warnUnsaid } from './trust-touched.ts'

/** Told to people and to `--json`. */
export async function pushToSeeds(options: PushOptions): Promise<void> {
  const roots = rootsBeside(options.root)
  // No more than that: it may be this clock that is wrong.
  warnOfExpiry(readRoot(options.root).root)
  const seeds = await connect(seedAddresses(options))
  try {
    const handed = await handOver(roots, seeds.reached)
    const version = roots.at(-1)?.version
    out({ version, ...handed, unreached: unreachedOf(seeds) }, [
      ...handed.seeds.map(lineOf),
      ...handed.raised.map((pattern) => `${pattern} has a new epoch: what is active there stays`),
      ...handed.channels.map(
        (channel) => `publish ${channel} again: nothing there counts under root ${version} yet`,
      ),
    ])
  } finally {
    await seeds.close()
  }
}

/** Of the seeds that were named, those that no connection came to. */
export const unreachedOf = ({ missed }: Pick<Seeds, 'missed'>) =>
  missed.map(({ address, error }) => ({ address, code: error.code }))

interface HandedOver extends Handed {
  /** Whose channels get a new epoch by it, and those of them that seeds hold: each needs a release under the root. */
  readonly raised: readonly Pattern[]
  readonly channels: readonly Channel[]
}

/** @throws MeshError what a seed refused, where none took it */
export async function handOver(roots: readonly RootEnvelope[], seeds: readonly Seed[]): Promise<HandedOver> {
  const raised = await raisedFor(roots, seeds)
  const handed = await pushToAll(roots, seeds)
  const unsaid = warnUnsaid(PUBLISH_IT_TOO)
  const channels = raised.length === 0 ? [] : await channelsUnder(raised, seeds, LIMITS, unsaid)
  return { ...handed, raised, channels }
}

/** Against the newest that the seeds have; where that is not beside the root, what these steps alone raise. */
export async function raisedFor(
  roots: readonly RootEnvelope[],
  seeds: readonly Seed[],
): Promise<readonly Pattern[]> {
  const [oldest, newest] = [roots[0], roots.at(-1)]
  if (oldest === undefined || newest === undefined) return []
  const known = await rootAtSeeds(roots, seeds, LIMITS)
  const { current } = startChain(newest.envelope, LIMITS)
  const raised =
    known === undefined
      ? current.epochs.filter(({ value }) => value >= oldest.version)
      : raisedBy(known, current)
  return raised.map(({ pattern }) => pattern)
}

export const lineOf = ({ peer, version, adopted, forked, older, lacks, unknown }: PushedTo): string =>
  [
    `seed ${short(peer)} is at root ${version}${adopted === 0 ? ' already' : `, ${adopted} new`}`,
    ...(forked === undefined
      ? []
      : [
          `its root ${forked} was another than the one kept here: see that the newest says what that one changed, too`,
        ]),
    ...(older === undefined ? [] : [`${older} before it were not there, and are now`]),
    ...(lacks === undefined
      ? []
      : [
          `root ${lacks} and those after it were sent, and it does not have them: only one with submit: true keeps what was before it began`,
        ]),
    ...(unknown === undefined
      ? []
      : [`whether it has those before it is not known (${unknown}): hand them out once more`]),
  ].join('; ')

export interface Handed {
  readonly seeds: readonly PushedTo[]
  /** Reached, and without this root all the same: what they said. */
  readonly refused: readonly { readonly peer: PeerId; readonly code: Code }[]
}

/** @throws MeshError NET_TIMEOUT, NET_UNREACHABLE or what a seed refused, where none took it; AnotherRoot where one has another that these must follow first */
export async function pushToAll(roots: readonly RootEnvelope[], seeds: readonly Seed[]): Promise<Handed> {
  const left = await requireTakenByAll(roots, seeds, LIMITS)
  const pushed: PushedTo[] = []
  const refused: { peer: PeerId; code: Code }[] = []
  const errors: MeshError[] = []
  for (const seed of seeds) {
    try {
      const error = left.get(seed)
      if (error !== undefined) throw error
      pushed.push(await pushRoots(roots, seed, LIMITS))
    } catch (error) {
      if (!isMeshError(error)) throw error
      errors.push(error)
      refused.push({ peer: seed.peer, code: error.code })
    }
  }
  // Whoever refused has not acted; of who was silent or cut off nobody knows.
  const first = errors.find(({ code }) => UNANSWERED.has(code)) ?? errors[0]
  if (pushed.length === 0) throw first ?? new MeshError('USAGE', 'no seed is named; give --seed ADDRESS')
  for (const error of errors) warn(`${error.code}: ${error.message}`)
  return { seeds: pushed, refused }
}

/** The root and every older one kept beside it, down to the first gap; ascending. */
export function rootsBeside(path: string): readonly RootEnvelope[] {
  const newest = readRoot(path)
  return [...olderBeside(newest), newest].map(({ root: { version }, envelope }) => ({
    version,
    envelope: encodeEnvelope(envelope),
  }))
}
