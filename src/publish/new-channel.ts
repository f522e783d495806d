/** Nothing stands in a channel: is it new, and is there one whose name somebody may have meant? */
import { isMeshError, MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { Channel } from '../model/ids.ts'
import { parseChannel } from '../model/names.ts'
import { askPatiently, type Seed } from './seeds.ts'

export interface NewChannel {
  readonly channel: Channel
  /** The known name that differs by the fewest characters, where it is near enough for a slip of the hand. */
  readonly nearest: Channel | undefined
  /** Some known names, ascending; empty: it is the first of the fleet. */
  readonly known: readonly Channel[]
}

/**
 * Asks the first seed that answers for the names around this one, a few pages however many there are: pages are rationed.
 * @returns `known`: a new epoch left it empty, perhaps; an error: no seed said which there are
 */
export async function lookForNew(
  channel: Channel,
  seeds: readonly Seed[],
  limits: Limits,
): Promise<NewChannel | 'known' | MeshError> {
  let last = new MeshError('NET_UNREACHABLE', 'no seed said which channels there are')
  for (const seed of seeds) {
    try {
      const known = await namesAround(channel, seed, limits)
      if (known.includes(channel)) return 'known'
      return { channel, nearest: nearestOf(channel, known), known }
    } catch (error) {
      if (!isMeshError(error)) throw error
      last = error
    }
  }
  return last
}

async function namesAround(channel: Channel, seed: Seed, limits: Limits): Promise<readonly Channel[]> {
  const names = new Set<Channel>()
  for (const after of [undefined, ...startsBefore(channel)]) {
    const question = { type: 'channels', ...(after === undefined ? {} : { after }) } as const
    const page = await askPatiently(seed, question, ['channels'], limits)
    for (const name of page.channels) names.add(name)
    if (after === undefined && !page.more) break
  }
  return [...names].sort()
}

/** Names that sort shortly before it: without its last character, and its first segment alone. */
function startsBefore(channel: Channel): readonly Channel[] {
  const [first = ''] = channel.split('/')
  return [channel.slice(0, -1), first].filter((name): name is Channel => name !== channel && isName(name))
}

function isName(text: string): boolean {
  try {
    return parseChannel(text).length > 0
  } catch {
    return false // cut off behind a slash: no name, and nobody's mistake
  }
}

/** A slip is one character in four at most, and two in a short name. */
function nearestOf(channel: Channel, known: readonly Channel[]): Channel | undefined {
  const most = Math.max(2, Math.floor(channel.length / 4))
  let best: { readonly name: Channel; readonly distance: number } | undefined
  for (const name of known) {
    const distance = editDistance(channel, name)
    if (distance <= most && distance < (best?.distance ?? Number.POSITIVE_INFINITY)) best = { name, distance }
  }
  return best?.name
}

/** Characters to put in, take out, change or swap with the next (optimal string alignment; Boytsov 2011, §2.2). */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const choices = [(last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same]
      if (swapped) choices.push((beforeLast[j - 2] ?? 0) + 1)
      row.push(Math.min(...choices))
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}
