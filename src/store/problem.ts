/** Something that `verify` found. */
export interface Problem {
  /** File or record. */
  readonly where: string
  readonly what: string
}
