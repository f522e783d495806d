/** The first 12 digits: enough to tell releases apart, and accepted wherever a release is named. */
export const short = (id: string): string => id.slice(0, 12)

/** Colours and redrawing only where someone looks. */
export const isTerminal = (): boolean => process.stdout.isTTY === true && process.env.NO_COLOR === undefined
