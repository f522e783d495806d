/** Rotation of a publisher's keys: with seeds, the new root and what it leaves without a release go out in one run. */
import { MeshError } from '../errors.ts'
import type { Channel, KeyId, Name } from '../model/ids.ts'
import { parseName } from '../model/names.ts'
import type { PublicKey, TrustRoot } from '../model/root.ts'
import { openMemory } from '../publish/counter.ts'
import { changePublisherKeys } from '../trust/edit.ts'
import { argument } from './arguments.ts'
import { keyNamed, readPublicKey } from './key-files.ts'
import { out } from './output.ts'
import { type Session, withSession } from './publish-session.ts'
import { readRoot } from './root-files.ts'
import { short } from './text.ts'
import { applyChange, type Outcome } from './trust-change.ts'
import type { RotateOptions } from './trust-hand-out.ts'
import {
  channelsKnown,
  factsOf,
  handOut,
  leftOut,
  reissuedLines,
  requireNewest,
  requireSigners,
  targetsOf,
  tellLeft,
} from './trust-reissue.ts'

export async function rotate(name: string, options: RotateOptions): Promise<void> {
  const publisher = argument('publisher', name, parseName)
  const add = (options.addKey ?? []).map(readPublicKey)
  const remove = keysLeaving(publisher, options)
  if (add.length + remove.length === 0)
    throw new MeshError('USAGE', 'nothing to rotate: name --add-key FILE or --remove-key FILE')
  const change: KeyChange = { publisher, add, remove }
  if (options.seed === undefined) {
    requireNothingToSend(options)
    const { facts, lines } = await changeKeys(change, options)
    out(facts, lines)
    return
  }
  await withSession({ ...options, publisher: name, keyless: true }, (session) =>
    rotateInFleet(change, options, session),
  )
}

function keysLeaving(publisher: Name, { removeKey = [], root }: RotateOptions): readonly KeyId[] {
  if (removeKey.length === 0) return []
  const keys = readRoot(root).root.publishers.get(publisher)?.keys ?? []
  return removeKey.map((given) => keyNamed(given, keys, `publisher ${publisher}`))
}

/** @throws MeshError USAGE: who names these believes that the fleet gets it */
function requireNothingToSend({ key, signWith, channel }: RotateOptions): void {
  const idle = Object.entries({ '--key': key, '--sign-with': signWith, '--channel': channel })
  const [first] = idle.find(([, given]) => given !== undefined) ?? []
  if (first !== undefined)
    throw new MeshError('USAGE', `${first} is for what is issued again, which needs seeds: --seed ADDRESS`)
}

interface KeyChange {
  readonly publisher: Name
  readonly add: readonly PublicKey[]
  readonly remove: readonly KeyId[]
}

const changed = (root: TrustRoot, { publisher, add, remove }: KeyChange): TrustRoot =>
  changePublisherKeys(root, publisher, { add, remove })

function changeKeys(
  change: KeyChange,
  options: RotateOptions,
  channels?: readonly Channel[],
): Promise<Outcome> {
  const edit = (root: TrustRoot) => changed(root, change)
  return applyChange(options, edit, options.stolen === true ? [STOLEN_NOTE] : [], channels)
}

const STOLEN_NOTE =
  "nothing is issued again by itself: what stands there may be the thief's; publish the right content of each channel"

async function rotateInFleet(change: KeyChange, options: RotateOptions, session: Session): Promise<void> {
  const old = readRoot(options.root).root
  requireNewest(old, options.root, session)
  const channels = change.remove.length === 0 ? [] : await channelsOf(change.publisher, old, options, session)
  const targets = options.stolen === true ? [] : await targetsOf(channels, old, session)
  requireSigners(old, changed(old, change), targets, session)
  const { complete, facts, lines } = await changeKeys(change, options, channels)
  const path = options.out ?? options.root
  if (!complete) {
    const key = targets.length === 0 ? '' : ' --key FILE'
    const then = `nothing was handed out yet; once enough have signed: confmesh trust push --root ${path} --seed ADDRESS${key}`
    out({ ...facts, seeds: [], refused: [], reissued: [], left: [] }, [...lines, then])
    return
  }
  const handed = await handOut(path, old, targets, session)
  out({ ...facts, ...factsOf(handed) }, [
    ...lines.filter((line) => !line.startsWith('hand it out')),
    ...handed.seeds.map(({ peer, version }) => `seed ${short(peer)} is at root ${version}`),
    ...reissuedLines(handed),
    ...(options.stolen === true
      ? channels.map((channel) => `publish the right content of ${channel} now: confmesh publish`)
      : leftOut(channels, targets, old)),
  ])
  tellLeft(handed.left, readRoot(path).root)
}

/** Under the publisher's patterns; what the keys that leave remember, too, where their files are there. */
function channelsOf(
  publisher: Name,
  root: TrustRoot,
  options: RotateOptions,
  session: Session,
): Promise<readonly Channel[]> {
  const patterns = root.publishers.get(publisher)?.patterns ?? []
  const leaving = (options.removeKey ?? []).map((file) => openMemory(file.replace(/\.pub$/, '')))
  return channelsKnown(patterns, options.channel, [session.memory, ...leaving], root, session)
}
