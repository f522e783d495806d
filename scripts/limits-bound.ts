/** The form of a bound that stands as a constant in src, beside what it bounds. */
export interface WireBound {
  /** The constant, and the file below src in which it stands. */
  readonly name: string
  readonly file: string
  readonly value: number
  readonly what: string
  readonly cost: string
}

export type Row = readonly [name: string, value: number, what: string, cost: string]
export const inFile = (file: string, rows: readonly Row[]): WireBound[] =>
  rows.map(([name, value, what, cost]) => ({ file, name, value, what, cost }))

type NumberIn<M> = { [K in keyof M & string]: M[K] extends number ? K : never }[keyof M & string]
/** Rows of constants that a module exports by these names. */
export const constants = <M extends object>(
  file: string,
  from: M,
  rows: readonly (readonly [name: NumberIn<M>, what: string, cost: string])[],
): WireBound[] =>
  inFile(
    file,
    rows.map(([name, what, cost]): Row => [name, from[name] as number, what, cost]),
  )
