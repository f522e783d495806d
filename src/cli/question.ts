import { createInterface } from 'node:readline/promises'

/** Asks on the terminal; anything but yes is no. */
export async function saysYes(what: string): Promise<boolean> {
  const questions = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const said = await questions.question(`${what} [y/N] `)
    return /^y(es)?$/i.test(said.trim())
  } finally {
    questions.close()
  }
}
