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
