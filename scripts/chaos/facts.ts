/** What chaos publishes and what it sees, as plain values: nothing here is the nodes' own code. */

export const CHANNEL = 'chaos/app'
export const FILES = ['a.txt', 'b/c.txt', 'd.txt'] as const

/** Which release of whom: all files of it say so. */
export interface Label {
  readonly publisher: string
  readonly number: number
}

/** Where a release stands (docs/protocol.md): compared in this order. */
export interface Place {
  readonly epoch: number
  readonly counter: number
  readonly publisher: string
}

/** A look at what applications see: at the files, through one resolved link. */
export interface FilesSeen {
  /** Name of the tree that `current` showed before its files were read, and after. */
  readonly tree: string | undefined
  readonly treeAfter: string | undefined
  /** Of each of FILES; undefined where there is none. */
  readonly texts: readonly (string | undefined)[]
  /** The floor's file, read after the link. */
  readonly floor: Place | 'none' | 'damaged'
}

/** One file as served by HTTP, between two looks at the link. */
export interface Answer {
  readonly status: number
  readonly release: string | undefined
  readonly text: string
  readonly treeBefore: string | undefined
  readonly treeAfter: string | undefined
}

export type Clock = Readonly<Record<string, number>>

/** The channel as the API tells of it. */
export interface ChannelSeen {
  readonly active: { readonly release: string; readonly clock: Clock } | null
  readonly state: string
  readonly gate: string | null
  readonly history: readonly { readonly release: string; readonly clock: Clock }[]
}

/** How long the third file is, by the release's number: inline, in one block, in two. */
const REPEATS = [100, 6_000, 70_000]

/** Long enough that half of it would show. */
export function contentOf({ publisher, number }: Label, file: string): string {
  const filler = `${number}.`.repeat(file === 'd.txt' ? (REPEATS[number % REPEATS.length] ?? 0) : 50)
  return `${publisher} ${number}\n${file}\n${filler}\n`
}

/** What a whole file says; undefined where one character of it is another. */
export function labelOf(text: string, file: string): Label | undefined {
  const [, publisher, digits] = /^([a-z0-9-]{1,40}) (\d{1,9})\n/.exec(text) ?? []
  if (publisher === undefined) return undefined
  const label = { publisher, number: Number(digits) }
  return text === contentOf(label, file) ? label : undefined
}

/** The release in a tree's name, `.releases/<release>` or `.releases/<release>.<n>`. */
export const releaseIn = (tree: string | undefined): string | undefined =>
  /^\.releases\/([0-9a-f]{64})(?:\.[1-9]\d*)?$/.exec(tree ?? '')?.[1]

export function comparePlaces(a: Place, b: Place): number {
  if (a.epoch !== b.epoch) return a.epoch - b.epoch
  if (a.counter !== b.counter) return a.counter - b.counter
  return Buffer.compare(Buffer.from(a.publisher), Buffer.from(b.publisher))
}

/** A publisher's own entry is the greatest of its clock. No root raises an epoch here: it is 1. */
export function placeOf(clock: Clock): Place | undefined {
  const [own] = Object.entries(clock).sort(([, a], [, b]) => b - a)
  return own === undefined ? undefined : { epoch: 1, counter: own[1], publisher: own[0] }
}

export const textOf = ({ counter, publisher }: Place): string => `${counter} of ${publisher}`
