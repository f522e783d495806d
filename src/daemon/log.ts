import { type Logger, pino } from 'pino'
import type { Limits } from '../limits.ts'
import { printable } from '../model/printable.ts'
import type { LogPort } from '../runtime/ports.ts'
import { paints } from './paints.ts'

/** Of one line; peers have a say in some. */
const MAX_TEXT_CHARS = 500

/** Kept for a log that takes nothing, such as a full disk or pipe; later lines are lost until it takes these. */
const MAX_UNWRITTEN_BYTES = 256 * 1024

/** A try is one write of at most 16 KiB; lines of a node that has nothing more to say must not lie here for long. */
const TRY_AGAIN_MS = 1_000

/** JSON lines on stderr, readable ones on a terminal, painted where it may be. stdout belongs to the command. */
export async function createLogger(level: string): Promise<Logger> {
  const base = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  const lines = linesToStderr()
  if (process.stderr.isTTY !== true) return pino(base, lines)
  // Only there: a service does not carry what paints for people.
  const { prettyFactory } = await import('pino-pretty')
  const painted = prettyFactory({ colorize: paints(process.env), ignore: 'pid,hostname' })
  return pino(base, { write: (line) => lines.write(painted(line)) })
}

/** A node serves on without a log, and never waits for whoever reads it. What was not written is tried again by itself. */
function linesToStderr() {
  // A pipe that is full refuses a line (EAGAIN); by default the whole process would sleep until its reader takes some.
  const retryEAGAIN = () => false
  const lines = pino.destination({ dest: 2, sync: true, maxLength: MAX_UNWRITTEN_BYTES, retryEAGAIN })
  let isWaiting = false
  const tryAgain = (): void => {
    isWaiting = false
    process.off('exit', tryAgain)
    lines.write('')
  }
  lines.on('error', () => {
    if (isWaiting) return
    isWaiting = true
    // At its end no timer runs, and a reader that is slow may have made room by then.
    process.once('exit', tryAgain)
    setTimeout(tryAgain, TRY_AGAIN_MS * (1 + Math.random() / 4)).unref()
  })
  return lines
}

/**
 * Notes of the core: a refusal is counted where it is logged, so that neither happens without the other. Of each code
 * only so many lines are written; the rest is counted, and its number said with the next line.
 */
export function logPort(
  logger: Logger,
  refused: (code: string) => void,
  limits: Pick<Limits, 'logLinesPerSecond' | 'logLinesBurst'>,
): LogPort {
  const lines = new LineBudget(limits.logLinesPerSecond, limits.logLinesBurst)
  return {
    note({ kind: _kind, level, code, text, ...fields }) {
      if (logger.isLevelEnabled(level)) {
        const leftOut = lines.take(code)
        if (leftOut !== undefined)
          logger[level](
            { code, ...fields, ...(leftOut > 0 ? { leftOut } : {}) },
            printable(text, MAX_TEXT_CHARS),
          )
      }
      if (
        level === 'warn' ||
        level === 'error' ||
        /^(TRUST|ORDER|CODEC|LIMIT|ADMIT|BLOCK|CONTENT|SYNC|FETCH|NET|HOOK|ACTIVATE|STORE)_/.test(code)
      )
        refused(code)
    },
  }
}

/** Codes are a closed list, so this is as large as that. */
class LineBudget {
  readonly #perSecond: number
  readonly #burst: number
  readonly #byCode = new Map<string, { tokens: number; atMs: number; leftOut: number }>()

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond
    this.#burst = burst
  }

  /** Undefined: leave it out. Else how many were left out before it. */
  take(code: string): number | undefined {
    const nowMs = performance.now()
    const budget = this.#byCode.get(code) ?? { tokens: this.#burst, atMs: nowMs, leftOut: 0 }
    this.#byCode.set(code, budget)
    const gained = ((nowMs - budget.atMs) / 1_000) * this.#perSecond
    budget.tokens = Math.min(this.#burst, budget.tokens + gained)
    budget.atMs = nowMs
    if (budget.tokens < 1) {
      budget.leftOut += 1
      return undefined
    }
    budget.tokens -= 1
    const { leftOut } = budget
    budget.leftOut = 0
    return leftOut
  }
}
