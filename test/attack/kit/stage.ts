/** Starts the two sides of an attack and takes them down after each test. */
import { afterEach } from 'vitest'
import { AttackedFleet, type FleetOptions } from './fleet.ts'
import { Hostile, type HostileOptions } from './hostile.ts'
import { Victim, type VictimOptions } from './victim.ts'

export interface Stage {
  readonly fleet: (options?: FleetOptions) => AttackedFleet
  readonly victim: (fleet: AttackedFleet, options?: VictimOptions) => Promise<Victim>
  /** Admitted, with a gossip stream. */
  readonly joined: (fleet: AttackedFleet, victim: Victim) => Promise<Hostile>
  readonly hostile: (fleet: AttackedFleet, options?: HostileOptions) => Promise<Hostile>
}

/** Call once at the top of a test file. */
export function stage(): Stage {
  const running: { stop(): Promise<void> }[] = []
  const keep = <T extends { stop(): Promise<void> }>(started: T): T => {
    running.push(started)
    return started
  }
  afterEach(async () => {
    // attackers first: a node that stops waits for its connections
    for (const each of running.splice(0).reverse()) await each.stop()
  })
  return {
    fleet: (options) => new AttackedFleet(options),
    victim: async (fleet, options) => keep(await Victim.start(fleet, options)),
    joined: async (fleet, victim) => keep(await Hostile.joined(fleet, victim.address)),
    hostile: async (fleet, options) => keep(await Hostile.start(fleet, options)),
  }
}
