import type { Command } from 'commander'
import { decodeEnvelope } from '../../codec/envelope.ts'
import { decodeHeader } from '../../codec/header.ts'
import { isMeshError, MeshError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { Channel, FleetId, ReleaseId } from '../../model/ids.ts'
import { parseChannel } from '../../model/names.ts'
import type { Release } from '../../model/release.ts'
import { publishFrom } from '../../publish/behind.ts'
import { contentAtSeeds } from '../../publish/content.ts'
import { requireKnown } from '../../publish/known.ts'
import { askPatiently, type Seed } from '../../publish/seeds.ts'
import { clientOf, resolveRelease, shared } from '../api-options.ts'
import { argument, requireExpectation } from '../arguments.ts'
import { tellUpload } from '../progress.ts'
import { type Session, SIGNING_HELP, type SigningOptions, signing, withSession } from '../publish-session.ts'
import { confirm, outPublished } from '../publish-text.ts'
import { short } from '../text.ts'
import { timeOf } from '../time.ts'

interface Options extends SigningOptions {
  readonly to: string
  readonly message?: string
  readonly expect?: string
  readonly yes?: boolean
}

export function register(program: Command): void {
  shared(signing(program.command('rollback')))
    .description('a new release with the files of an old one; nothing is uploaded again')
    .argument('<channel>', 'such as payments/prod')
    .requiredOption('--to <release>', 'the release to go back to (at least 8 digits)')
    .option('-m, --message <text>', 'why, for people')
    .option('--expect <release>', 'only if this is the target now (at least 8 digits; any: whichever it is)')
    .option('--yes', 'do not ask; with --json, or where stdin or stderr is no terminal, nothing is asked')
    .addHelpText(
      'after',
      `
Example (confmesh log payments/prod lists the releases):
  confmesh rollback payments/prod --to 3f9a01bc --key publisher.key --seed ADDR -m 'limits were wrong'

What was published with --expires keeps its end: the new release has it, too, and one that is over is refused.
${SIGNING_HELP}`,
    )
    .action(async (name: string, options: Options, command: Command) => {
      const channel = argument('channel', name, parseChannel)
      if (!/^[0-9a-f]{8,64}$/.test(options.to))
        throw new MeshError(
          'USAGE',
          `--to: "${options.to}" is no release; give at least its first 8 hex digits`,
        )
      requireExpectation(options.expect)
      const done = await withSession(options, async (session) => {
        const id = await fullId(channel, options.to, session, command)
        return rollBack(session, channel, await headerOf(session, channel, id), options)
      })
      outPublished(channel, done)
    })
}

/** @throws MeshError USAGE, CODEC_UNSUPPORTED, and as `publishFrom` */
export async function rollBack(
  session: Session,
  channel: Channel,
  old: Release,
  options: Pick<Options, 'message' | 'expect' | 'yes'>,
) {
  const { expires } = old.header
  requireTimeLeft(old, channel)
  requireKnown(old)
  return publishFrom({
    channel,
    // Seeds hold it, or it cannot be gone back to.
    content: contentAtSeeds(old),
    root: session.chain.current,
    seeds: session.seeds.reached,
    signers: session.signers,
    memory: session.memory,
    publisher: session.publisher,
    message: options.message ?? `back to ${short(old.id)}`,
    // Left out, what was to end would be in force for good.
    expires,
    expect: options.expect,
    checkName: false,
    again: false,
    until: 'submitted',
    limits: LIMITS,
    wallMs: Date.now,
    confirm: (change) => confirm(change, options),
    ...tellUpload(old.header.bytes),
  })
}

/** @throws MeshError USAGE, as of `publish --expires` in the past */
function requireTimeLeft({ id, header: { expires } }: Release, channel: Channel): void {
  if (expires === undefined || expires > Date.now()) return
  throw new MeshError(
    'USAGE',
    `--to ${short(id)}: expired at ${timeOf(expires)}, which is in the past; no node would activate it; publish its files anew: confmesh publish ${channel} FOLDER`,
  )
}

/** A prefix is looked up in the key's own memory, then at the local node. */
async function fullId(channel: Channel, to: string, session: Session, command: Command): Promise<ReleaseId> {
  if (to.length === 64) return to as ReleaseId
  const own = session.memory.releases(session.chain.current.fleetId, channel)
  const found = own.filter((id) => id.startsWith(to))
  if (found.length > 1) throw new MeshError('USAGE', `--to ${to} fits several releases; give more digits`)
  if (found[0] !== undefined) return found[0]
  try {
    return (await resolveRelease(clientOf(command), channel, to)) as ReleaseId
  } catch (error) {
    if (!isMeshError(error) || error.code === 'USAGE') throw error
    const why =
      error.code === 'API_NOT_FOUND' ? 'nor at the node' : `and the node cannot be asked (${error.code})`
    throw new MeshError(
      'USAGE',
      `--to ${to}: no such release of ${channel} in this key's memory, ${why}; give all 64 digits (confmesh log ${channel} --json)`,
      {},
      { cause: error },
    )
  }
}

/**
 * The id is the digest of the signed bytes, so no seed can pass another release off as this one.
 * @throws MeshError CONTENT_GONE where all say that they have it not; what became of the last that did not say; ORDER_MISPLACED
 */
export async function headerOf(
  { chain, seeds }: Pick<Session, 'chain' | 'seeds'>,
  channel: Channel,
  id: ReleaseId,
): Promise<Release> {
  // Nor has one that was not reached said anything.
  let unsaid = seeds.missed.at(-1)?.error
  for (const seed of seeds.reached) {
    let release: Release | undefined
    try {
      release = await askHeader(seed, id)
    } catch (error) {
      if (!isMeshError(error)) throw error
      unsaid = error
    }
    if (release !== undefined) return requireOf(release, channel, chain.current.fleetId)
  }
  // It may have what the others lack: trying again may help.
  if (unsaid !== undefined) throw unsaid
  throw new MeshError(
    'CONTENT_GONE',
    `no seed keeps release ${short(id)} any more; publish its files instead (confmesh log ${channel} lists what was active, newest first; seeds keep the newest)`,
  )
}

async function askHeader(seed: Seed, id: ReleaseId): Promise<Release | undefined> {
  const { envelope } = await askPatiently(seed, { type: 'header', release: id }, ['header'], LIMITS)
  if (envelope === undefined) return undefined
  const { payload } = decodeEnvelope(envelope, LIMITS.maxEnvelopeBytes, LIMITS)
  const release = decodeHeader(payload, LIMITS)
  return release.id === id ? release : undefined
}

function requireOf(release: Release, channel: Channel, fleet: FleetId): Release {
  const { header, id } = release
  if (header.channel === channel && header.fleet === fleet) return release
  const what = header.fleet === fleet ? `of channel ${header.channel}` : 'of another fleet'
  throw new MeshError('ORDER_MISPLACED', `release ${short(id)} is ${what}, not of ${channel}`)
}
