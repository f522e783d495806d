/** What a step of the root leads to beside what it says: from both roots alone, so that everybody who signs hears the same. */
import { formatTime } from '../codec/json-fields.ts'
import { LIMITS } from '../limits.ts'
import type { TrustRoot } from '../model/root.ts'
import { raisedBy } from '../trust/describe.ts'
import { roomier } from '../trust/successor.ts'

export const notesOn = (old: TrustRoot, next: TrustRoot): readonly string[] => [
  ...onEpochs(old, next),
  ...onAdmission(old, next),
  ...onFreshness(old, next),
  ...onRemovedNodes(old, next),
  ...onRemovedPools(old, next),
]

function onEpochs(old: TrustRoot, next: TrustRoot): string[] {
  if (raisedBy(old, next).length === 0) return []
  return [
    "no host goes back to what is of an ended epoch: until a release of the new one has soaked there, one that fails its health check stays; publish first what is known to pass it, such as what runs now, unless that may be a thief's",
    ...onRoom(next),
  ]
}

/** So many epochs are told of: a quarter of what a root may have is left, and no key has been stolen yet. */
const MANY_EPOCHS = (3 * LIMITS.maxEpochs) / 4

function onRoom({ epochs }: TrustRoot): string[] {
  if (epochs.length < MANY_EPOCHS) return []
  return [
    `a root may have ${LIMITS.maxEpochs} epochs, and this one has ${epochs.length}: one goes only where a pattern that covers it is raised, so make room while there is time for the releases that this needs, such as by confmesh trust raise-epoch '${roomier(epochs, MANY_EPOCHS - 1)}'`,
  ]
}

function onAdmission({ admission: old }: TrustRoot, { admission: next }: TrustRoot): string[] {
  const gone = old.keys.filter((id) => !next.keys.includes(id))
  if (gone.length === 0) return []
  if (next.keys.length === 0) return [NOBODY]
  return gone.map(
    (id) =>
      `every node and pool that admission key ${id.slice(0, 12)} admitted is cut off once this root arrives; what another admission key admitted stays`,
  )
}

const NOBODY =
  'THE WHOLE FLEET IS SHUT OUT, for no admission key is left: once this root arrives every node cuts off every other, no certificate counts any more, and no release reaches any node but the seeds; what is active stays. A later root that names an admission key ends that'

function onFreshness({ freshness: old }: TrustRoot, { freshness: next }: TrustRoot): string[] {
  if (old.keys.length === 0 || next.keys.length > 0) return []
  return [
    'no freshness key is left: no node finds out any more that it is behind or cut off; `stale` is said only after a raised epoch and after the end of a release',
  ]
}

function onRemovedNodes(old: TrustRoot, next: TrustRoot): string[] {
  const before = new Map(old.removed.peers.map(({ id, until }) => [id, until]))
  const isNew = next.removed.peers.some(({ id }) => !before.has(id))
  const ending = next.removed.peers.flatMap(({ id, until }) =>
    until === undefined || (before.has(id) && before.get(id) === until)
      ? []
      : [
          `the entry of node ${id} goes a week after ${formatTime(until)}: where another certificate of it ends later, give the end of that one`,
        ],
  )
  return [
    ...(isNew
      ? [
          'whoever holds a pool key comes back under another peer id unless the pool is removed, too (trust remove-pool)',
        ]
      : []),
    ...ending,
  ]
}

/** The command sees one certificate of the pool's key, and there may be others. */
function onRemovedPools(old: TrustRoot, next: TrustRoot): string[] {
  const before = new Map(old.removed.pools.map(({ key, until }) => [key, until]))
  return next.removed.pools.flatMap(({ key, until }) =>
    until === undefined || (before.has(key) && before.get(key) === until)
      ? []
      : [
          `the entry of pool ${key.slice(0, 12)} goes a week after ${formatTime(until)}: where another certificate of its key ends later, run trust remove-pool with that one, too`,
        ],
  )
}
