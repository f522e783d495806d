/**
 * Rotation of a publisher's keys. What a raised epoch leaves without a release is looked up before the root goes out
 * and issued again right after it: nodes born in between would stay empty.
 */
import { MeshError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { Channel, Name } from '../model/ids.ts'
import { parseChannel, parseName } from '../model/names.ts'
import { matchesAny } from '../model/pattern.ts'
import type { Release } from '../model/release.ts'
import type { PublicKey, TrustRoot } from '../model/root.ts'
import { channelsUnder } from '../publish/channels.ts'
import { joinMemories, openMemory } from '../publish/counter.ts'
import { type Published, publish } from '../publish/publish.ts'
import { standingOf } from '../publish/standing.ts'
import { changePublisherKeys } from '../trust/edit.ts'
import { epochOf } from '../trust/epoch.ts'
import { argument } from './arguments.ts'
import { readPublicKey } from './key-files.ts'
import { out, progress } from './output.ts'
import { type Session, withSession } from './publish-session.ts'
import { publishedFacts } from './publish-text.ts'
import { readRoot } from './root-files.ts'
import { short } from './text.ts'
import { applyChange, type Outcome } from './trust-change.ts'
import type { RotateOptions } from './trust-hand-out.ts'
import { pushToAll, rootsBeside } from './trust-push.ts'
import { warnUnsaid } from './trust-touched.ts'

export async function rotate(name: string, options: RotateOptions): Promise<void> {
  const publisher = argument('publisher', name, parseName)
  const add = (options.addKey ?? []).map(readPublicKey)
  const remove = (options.removeKey ?? []).map(readPublicKey)
  if (add.length + remove.length === 0)
    throw new MeshError('USAGE', 'nothing to rotate: name --add-key FILE or --remove-key FILE')
  if (options.seed === undefined) {
    const { facts, lines } = await changeKeys(publisher, { add, remove }, options)
    out(facts, lines)
    return
  }
  await withSession({ ...options, publisher: name }, (session) =>
    rotateInFleet(publisher, { add, remove }, options, session),
  )
}

interface KeyChange {
  readonly add: readonly PublicKey[]
  readonly remove: readonly PublicKey[]
}

function changeKeys(
  publisher: Name,
  { add, remove }: KeyChange,
  options: RotateOptions,
  channels?: readonly Channel[],
): Promise<Outcome> {
  const edit = (root: TrustRoot) =>
    changePublisherKeys(root, publisher, { add, remove: remove.map(({ id }) => id) })
  return applyChange(options, edit, options.stolen === true ? [STOLEN_NOTE] : [], channels)
}

const STOLEN_NOTE =
  "nothing is issued again by itself: what stands there may be the thief's; publish the right content of each channel"

async function rotateInFleet(
  publisher: Name,
  change: KeyChange,
  options: RotateOptions,
  session: Session,
): Promise<void> {
  const old = readRoot(options.root).root
  if (session.chain.current.version > old.version)
    throw new MeshError(
      'TRUST_ROOT_OLD',
      `the fleet is at root ${session.chain.current.version}, ${options.root} is version ${old.version}; take the newest first`,
    )
  const channels = change.remove.length === 0 ? [] : await channelsOf(publisher, old, options, session)
  // Looked up before the root goes out: afterwards they count no more.
  const before = options.stolen === true ? [] : await targetsOf(channels, old, session)
  const { complete, facts, lines } = await changeKeys(publisher, change, options, channels)
  if (!complete) {
    out({ ...facts, seeds: [], reissued: [] }, [...lines, 'nothing was handed out yet'])
    return
  }
  const path = options.out ?? options.root
  const seeds = await pushToAll(rootsBeside(path), session.seeds.reached)
  const root = readRoot(path).root
  const reissued: ({ readonly channel: Channel } & Published)[] = []
  for (const [channel, release] of before) {
    if (epochOf(root, channel) === epochOf(old, channel)) continue
    progress(`issuing ${channel} again`)
    reissued.push({ channel, ...(await reissue(channel, release, root, publisher, session)) })
  }
  out(
    { ...facts, seeds, reissued: reissued.map((one) => ({ channel: one.channel, ...publishedFacts(one) })) },
    [
      ...lines.filter((line) => !line.startsWith('hand it out')),
      ...seeds.map(({ peer, version }) => `seed ${short(peer)} is at root ${version}`),
      ...reissued.map(({ channel, release }) => `${channel} issued again as ${short(release)}`),
      ...(options.stolen === true ? [] : leftOut(channels, before, old.version)),
      ...(options.stolen === true
        ? channels.map((channel) => `publish the right content of ${channel} now: confmesh publish`)
        : []),
    ],
  )
}

/** Whose last release did not count before either, such as one of a publisher that was removed. */
const leftOut = (
  channels: readonly Channel[],
  issued: readonly (readonly [Channel, Release])[],
  version: number,
): string[] => {
  const done = new Set(issued.map(([channel]) => channel))
  return channels
    .filter((channel) => !done.has(channel))
    .map(
      (channel) => `${channel} is not issued again: nothing there counted under root ${version}; publish it`,
    )
}

/** Those the seeds hold under the publisher's patterns, those its keys remember, old and new, and those named. */
async function channelsOf(
  publisher: Name,
  root: TrustRoot,
  options: RotateOptions,
  { memory, seeds }: Session,
): Promise<readonly Channel[]> {
  const patterns = root.publishers.get(publisher)?.patterns ?? []
  const named = (options.channel ?? []).map((text) => argument('--channel', text, parseChannel))
  const literal = patterns.filter((pattern) => !pattern.includes('*')).map((pattern) => parseChannel(pattern))
  const leaving = (options.removeKey ?? []).map((file) => openMemory(file.replace(/\.pub$/, '')))
  const remembered = joinMemories([memory, ...leaving])
    .channels(root.fleetId)
    .filter((channel) => matchesAny(patterns, channel))
  const held = await channelsUnder(patterns, seeds.reached, LIMITS, warnUnsaid)
  return [...new Set([...named, ...literal, ...remembered, ...held])].sort()
}

async function targetsOf(
  channels: readonly Channel[],
  root: TrustRoot,
  { seeds }: Session,
): Promise<readonly (readonly [Channel, Release])[]> {
  const found: (readonly [Channel, Release])[] = []
  for (const channel of channels) {
    const { target } = await standingOf(seeds.reached, root, channel, { limits: LIMITS })
    if (target !== undefined) found.push([channel, target])
  }
  return found
}

function reissue(channel: Channel, release: Release, root: TrustRoot, publisher: Name, session: Session) {
  const { pages, files, bytes, message, expires } = release.header
  return publish({
    channel,
    content: { pages, files, bytes, read: async () => undefined },
    root,
    seeds: session.seeds.reached,
    signers: session.signers,
    memory: session.memory,
    publisher,
    message,
    expires,
    expect: undefined,
    checkName: false,
    again: true,
    until: 'submitted',
    limits: LIMITS,
    wallMs: Date.now,
    confirm: async () => true,
  })
}
