/**
 * Leaves out of a list whatever a failure does not need: ddmin (Zeller and Hildebrandt, "Simplifying and Isolating
 * Failure-Inducing Input", 2002). In the result no single item can be left out any more, unless the runs ran out.
 *
 * @param items for which `fails` holds; the order is kept
 * @param maxRuns of `fails`; what was reached by then is returned
 */
export async function shrink<T>(
  items: readonly T[],
  fails: (some: readonly T[]) => Promise<boolean>,
  maxRuns: number,
): Promise<readonly T[]> {
  let left = items
  let parts = 2
  let runs = 0
  const stillFails = async (some: readonly T[]): Promise<boolean> => ++runs <= maxRuns && (await fails(some))
  if (await stillFails([])) return []
  while (left.length >= 2 && runs < maxRuns) {
    const chunks = chunksOf(left, parts)
    const smaller = await first([...chunks, ...complementsOf(chunks)], stillFails)
    if (smaller === undefined) {
      if (parts >= left.length) break
      parts = Math.min(left.length, parts * 2)
      continue
    }
    // A chunk is cut anew; of a complement the other chunks stay as they are.
    parts = smaller.length * 2 <= left.length ? 2 : Math.max(2, parts - 1)
    left = smaller
  }
  return left
}

async function first<T>(
  candidates: readonly (readonly T[])[],
  fails: (some: readonly T[]) => Promise<boolean>,
): Promise<readonly T[] | undefined> {
  for (const candidate of candidates) if (await fails(candidate)) return candidate
  return undefined
}

function chunksOf<T>(items: readonly T[], parts: number): readonly (readonly T[])[] {
  return Array.from({ length: parts }, (_, at) =>
    items.slice(Math.floor((at * items.length) / parts), Math.floor(((at + 1) * items.length) / parts)),
  )
}

/** Of two chunks each is the other's complement: those were tried. */
const complementsOf = <T>(chunks: readonly (readonly T[])[]): readonly (readonly T[])[] =>
  chunks.length === 2 ? [] : chunks.map((chunk) => chunks.filter((other) => other !== chunk).flat())
