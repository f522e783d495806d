import { z } from 'zod'
import { isMeshError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { parsePattern } from '../model/names.ts'

const text = z.string().min(1)
/** The most that a hook or check may take, or a release be watched: a day. */
export const MOST_MS = 86_400_000
const milliseconds = z.int().min(1).max(MOST_MS)
const octalForm = 'an octal mode as text, in quotes, such as "0440"'
/** Without quotes YAML takes it for a number, and a decimal one. */
const octal = z.string(octalForm).regex(/^0[0-7]{3}$/, octalForm)
const label = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'lower-case letters, digits, "._-", at most 63')
/** Checked here, so that the error names file and line. */
const pattern = text.superRefine((value, context) => {
  try {
    parsePattern(value)
  } catch (error) {
    if (!isMeshError(error)) throw error
    context.addIssue({ code: 'custom', message: error.message })
  }
})

const hook = z.strictObject({
  channels: z.array(pattern).min(1),
  command: z.array(text).min(1),
  /** `limits.hookTimeoutMs` unless said. */
  timeoutMs: milliseconds.optional(),
})

/** The node's configuration file: closed, so that a misspelt key is an error and not a silent default. */
export const CONFIG_SCHEMA = z.strictObject({
  root: text,
  data: text,
  listen: z.array(text).default(['/ip4/0.0.0.0/tcp/0']),
  announce: z.array(text).default([]),
  seeds: z.array(text).default([]),
  labels: z.record(label, label).default({}),
  channels: z.array(pattern).min(1).max(LIMITS.maxPatterns).default(['**']),
  admission: z
    .union([z.strictObject({ certificate: text }), z.strictObject({ pool: text, poolKey: text })], {
      error: 'either certificate, or pool and poolKey',
    })
    .optional(),
  submit: z.boolean().default(false),
  gateway: z.enum(['auto', 'last']).default('auto'),
  freshness: z.strictObject({ key: text }).optional(),
  materialize: z
    .strictObject({ dir: text, mode: octal.optional(), group: z.union([z.int().min(0), text]).optional() })
    .optional(),
  floorDir: text.optional(),
  hooks: z.array(hook).default([]),
  health: z
    .strictObject({
      command: z.array(text).min(1).optional(),
      /** `limits.healthTimeoutMs` and `limits.soakMs` unless said. */
      timeoutMs: milliseconds.optional(),
      soakMs: z.int().min(0).max(MOST_MS).optional(),
    })
    .default({}),
  api: z
    .strictObject({
      listen: text.default('127.0.0.1:7480'),
      public: z.boolean().default(false),
      tokenFile: text.optional(),
      hosts: z.array(text).default([]),
    })
    .default({ listen: '127.0.0.1:7480', public: false, hosts: [] }),
  log: z
    .strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') })
    .default({ level: 'info' }),
  keepReleases: z.int().min(1).max(1_000).optional(),
  limits: z.record(z.string(), z.number().min(0)).default({}),
})

export type FileConfig = z.output<typeof CONFIG_SCHEMA>
