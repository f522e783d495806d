/**
 * Every way confmesh refuses or fails, as one closed list of stable codes. A code is what people search for:
 * it stands in the log line, in the metric `confmesh_refused_total{code}`, in problem+json and in the command
 * line's error, and `docs/errors.md` says of each what it means and what to do.
 */
export const CODES = [
  // Bytes and documents
  'CODEC_MALFORMED',
  'CODEC_UNSUPPORTED',
  // Limits
  'LIMIT_BYTES',
  'LIMIT_SIGNATURES',
  'LIMIT_CONTENT',
  'LIMIT_CHANNELS',
  'LIMIT_RATE',
  'LIMIT_STREAMS',
  'LIMIT_TIMEOUT',
  // Trust
  'TRUST_UNAUTHORISED',
  'TRUST_TYPE',
  'TRUST_ROOT_INVALID',
  'TRUST_ROOT_OLD',
  'TRUST_ROOT_GAP',
  'TRUST_ROOT_UNAUTHORISED',
  'TRUST_ROOT_FORK',
  'TRUST_ROOT_EXPIRED',
  'TRUST_ROOT_NARROWS',
  // Order
  'ORDER_MISPLACED',
  'ORDER_AHEAD',
  'ORDER_STALE',
  'ORDER_STALE_EPOCH',
  'ORDER_EQUIVOCATION',
  'ORDER_PLACE_TAKEN',
  // Freshness
  'SYNC_SILENT',
  'SYNC_BEHIND',
  'SYNC_CLOCK_OR_DELAY',
  // Content and blocks
  'CONTENT_DIGEST',
  'CONTENT_PATH',
  'CONTENT_EMPTY',
  'CONTENT_GONE',
  'FETCH_UNAVAILABLE',
  'BLOCK_DIGEST',
  'BLOCK_TIMEOUT',
  'BLOCK_UNWANTED',
  // Activation
  'ACTIVATE_EXPIRED',
  'ACTIVATE_UNHEALTHY',
  'ACTIVATE_UNSAFE_DIR',
  'ACTIVATE_DRIFT',
  'ACTIVATE_LEFTOVER',
  'ACTIVATE_FAILED',
  'ACTIVATE_UNSUPPORTED',
  'HOOK_TIMEOUT',
  'HOOK_FAILED',
  // Store
  'STORE_LOCKED',
  'STORE_FULL',
  'STORE_CORRUPT',
  'STORE_VERSION',
  'STORE_FLOOR_LOST',
  'STORE_FAILED',
  'STORE_SLOW',
  'STORE_MISSING',
  'STORE_GONE',
  // Network
  'ADMIT_REFUSED',
  'ADMIT_REMOVED',
  'ADMIT_EXPIRED',
  'ADMIT_LABELS',
  'NET_PEER_ID',
  'NET_DUPLICATE_ID',
  'NET_UNREACHABLE',
  'NET_TIMEOUT',
  'NET_LISTEN',
  'NET_PROTOCOL',
  // HTTP
  'API_HOST',
  'API_ENCODING',
  'API_NOT_FOUND',
  'API_BAD_REQUEST',
  'API_METHOD',
  'API_UNAUTHORISED',
  'API_RANGE',
  'API_BUSY',
  'API_UNAVAILABLE',
  // Configuration and command line
  'CONFIG_INVALID',
  'CONFIG_UNREADABLE',
  'CONFIG_API_PUBLIC',
  'CONFIG_KEY',
  'CONFIG_KEY_MODE',
  'USAGE',
  'RUNTIME_VERSION',
  'RUNTIME_PLATFORM',
  'INPUT_PATH',
  'INPUT_EXISTS',
  'PUBLISH_EXPECT',
  'PUBLISH_DECLINED',
  'PUBLISH_COUNTER',
  'SIGN_FAILED',
  'OUTPUT_FAILED',
  'INTERNAL',
] as const

export type Code = (typeof CODES)[number]

/** A broken promise or bad input. Ordinary outcomes (a duplicate, an older release) are verdicts, not errors. */
export class MeshError extends Error {
  readonly code: Code
  /** Small, plain, safe to print: never a key, never bytes. */
  readonly details: Readonly<Record<string, string | number | boolean>>

  /** @param message one line: what, where, what to do. */
  constructor(
    code: Code,
    message: string,
    details: Record<string, string | number | boolean> = {},
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.name = 'MeshError'
    this.code = code
    this.details = details
  }
}

export const isMeshError = (error: unknown): error is MeshError => error instanceof MeshError

const FULL: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EFBIG'])
/** Node has no name for a spent quota: Linux, macOS. */
const NAMELESS_QUOTA = /^Unknown system error -(122|69)$/

/** No room, quota, inode, or a read-only file system. @param code of an error of the system */
export const isFullCode = (code: unknown): boolean => FULL.has(code) || NAMELESS_QUOTA.test(String(code))

const FORBIDDEN: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM', 'EROFS'])

/** Nothing may be written there, now or later. @param code of an error of the system */
export const isForbiddenCode = (code: unknown): boolean => FORBIDDEN.has(code)

/** LevelDB's texts, on Windows the second. */
const HELD =
  /^IO error: (?:lock .*: (?:already held by process|Resource temporarily unavailable|Permission denied)$|LockFile )/s

/** A process has this LevelDB: its code alone stands for every failure to lock, also where a file system has no locks. */
export const isLockHeld = (error: Error): boolean =>
  'code' in error && error.code === 'LEVEL_LOCKED' && HELD.test(error.message)
