export interface Finding {
  readonly check: string
  readonly ok: boolean
  /** What was found. */
  readonly text: string
  /** What to do, where something is wrong. */
  readonly advice?: string
}

/** Advice where it is this user who may not look. */
export const AS_ITS_USER = "run confmesh doctor as the node's user"

export const fine = (check: string, text: string): Finding => ({ check, ok: true, text })
export const wrong = (check: string, text: string, advice: string): Finding => ({
  check,
  ok: false,
  text,
  advice,
})
