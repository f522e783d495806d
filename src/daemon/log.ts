import { type Logger, pino } from 'pino'
import type { LogPort } from '../runtime/ports.ts'

/** JSON lines on stderr, readable ones on a terminal. stdout belongs to the command. */
export async function createLogger(level: string): Promise<Logger> {
  const base = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  if (process.stderr.isTTY === true) {
    // Only there: a service does not carry what paints for people.
    const { default: pretty } = await import('pino-pretty')
    return pino(base, pretty({ colorize: true, sync: true, destination: 2, ignore: 'pid,hostname' }))
  }
  return pino(base, pino.destination({ dest: 2, sync: true }))
}

/** Notes of the core: a refusal is counted where it is logged, so that neither happens without the other. */
export function logPort(logger: Logger, refused: (code: string) => void): LogPort {
  return {
    note({ kind: _kind, level, code, text, ...fields }) {
      logger[level]({ code, ...fields }, printable(text))
      if (
        level === 'warn' ||
        level === 'error' ||
        /^(TRUST|ORDER|CODEC|LIMIT|ADMIT|BLOCK|CONTENT|SYNC|FETCH|NET|HOOK|ACTIVATE|STORE)_/.test(code)
      )
        refused(code)
    },
  }
}

/** Text from peers must not steer a terminal: control and bidi characters are shown as escapes, length is cut. */
function printable(text: string): string {
  const cut = text.length > 500 ? `${text.slice(0, 500)}…` : text
  return cut.replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Co}]/gu,
    (char) => `\\u{${char.codePointAt(0)?.toString(16) ?? ''}}`,
  )
}
