/**
 * Channels of others: relayed, never stored. Of each only the greatest place and the ids there are remembered, in
 * memory, so that old releases are not relayed for ever; the channel raised longest ago goes.
 */
import type { Floor } from '../model/floor.ts'
import type { Channel, FleetId } from '../model/ids.ts'
import { comparePlaces, placeBefore } from '../model/place.ts'
import type { Release } from '../model/release.ts'
import type { Verdict } from './journey.ts'
import { LatestMap } from './latest.ts'
import { judge, type OrderContext, orderFloor } from './order.ts'
import { createBucket } from './rate.ts'

/** New channels a second once the table is full: a flood of names must not turn the table over. */
export const NEW_WHEN_FULL_PER_SECOND = 10
export const NEW_WHEN_FULL_BURST = 100

export interface Relayed {
  order(release: Release, context: OrderContext, monoMs: number, hold: boolean): Verdict
  /** Epochs may have risen: places below them are forgotten. */
  raise(epochOf: (channel: Channel) => number): void
  readonly size: number
}

export function createRelayed(maxChannels: number): Relayed {
  const floors = new LatestMap<Channel, Floor>(maxChannels)
  const bucket = createBucket(NEW_WHEN_FULL_PER_SECOND, NEW_WHEN_FULL_BURST)

  return {
    order(release, context, monoMs, hold) {
      const { channel } = release.header
      const known = floors.get(channel)
      const floor = known ?? emptyFloor(context.fleet, channel, context.epoch)
      const refusal = judge(floor, release, context)
      if (refusal !== undefined) return refusal
      const { verdict, floor: next } = orderFloor(floor, release, context.epoch)
      if (next === floor || hold) return verdict
      if (known === undefined && floors.size >= maxChannels && !bucket.take(monoMs)) return 'RATE'
      floors.set(channel, next)
      return verdict
    },
    raise(epochOf) {
      for (const [channel, floor] of floors)
        if (comparePlaces(placeBefore(epochOf(channel)), floor.top) > 0) floors.delete(channel)
    },
    get size() {
      return floors.size
    },
  }
}

const emptyFloor = (fleet: FleetId, channel: Channel, epoch: number): Floor => ({
  fleet,
  channel,
  top: placeBefore(epoch),
  ids: [],
})
