import type { CoreFacts } from '../core/view.ts'
import type { Channel } from '../model/ids.ts'
import type { Core } from '../runtime/driver.ts'
import type { Write } from '../runtime/ports.ts'
import type { DaemonView } from './view.ts'

export type OnContent = (bytes: number) => void

/**
 * Watchers hear of what is active once the core has taken it in: then the view shows it. Not activations alone change it:
 * a root may end a step back, and what files show may become whole.
 */
export const heard = (
  core: Core & Pick<CoreFacts, 'release'>,
  view: Pick<DaemonView, 'activated'>,
  onContent?: OnContent,
): Core => ({
  handle(event, now) {
    const effects = core.handle(event, now)
    const channels = new Set(event.kind === 'activated' ? [event.channel] : [])
    for (const effect of effects) {
      if (effect.kind !== 'persist') continue
      for (const write of effect.writes) {
        const channel = channelOf(write, core)
        if (channel !== undefined) channels.add(channel)
      }
      onContent?.(blockBytes(effect.writes))
    }
    for (const channel of channels) view.activated(channel)
    return effects
  },
})

const blockBytes = (writes: readonly Write[]): number =>
  writes.reduce((sum, write) => sum + (write.kind === 'block' ? write.bytes.length : 0), 0)

/** The channel that may have another release active by this. */
function channelOf(write: Write, core: Pick<CoreFacts, 'release'>): Channel | undefined {
  if (write.kind === 'channel') return write.record.channel
  return write.kind === 'whole' ? core.release(write.release)?.header.channel : undefined
}
