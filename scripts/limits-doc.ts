// Writes docs/limits.md from src/limits.ts: `npm run docs:limits`. A test compares the two.

import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { limitsDocument } from './limits-text.ts'

writeFileSync(join(resolve(import.meta.dirname, '..'), 'docs/limits.md'), limitsDocument())
