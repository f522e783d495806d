import type { CoreFacts } from '../core/view.ts'
import type { Channel, ReleaseId } from '../model/ids.ts'
import type { Core } from '../runtime/driver.ts'
import type { Event, Write } from '../runtime/ports.ts'
import type { DaemonView } from './view.ts'

export type OnContent = (bytes: number) => void

/**
 * Watchers hear of what is active once the core has taken it in: then the view shows it. Not activations alone change it:
 * a root may end a step back, and what files show may become whole, which it is once that is on disk.
 */
export const heard = (
  core: Core & Pick<CoreFacts, 'release'>,
  view: Pick<DaemonView, 'activated'>,
  onContent?: OnContent,
): Core => {
  const whole = new WholeSoon()
  return {
    handle(event, now) {
      const effects = core.handle(event, now)
      const channels = new Set(event.kind === 'activated' ? [event.channel] : [])
      for (const release of whole.ended(event)) {
        // What was replaced meanwhile is not kept any longer.
        const kept = core.release(release)
        if (kept !== undefined) channels.add(kept.header.channel)
      }
      for (const effect of effects) {
        if (effect.kind !== 'persist') continue
        whole.begun(effect.ticket, effect.writes)
        for (const channel of recordsIn(effect.writes)) channels.add(channel)
        onContent?.(blockBytes(effect.writes))
      }
      for (const channel of channels) view.activated(channel)
      return effects
    },
  }
}

/** Releases that are whole once a write under way is on disk: each write ends, one way or the other. */
class WholeSoon {
  readonly #releases = new Map<number, readonly ReleaseId[]>()

  begun(ticket: number, writes: readonly Write[]): void {
    const releases = writes.flatMap((write) => (write.kind === 'whole' ? [write.release] : []))
    if (releases.length > 0) this.#releases.set(ticket, releases)
  }

  /** @returns what this event makes whole */
  ended(event: Event): readonly ReleaseId[] {
    if (event.kind !== 'persisted' && event.kind !== 'persistFailed') return []
    const releases = this.#releases.get(event.ticket) ?? []
    this.#releases.delete(event.ticket)
    return event.kind === 'persisted' ? releases : []
  }
}

const blockBytes = (writes: readonly Write[]): number =>
  writes.reduce((sum, write) => sum + (write.kind === 'block' ? write.bytes.length : 0), 0)

/** Channels that may have another release active by this. */
const recordsIn = (writes: readonly Write[]): readonly Channel[] =>
  writes.flatMap((write) => (write.kind === 'channel' ? [write.record.channel] : []))
