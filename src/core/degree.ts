/**
 * How many links a node wants, and to whom: pure functions over who is admitted and who is known. Figures measured:
 * 16 to 20 in the own region for every node alike (the slowest of a fleet was the one of degree 9), 3 outside.
 */
import type { Limits } from '../limits.ts'
import type { Pattern, PeerId } from '../model/ids.ts'
import { covers } from '../model/pattern.ts'
import { type AdmittedSession, identityOf } from './session.ts'

/** A peer that is not connected and might be dialled. */
export interface Candidate {
  readonly peer: PeerId
  readonly region: string
  readonly patterns: readonly Pattern[]
  /** All members of a pool are one. */
  readonly identity: string
  /** Not met for long, and dialled in vain. */
  readonly gone: boolean
}

export interface Self {
  readonly region: string
  readonly patterns: readonly Pattern[]
}

export interface Links {
  readonly own: number
  readonly outside: number
  readonly outbound: number
  /** The only identity all links are of; undefined where there are several, or no link. */
  readonly soleIdentity: string | undefined
  /** Own patterns with too few links to peers that store them. */
  readonly uncovered: readonly Pattern[]
}

export const stores = (patterns: readonly Pattern[], wanted: Pattern): boolean =>
  patterns.some((pattern) => covers(pattern, wanted))

/** What counts of a link, made or in the making. */
export interface Link {
  readonly region: string
  readonly patterns: readonly Pattern[]
  readonly direction: 'inbound' | 'outbound'
  readonly identity: string
}

export const linkOf = ({ peer, hello, direction, admission }: AdmittedSession): Link => ({
  region: hello.region,
  patterns: hello.patterns,
  direction,
  identity: identityOf(peer, admission),
})

/** Below the wanted degree: fewer links than there could be, those outside left out. */
export function isShort(
  { region, limits }: Self & { readonly limits: Limits },
  links: Links,
  candidates: readonly Candidate[],
  missingSeeds: readonly PeerId[],
): boolean {
  if (links.uncovered.length > 0) return true
  const near = candidates.some((candidate) => candidate.region === region)
  return links.own < limits.minDegree && (near || missingSeeds.length > 0)
}

export function countLinks(self: Self, links: readonly Link[], limits: Limits): Links {
  const own = links.filter(({ region }) => region === self.region).length
  const identities = new Set(links.map(({ identity }) => identity))
  const covered = (wanted: Pattern): number => links.filter(({ patterns }) => stores(patterns, wanted)).length
  return {
    own,
    outside: links.length - own,
    outbound: links.filter(({ direction }) => direction === 'outbound').length,
    soleIdentity: identities.size === 1 ? links[0]?.identity : undefined,
    uncovered: self.patterns.filter((pattern) => covered(pattern) < limits.minCoverage),
  }
}

/** Fisher–Yates by the caller's random numbers. */
export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const out = [...items]
  for (let at = out.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1))
    ;[out[at], out[other]] = [out[other] as T, out[at] as T]
  }
  return out
}

/**
 * Whom to dial for want of a link: the own region up to `minDegree`, a few outside, and whoever stores what nobody near does.
 * Of those that serve alike whoever is gone comes last.
 */
export function chooseDials(
  self: Self,
  links: Links,
  candidates: readonly Candidate[],
  random: () => number,
  limits: Limits,
): readonly Candidate[] {
  const mixed = shuffled(candidates, random).sort((a, b) => Number(a.gone) - Number(b.gone))
  const chosen = new Set<Candidate>()
  /** Chooses until `count` of those that fit are chosen, for whatever reason. */
  const reach = (count: number, fits: (candidate: Candidate) => boolean) => {
    let missing = count - [...chosen].filter(fits).length
    for (const one of mixed) {
      if (missing <= 0) return
      if (chosen.has(one) || !fits(one)) continue
      chosen.add(one)
      missing -= 1
    }
  }
  const isNear = ({ region }: Candidate) => region === self.region
  for (const wanted of links.uncovered) reach(1, ({ patterns }) => stores(patterns, wanted))
  // A second identity, so that whoever has one pool's key cannot be all our neighbours; where there are too few others
  // for everybody, they would only be run over.
  const { soleIdentity } = links
  const isOther = ({ identity }: Candidate) => identity !== soleIdentity
  const others = candidates.filter(isOther).length
  if (soleIdentity !== undefined && others * limits.hardDegree >= candidates.length) reach(1, isOther)
  reach(Math.max(limits.minDegree - links.own, limits.minOutbound - links.outbound), isNear)
  reach(limits.outsideDegree - links.outside, (candidate) => !isNear(candidate))
  return [...chosen].slice(0, limits.maxDialsAtOnce)
}

/** A link of the own region that we dialled and can do without: each own pattern stays covered without it. */
export function spareLink(
  self: Self,
  admitted: readonly AdmittedSession[],
  mayGo: (session: AdmittedSession) => boolean,
  random: () => number,
  limits: Limits,
): AdmittedSession | undefined {
  const uncovered = (sessions: readonly AdmittedSession[]): number =>
    countLinks(self, sessions.map(linkOf), limits).uncovered.length
  const now = uncovered(admitted)
  const spare = admitted.filter(
    (session) =>
      session.direction === 'outbound' &&
      session.hello.region === self.region &&
      mayGo(session) &&
      uncovered(admitted.filter((other) => other !== session)) <= now,
  )
  return spare[Math.floor(random() * spare.length)]
}
