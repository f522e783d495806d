export interface Finding {
  readonly check: string
  readonly ok: boolean
  /** What was found. */
  readonly text: string
  /** What to do, where something is wrong. */
  readonly advice?: string
}

export const fine = (check: string, text: string): Finding => ({ check, ok: true, text })
export const wrong = (check: string, text: string, advice: string): Finding => ({
  check,
  ok: false,
  text,
  advice,
})
