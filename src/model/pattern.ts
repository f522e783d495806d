/** Channel patterns, anchored and matched on whole segments: `pay/*` is neither `payments/x` nor `pay/a/b`. */
import type { Channel, Pattern } from './ids.ts'

/** `*` matches exactly one segment, `**` (last only) one or more. */
export function matches(pattern: Pattern, channel: Channel): boolean {
  // Asked for every beacon, hash and peer, and most often of a node that takes everything.
  if (pattern === '**') return true
  const wanted = pattern.split('/')
  const segments = channel.split('/')
  for (const [index, want] of wanted.entries()) {
    const segment = segments[index]
    if (segment === undefined) return false
    if (want === '**') return true
    if (want !== '*' && want !== segment) return false
  }
  return wanted.length === segments.length
}

export const matchesAny = (patterns: Iterable<Pattern>, channel: Channel): boolean => {
  for (const pattern of patterns) if (matches(pattern, channel)) return true
  return false
}

/** The one channel that a pattern without a wildcard names. */
export const literalOf = (pattern: Pattern): Channel | undefined =>
  pattern.split('/').some((segment) => segment.startsWith('*')) ? undefined : (pattern as string as Channel)

/**
 * q covers p: every channel that p matches, q matches. Segment by segment: `**` covers whatever is left (one or
 * more), `*` covers `*` or a literal, a literal itself, and nothing else covers anything.
 */
export function covers(q: Pattern, p: Pattern): boolean {
  const wide = q.split('/')
  const narrow = p.split('/')
  for (const [index, want] of wide.entries()) {
    const segment = narrow[index]
    if (segment === undefined) return false
    if (want === '**') return true
    if (segment === '**') return false
    if (want !== '*' && want !== segment) return false
  }
  return wide.length === narrow.length
}

/** Some channel matches both. */
export function overlaps(p: Pattern, q: Pattern): boolean {
  const ours = p.split('/')
  const theirs = q.split('/')
  for (const [index, one] of ours.entries()) {
    const other = theirs[index]
    if (other === undefined) return false
    if (one === '**' || other === '**') return true
    if (one !== '*' && other !== '*' && one !== other) return false
  }
  return ours.length === theirs.length
}
