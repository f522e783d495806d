/**
 * How many links a node wants, and to whom: pure functions over who is admitted and who is known. Figures measured:
 * 16 to 20 in the own region for every node alike (the slowest of a fleet was the one of degree 9), 3 outside.
 */
import type { Limits } from '../limits.ts'
import type { Pattern, PeerId } from '../model/ids.ts'
import { covers } from '../model/pattern.ts'
import type { AdmittedSession } from './session.ts'

/** A peer that is not connected and might be dialled. */
export interface Candidate {
  readonly peer: PeerId
  readonly region: string
  readonly patterns: readonly Pattern[]
}

export interface Self {
  readonly region: string
  readonly patterns: readonly Pattern[]
}

export interface Links {
  readonly own: number
  readonly outside: number
  readonly outbound: number
  /** Own patterns with too few links to peers that store them. */
  readonly uncovered: readonly Pattern[]
}

const stores = (patterns: readonly Pattern[], wanted: Pattern): boolean =>
  patterns.some((pattern) => covers(pattern, wanted))

export function countLinks(self: Self, admitted: readonly AdmittedSession[], limits: Limits): Links {
  const own = admitted.filter(({ hello }) => hello.region === self.region)
  const covered = (pattern: Pattern): number =>
    admitted.filter(({ hello }) => stores(hello.patterns, pattern)).length
  return {
    own: own.length,
    outside: admitted.length - own.length,
    outbound: admitted.filter(({ direction }) => direction === 'outbound').length,
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

/** Whom to dial for want of a link: the own region up to `minDegree`, a few outside, and whoever stores what nobody near does. */
export function chooseDials(
  self: Self,
  links: Links,
  candidates: readonly Candidate[],
  random: () => number,
  limits: Limits,
): readonly Candidate[] {
  const mixed = shuffled(candidates, random)
  const chosen = new Set<Candidate>()
  const add = (fit: readonly Candidate[], count: number) => {
    for (const one of fit.slice(0, Math.max(count, 0))) chosen.add(one)
  }
  const near = mixed.filter(({ region }) => region === self.region)
  for (const pattern of links.uncovered)
    add(
      mixed.filter(({ patterns }) => stores(patterns, pattern)),
      1,
    )
  add(near, Math.max(limits.minDegree - links.own, limits.minOutbound - links.outbound))
  add(
    mixed.filter(({ region }) => region !== self.region),
    limits.outsideDegree - links.outside,
  )
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
  const spare = admitted.filter(
    (session) =>
      session.direction === 'outbound' &&
      session.hello.region === self.region &&
      mayGo(session) &&
      countLinks(
        self,
        admitted.filter((other) => other !== session),
        limits,
      ).uncovered.length <= countLinks(self, admitted, limits).uncovered.length,
  )
  return spare[Math.floor(random() * spare.length)]
}
