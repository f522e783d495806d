import type { CoreChannelView } from '../../core/view.ts'
import type { Channel, Digest, ReleaseId } from '../../model/ids.ts'
import type { OnDisk, SimDisk } from '../disk.ts'
import type { Made } from '../fleet.ts'
import type { SimNode } from '../node.ts'
import { type Broken, label } from './broken.ts'
import { type Entry, order, type Place, type Published, shown } from './published.ts'

/** What must hold everywhere once every fault is over, worked out from what was published and what disks hold. */
interface Expected {
  readonly place: Place
  readonly entries: readonly Entry[]
}

/** A release that a seed acknowledged: by its disk, and how much that had lost by then. */
export interface Acknowledged {
  readonly disk: SimDisk
  readonly losses: number
}

interface Known {
  /** Releases that lie on some disk. */
  readonly anywhere: ReadonlySet<ReleaseId>
  /** Pages and blocks that lie on some disk. */
  readonly blocks: ReadonlySet<Digest>
  /** It must lie on some disk, whole: the seed that acknowledged it lost nothing since. */
  readonly safe: (id: ReleaseId) => boolean
  readonly sick: ReadonlySet<ReleaseId>
  readonly published: Published
}

/** Promises 3, 4, 7, 11 and 13 at the end of a run: what is still wrong, or undefined. */
export function unsettled(
  nodes: readonly SimNode[],
  published: Published,
  acknowledged: ReadonlyMap<ReleaseId, Acknowledged>,
  sick: ReadonlySet<ReleaseId>,
): Broken | undefined {
  const disks = nodes.map((node) => node.parts.disk.onDisk())
  const root = Math.max(...disks.map((disk) => disk.root.version))
  const anywhere = new Set(disks.flatMap((disk) => [...disk.envelopes.keys()]))
  const blocks = new Set(disks.flatMap((disk) => [...disk.blocks]))
  const safe = (id: ReleaseId): boolean => {
    const by = acknowledged.get(id)
    return by !== undefined && by.disk.losses === by.losses
  }
  const expected = expectation(published, root, (id) => safe(id) || anywhere.has(id))
  const known: Known = { anywhere, blocks, safe, sick, published }
  for (const [at, node] of nodes.entries()) {
    const disk = disks[at] as OnDisk
    const broken = rootProblem(node, disk, root) ?? channelProblem(node, disk, expected, known)
    if (broken !== undefined) return { ...broken, text: `${label(node.peer)}: ${broken.text}` }
  }
  return undefined
}

function expectation(
  published: Published,
  root: number,
  known: (id: ReleaseId) => boolean,
): Map<Channel, Expected> {
  const top = new Map<Channel, Expected>()
  for (const entry of published.all()) {
    const { channel, root: madeUnder } = entry.made.header
    const epoch = published.epochOf(channel, root)
    if (entry.right === 'forged' || madeUnder > root || madeUnder < epoch || !known(entry.made.id)) continue
    const place = { ...published.placeOf(entry.made), epoch }
    const best = top.get(channel)
    const difference = best === undefined ? 1 : order(place, best.place)
    if (difference > 0) top.set(channel, { place, entries: [entry] })
    else if (difference === 0) top.set(channel, { place, entries: [...(best?.entries ?? []), entry] })
  }
  return top
}

function rootProblem(node: SimNode, disk: OnDisk, root: number): Broken | undefined {
  if (!node.alive) return { promise: 7, text: 'is down' }
  if (disk.root.version === root) return undefined
  return { promise: 7, text: `is at root ${disk.root.version}, others at ${root}` }
}

function channelProblem(
  node: SimNode,
  disk: OnDisk,
  expected: ReadonlyMap<Channel, Expected>,
  known: Known,
): Broken | undefined {
  const entries = new Map(node.view()?.channels.map((entry) => [entry.channel, entry]))
  for (const [channel, { place, entries: best }] of expected) {
    // A lost disk kept a floor that names what nobody has any more: such a node waits for a greater place, rightly.
    const lost = disk.floors.get(channel)?.ids.some((id) => !known.anywhere.has(id)) === true
    const [target] = best
    if ((node.parts.disk.hurt && lost) || target === undefined) continue
    const entry = entries.get(channel)
    const broken =
      best.length > 1
        ? heldProblem(entry, best)
        : known.sick.has(target.made.id)
          ? undefined
          : (thiefProblem(node, target, known.published) ?? targetProblem(node, entry, target, known))
    if (broken !== undefined) return { ...broken, text: `${channel} at ${shown(place)}: ${broken.text}` }
  }
  return undefined
}

function heldProblem(entry: CoreChannelView | undefined, best: readonly Entry[]): Broken | undefined {
  const ids = best.map(({ made }) => made.id.slice(0, 8)).join(' and ')
  return entry?.held === true
    ? undefined
    : { promise: 4, text: `${ids} are in one place, yet it is not held` }
}

/** A thief's release is still shown although the publisher's own came after the root that ended its epoch. */
function thiefProblem(node: SimNode, { made, right }: Entry, published: Published): Broken | undefined {
  const tree = node.parts.files.trees.get(made.header.channel)
  const stolen = tree !== undefined && published.get(tree.release)?.right === 'stolen'
  if (!stolen || right === 'stolen') return undefined
  return { promise: 3, text: `shows a thief's ${tree.release.slice(0, 8)} after recovery` }
}

function targetProblem(
  node: SimNode,
  entry: CoreChannelView | undefined,
  { made }: Entry,
  known: Known,
): Broken | undefined {
  if (entry === undefined) return { promise: 7, text: 'unknown' }
  if (entry.held) return { promise: 13, text: 'held, though one release alone is in that place' }
  const id = made.id.slice(0, 8)
  const tree = node.parts.files.trees.get(made.header.channel)
  if (tree?.release !== made.id || entry.active?.id !== made.id) {
    if (!obtainable(made, known))
      return entry.gate === 'content'
        ? undefined
        : { promise: 7, text: `${id} cannot be had, yet the gate is ${entry.gate ?? 'none'}` }
    const text = `shows ${tree?.release.slice(0, 8) ?? 'nothing'} instead of ${id}, gate ${entry.gate ?? 'none'}`
    return { promise: 7, text }
  }
  const same = [...made.files].every(([path, digest]) => tree.files.get(path) === digest)
  return same || !obtainable(made, known) ? undefined : { promise: 11, text: `files of ${id} stay damaged` }
}

/**
 * Its content lies on some disk, or must. An envelope alone can get about whose publisher was lost before the upload, or
 * that was acknowledged in a partition by one seed, whose disk then loses it; all a node can do then is to say that it
 * waits for content, unless it shows it: a block may have been lost since, on the only disk that had it.
 */
function obtainable({ id, content }: Made, { safe, blocks }: Known): boolean {
  return safe(id) || [...content.keys()].every((digest) => blocks.has(digest))
}
