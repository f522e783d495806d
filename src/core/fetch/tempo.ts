/** What is learnt of how fast blocks come, each way by itself: how long one may take, and how many may be asked for at once. */
import type { Limits } from '../../limits.ts'
import type { Patience, Way } from './patience.ts'
import { FAR, NEAR, WantWindow } from './want-window.ts'
import type { Asked } from './wants.ts'
import { WayPause } from './way-pause.ts'

interface Lane {
  readonly window: WantWindow
  readonly pause: WayPause
  /** When a block came this way last. */
  cameMonoMs: number
  /** When that one was asked for, of those that came in time, which was asked for last. */
  quickMonoMs: number
}

export class Tempo {
  readonly #limits: Limits
  readonly #patience: Patience
  readonly #lanes: Readonly<Record<Way, Lane>>

  constructor(limits: Limits, patience: Patience, random: () => number) {
    this.#limits = limits
    this.#patience = patience
    const lane = (shape: typeof NEAR): Lane => ({
      window: new WantWindow(limits.maxWants, shape),
      pause: new WayPause(limits.blockDeadlineMs, random),
      cameMonoMs: Number.NEGATIVE_INFINITY,
      quickMonoMs: Number.NEGATIVE_INFINITY,
    })
    this.#lanes = { near: lane(NEAR), seed: lane(FAR), border: lane(FAR) }
  }

  /**
   * A release of few blocks does not wait behind a large one: of neighbours, who are many, it is asked for all at once, and
   * where all come by one way for one more than of others.
   * @param underWay this way, without those that count as silent
   */
  isOpen(way: Way, underWay: number, isFew: boolean, monoMs: number): boolean {
    const { window, pause } = this.#lanes[way]
    if (way === 'near') return isFew || window.isOpen(underWay)
    return pause.isOver(monoMs) && window.isOpen(isFew ? underWay - 1 : underWay)
  }

  /** One more that may be asked, or one that was restarted: why nothing came that way may be over. */
  joined(way: Way): void {
    this.#lanes[way].pause.lift()
  }

  /**
   * Of a seed, or over a border, one that is late says nothing of the way where one that was asked for after it was not: its
   * sender was slow, or stood still. Else it halves the window, however few are under way at the end of a release: these begin
   * with all at once, and from one on the window would grow by one a round, through all releases to come.
   *
   * Of a neighbour that was passed over, such a one counts as taking as long as that: one in a hundred changes little, of which
   * ten seconds would have made others wait through many releases; one in five is more than chance, and soon counts whole.
   * @param others questions that go the same way and do not count as silent
   */
  came({ way, sinceMonoMs, silent = false }: Asked, others: number, monoMs: number): void {
    const lane = this.#lanes[way]
    const isOnlyItsOwn = way === 'near' && silent && sinceMonoMs < lane.quickMonoMs
    const most = isOnlyItsOwn ? this.#patience.silenceMs(way, 0) : Number.POSITIVE_INFINITY
    this.#patience.answered(Math.min(monoMs - sinceMonoMs, most), way)
    lane.cameMonoMs = monoMs
    lane.pause.end()
    const isLate = lane.window.isLate(sinceMonoMs, silent, monoMs)
    if (!isLate) lane.quickMonoMs = Math.max(lane.quickMonoMs, sinceMonoMs)
    const isFarLate = isLate && way !== 'near'
    if (isFarLate && sinceMonoMs < lane.quickMonoMs) return
    lane.window.arrived(isFarLate ? Number.POSITIVE_INFINITY : others + 1, sinceMonoMs, silent, monoMs)
  }

  /** Blocks come that way, asked for whenever: whoever says nothing does so by itself, and not for a way that is slow. */
  hasCome({ way, sinceMonoMs }: Asked): boolean {
    return this.#lanes[way].cameMonoMs > sinceMonoMs
  }

  /**
   * A peer counts as silent from now on. Where all blocks come by one way, and none did since it was asked, it may be the way
   * that is slow: all that is under way asked for of others, too, would make it slower.
   */
  silent({ way, sinceMonoMs }: Asked, monoMs: number): void {
    const lane = this.#lanes[way]
    if (way !== 'near' && lane.cameMonoMs <= sinceMonoMs) lane.window.nothingCame(sinceMonoMs, monoMs)
  }

  /**
   * A peer from which bytes came gave no block until the deadline, nor did any other this way since it was asked: the way is
   * slower than that, and shared by fewer something comes of it. Were others quicker meanwhile, it is that one's fault, and
   * says nothing of the way. Nor does one that ends much later than the deadline: this node was busy, or stood still.
   */
  cutOff({ way, sinceMonoMs }: Asked, others: number, monoMs: number): void {
    const lane = this.#lanes[way]
    if (lane.cameMonoMs > sinceMonoMs) return
    const { blockDeadlineMs, repairMs } = this.#limits
    if (monoMs - sinceMonoMs > blockDeadlineMs + repairMs) return
    this.#patience.answered(monoMs - sinceMonoMs, way)
    // Asked for with as few as can be, and still too many: there are others that ask.
    if (way !== 'near' && lane.window.wasLeast(sinceMonoMs)) lane.pause.begin(sinceMonoMs, monoMs)
    lane.window.arrived(others + 1, sinceMonoMs, true, monoMs)
  }
}
