/** Benches one after another, and how long each took and all of them. */

export interface Part {
  readonly name: string
  run(): Promise<void>
}

interface Reports {
  readonly say: (line: string) => void
  readonly failed: (name: string, error: Error) => void
  readonly nowMs: () => number
}

export async function inTurn(parts: readonly Part[], { say, failed, nowMs }: Reports): Promise<void> {
  const timed = async (name: string, work: () => Promise<void>): Promise<void> => {
    const beganMs = nowMs()
    await work()
    say(`${name}: took ${Math.round((nowMs() - beganMs) / 1_000)} s`)
  }
  await timed('all', async () => {
    for (const { name, run } of parts)
      await timed(name, async () => {
        try {
          await run()
        } catch (error) {
          // the others are worth having all the same
          failed(name, error as Error)
        }
      })
  })
}
