import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The package's version; the manifest lies two folders up, from `src` and from `dist` alike. */
export const VERSION: string = (
  JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string }
).version
