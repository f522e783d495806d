import { isSendable } from '../client/token.ts'

/** Why this is no bearer token, and what is; undefined where it is one. */
export function tokenProblem(token: string): { readonly is: string; readonly wanted: string } | undefined {
  if (!isSendable(token)) return { is: 'more than one line, or not all ASCII', wanted: 'one line of ASCII' }
  if (token.length < 16) return { is: `${token.length} characters`, wanted: 'at least 16' }
  return undefined
}
