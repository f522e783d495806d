/** Carries out what the schedule says. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Checker } from './checker.ts'
import { deleteFloor, deleteStore, fillDisk, flipBytes } from './damage.ts'
import type { Fleet } from './fleet.ts'
import type { Member } from './member.ts'
import type { Random } from './random.ts'
import type { Planned } from './schedule.ts'

const START_MS = 60_000
/** No more of the fleet than this is down at once by what is done to single nodes: where starts are slow, less is done. */
const MOST_ILL = 1 / 3

export interface Scene {
  readonly fleet: Fleet
  readonly checker: Checker
  readonly random: Random
  readonly say: (text: string) => void
  /** What the bounds are multiplied by. */
  readonly patience: number
  /** Faults carried out, by kind. */
  readonly done: Record<string, number>
}

export async function carryOut(scene: Scene, fault: Planned): Promise<void> {
  const { members, seeds, regions } = scene.fleet
  if (fault.kind === 'all-seeds') {
    const down = seeds.filter(({ busy, up }) => !busy && up)
    if (down.length < seeds.length) return
    note(scene, fault, 'all seeds')
    await Promise.all(down.map((member) => alone(scene, member, { ...fault, kind: 'kill' })))
  } else if (fault.kind === 'partition') {
    const region = regions[fault.at] as string
    note(scene, fault, region)
    await parted(
      scene,
      members,
      new Set(members.filter((m) => m.region === region).map((m) => m.name)),
      fault,
    )
  } else {
    // only some have a disk of their own: those are filled in turn
    const able = fault.kind === 'fill-disk' ? members.filter(({ hasDisk }) => hasDisk) : members
    const member = able[fault.at % Math.max(1, able.length)]
    if (member === undefined) return
    if (fault.kind === 'cut') {
      note(scene, fault, member.name)
      await parted(scene, [member], new Set([member.name]), fault)
    } else if (fault.kind === 'slow') {
      note(scene, fault, member.name)
      await slowed(scene, member, fault)
    } else {
      // two faults of one process at once would be one, and a fleet that is down shows nothing
      const ill = members.filter(({ busy, ready }) => busy || !ready).length
      if (member.busy || !member.up || ill >= members.length * MOST_ILL) return
      note(scene, fault, member.name)
      await alone(scene, member, fault)
    }
  }
}

function note({ done, say }: Scene, { kind, forMs, delayMs }: Planned, whom: string): void {
  done[kind] = (done[kind] ?? 0) + 1
  say(
    `${kind} ${whom} for ${(forMs / 1_000).toFixed(1)} s${delayMs === undefined ? '' : ` by ${delayMs} ms`}`,
  )
}

/** @param touched those who have a link less */
async function parted(
  { fleet }: Scene,
  touched: readonly Member[],
  names: ReadonlySet<string>,
  { forMs }: Planned,
): Promise<void> {
  const over = touched.map((member) => member.trouble())
  const mend = fleet.links.cut(names)
  await delay(forMs)
  mend()
  for (const end of over) end()
}

async function slowed({ fleet }: Scene, member: Member, { forMs, delayMs = 0 }: Planned): Promise<void> {
  const over = member.trouble()
  const mend = fleet.links.slow(member.name, delayMs)
  await delay(forMs)
  mend()
  over()
}

async function alone(scene: Scene, member: Member, fault: Planned): Promise<void> {
  member.busy = true
  const over = member.trouble()
  try {
    if (fault.kind === 'stop') {
      member.freeze(true)
      await delay(fault.forMs)
      member.freeze(false)
    } else if (fault.kind === 'fill-disk') {
      const free = fillDisk(member.data)
      await delay(fault.forMs)
      free()
    } else {
      await down(scene, member, fault)
    }
  } finally {
    over()
    member.busy = false
  }
}

async function down(
  { checker, fleet, random, patience }: Scene,
  member: Member,
  fault: Planned,
): Promise<void> {
  await member.kill(fault.kind === 'upgrade' ? 'SIGTERM' : 'SIGKILL')
  if (fault.kind === 'delete-store') {
    deleteStore(member.data)
    checker.storeDamaged(member.name, 'deleted')
  }
  if (fault.kind === 'flip-bytes') {
    flipBytes(member.data, random)
    checker.storeDamaged(member.name, 'flipped')
  }
  if (fault.kind === 'delete-floor') {
    deleteFloor(member.trees)
    checker.floorRemoved(member.name)
  }
  if (fault.kind === 'upgrade') member.launcher = fleet.otherBuild(member.launcher)
  await delay(fault.forMs)
  await member.start(START_MS * patience)
}
