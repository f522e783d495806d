/** What long work says on its way: see `progress` of output.ts for who hears it. */
import type { Progress } from '../publish/submit.ts'
import { progress, warn } from './output.ts'
import { size } from './text.ts'

/** A step takes minutes where a line is slow, or files are many and small. */
const AGAIN_MS = 5_000

/** Says a line at each new step, and again after five seconds within one. @param first the step that needs no line */
function atSteps(first: number): (step: number, text: () => string) => void {
  let shown = first
  let shownMs = performance.now()
  return (step, text) => {
    const nowMs = performance.now()
    if (step === shown && nowMs - shownMs < AGAIN_MS) return
    shown = step
    shownMs = nowMs
    progress(text())
  }
}

/**
 * Of an upload, a line for each hundredth, and of the wait for the seed's word after it.
 * @param mostBytes what a seed can lack; it has what has not changed
 */
export function tellUpload(mostBytes: number): Required<Progress> {
  const tell = atSteps(-1)
  return {
    onProgress(bytes) {
      const percent = Math.floor((bytes / mostBytes) * 100)
      tell(percent, () => `${size(bytes)} of at most ${size(mostBytes)} uploaded`)
    },
    onWait(seed, waitedMs) {
      const seconds = Math.round(waitedMs / 1_000)
      progress(`seed ${seed} has all of it and brings it to a second one: ${seconds} s so far`)
    },
    onBusy(_seed, { message }) {
      progress(`${message}; asked again`)
    },
    onLost(seed, { code }) {
      const silent = code.startsWith('NET_') ? 'went silent' : 'cannot take it'
      const what = code === 'CONTENT_GONE' ? 'no longer holds all of it' : `${silent} (${code})`
      warn(`seed ${seed} ${what}; the next one is asked what it lacks`)
    },
  }
}

/**
 * Of what has no known end, a line for each GiB.
 * @param what with the amount before it: `read`
 * @returns takes how much it is by now
 */
export function tellBytes(what: string): (bytes: number) => void {
  const tell = atSteps(0)
  return (bytes) => tell(Math.floor(bytes / 2 ** 30), () => `${size(bytes)} ${what}`)
}

/** The same, by each part. @returns takes how much more it is */
export function tellParts(what: string): (bytes: number) => void {
  const tell = tellBytes(what)
  let total = 0
  return (bytes) => {
    total += bytes
    tell(total)
  }
}
