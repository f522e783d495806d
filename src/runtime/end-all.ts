/**
 * Ends one after another, each even where another cannot: what is written is to be durable, what is open closed.
 * @throws what the first failed with that could not end, once all were tried
 */
export async function endAll(ends: Iterable<() => unknown>): Promise<void> {
  const failures: unknown[] = []
  for (const end of ends)
    try {
      await end()
    } catch (error) {
      failures.push(error)
    }
  if (failures.length > 0) throw failures[0]
}
