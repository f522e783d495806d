import { createInterface } from 'node:readline/promises'

interface Terminal {
  readonly input: NodeJS.ReadableStream
  readonly output: NodeJS.WritableStream
}

/** Asks on the terminal; anything but yes is no, and so are Ctrl-C, Ctrl-D and an input that ends. */
export async function saysYes(
  what: string,
  { input, output }: Terminal = { input: process.stdin, output: process.stderr },
): Promise<boolean> {
  const questions = createInterface({ input, output })
  const ended = new AbortController()
  questions.once('close', () => ended.abort())
  try {
    const said = await questions.question(`${what} [y/N] `, { signal: ended.signal })
    return /^y(es)?$/i.test(said.trim())
  } catch (error) {
    if ((error as Error).name === 'AbortError') return false
    throw error
  } finally {
    questions.close()
  }
}
