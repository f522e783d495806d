// Writes docs/metrics.md from the table of metrics: `npm run docs:metrics`. A test compares the two.

import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { metricsDocument } from './metrics-text.ts'

writeFileSync(join(resolve(import.meta.dirname, '..'), 'docs/metrics.md'), metricsDocument())
