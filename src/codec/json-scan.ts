/** Bounds of a JSON text, counted without recursion before it is parsed. */
import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'

const malformed = (reason: string): MeshError => new MeshError('CODEC_MALFORMED', `json: ${reason}`)

/** Skips a string; `at` is behind its opening quote. Returns the index behind the closing one. */
function skipString(text: string, at: number): number {
  for (let index = at; index < text.length; index++) {
    const unit = text[index]
    if (unit === '"') return index + 1
    if (unit === '\\') index++
  }
  throw malformed('a string does not end')
}

/**
 * @returns how many names (`"name":`) the text holds. More than the parsed value has means a duplicate key.
 * @throws MeshError CODEC_MALFORMED beyond `maxDepth` or `maxItems`
 */
export function scanJson(text: string, limits: Pick<Limits, 'maxDepth' | 'maxItems'>): number {
  let depth = 0
  let items = 1
  let names = 0
  for (let at = 0; at < text.length; ) {
    const unit = text[at++]
    if (unit === '"') at = skipString(text, at)
    else if (unit === ':') names++
    else if (unit === ',') items++
    else if (unit === '{' || unit === '[') {
      items++
      if (++depth > limits.maxDepth) throw malformed(`nested deeper than ${limits.maxDepth}`)
    } else if (unit === '}' || unit === ']') depth--
    if (items > limits.maxItems) throw malformed(`more than ${limits.maxItems} items`)
  }
  return names
}

/** Names in a parsed value of bounded depth. `__proto__` is refused: on a plain object it is no ordinary name. */
export function countNames(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let names = 0
  for (const [name, entry] of Object.entries(value)) {
    if (name === '__proto__') throw malformed('forbidden key "__proto__"')
    if (!Array.isArray(value)) names++
    names += countNames(entry)
  }
  return names
}
