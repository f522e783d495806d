/** The way of one hostile peer through the kinds of attack, again and again, so that none of them falls silent. */

/** One connection to the node under attack. */
export interface Line {
  readonly isOpen: boolean
  /** One burst of this kind, cut off wherever the node ends it; how many messages went out. */
  burst(kind: string): Promise<number>
  end(): Promise<void>
}

export interface Rounds {
  readonly kinds: readonly string[]
  /** Where among the kinds it begins. */
  readonly first: number
  /** Undefined: the node did not let it in. */
  connect(): Promise<Line | undefined>
  goesOn(): boolean
  wrote(kind: string, messages: number): void
}

/**
 * A connection is kept for as long as it carries something. One that carries nothing any more may still look open: the
 * node refuses its streams, say. The kind that met this is sent again on a new one.
 */
export async function attackInRounds({ kinds, first, connect, goesOn, wrote }: Rounds): Promise<void> {
  let next = first
  while (goesOn() && kinds.length > 0) {
    const line = await connect()
    if (line === undefined) continue
    try {
      for (let isNew = true; goesOn() && line.isOpen; isNew = false) {
        const kind = kinds[next % kinds.length] as string
        const messages = await line.burst(kind)
        if (messages === 0 && !isNew) break
        wrote(kind, messages)
        next += 1
      }
    } finally {
      await line.end()
    }
  }
}

export interface Sent {
  readonly messages: number
  /** Those of which at least one message went out. */
  readonly bursts: number
}

/** Those kinds of which less than so many bursts a minute went out, one line each. */
export function silent(
  kinds: readonly string[],
  byKind: Readonly<Record<string, Sent>>,
  seconds: number,
  burstsPerMinute: number,
): string[] {
  const wanted = Math.max(1, (burstsPerMinute * seconds) / 60)
  return kinds.flatMap((kind) => {
    const { bursts, messages } = byKind[kind] ?? { bursts: 0, messages: 0 }
    return bursts < wanted ? [`${kind}: ${bursts} bursts of ${messages} messages, ${wanted} at least`] : []
  })
}
