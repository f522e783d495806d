import { parseArgs } from 'node:util'

/** Node's `parseArgs`; what it cannot take ends the process with one line of what is wrong, and code 2. */
export const optionsOf = ((config) => {
  try {
    return parseArgs(config)
  } catch (error) {
    console.error((error as Error).message)
    return process.exit(2)
  }
}) as typeof parseArgs

/** What `--name` was given; what is no whole number from `least` on ends the process the same way: NaN would be a run of nothing. */
export function wholeNumber(name: string, text: string, least = 1): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least) return value
  console.error(`--${name} ${text}: expected a whole number from ${least} on`)
  return process.exit(2)
}
