/** For a test's `vi.mock` of timers: a client's waits are noted, and short. */
type Timers = typeof import('node:timers/promises')

/** How long the client meant to wait, each time; it waits less. */
export const waits: number[] = []

export async function shortWaits(original: () => Promise<Timers>): Promise<Timers> {
  const timers = await original()
  const setTimeout: Timers['setTimeout'] = (ms, value, options) => {
    waits.push(ms ?? 0)
    return timers.setTimeout(5, value, options)
  }
  return { ...timers, setTimeout }
}
