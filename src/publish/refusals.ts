/** Codes that come over the wire: a seed may be of a later version and know more than we do. */
import { CODES, type Code } from '../errors.ts'

const KNOWN: ReadonlySet<string> = new Set(CODES)

export const codeOf = (text: string): Code => (KNOWN.has(text) ? (text as Code) : 'NET_PROTOCOL')
