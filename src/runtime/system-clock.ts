import { type ClockPort, LONGEST_TIMER_MS, type Now } from './ports.ts'

/** The machine's clocks. Monotonic time comes from the process, so it never goes back and restarts with it. */
export function systemClock(): ClockPort {
  let timer: NodeJS.Timeout | undefined
  const now = (): Now => ({ monoMs: performance.now(), wallMs: Date.now() })
  return {
    now,
    wakeAt(monoMs, wake) {
      clearTimeout(timer)
      // setTimeout may fire up to 1 ms early; one more keeps a wake from finding nothing due and asking again.
      timer = setTimeout(
        wake,
        Math.min(Math.max(1, Math.ceil(monoMs - performance.now()) + 1), LONGEST_TIMER_MS),
      )
    },
    stop() {
      clearTimeout(timer)
    },
  }
}
