import { resolve } from 'node:path'
import type { Command } from 'commander'
import { MeshError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { Channel, FleetId } from '../../model/ids.ts'
import { parseChannel } from '../../model/names.ts'
import { publishFrom } from '../../publish/behind.ts'
import { build } from '../../publish/build.ts'
import { inject } from '../../publish/inject.ts'
import { encodePrepared, readPrepared, requireRoomFor } from '../../publish/prepared.ts'
import { rootsOf } from '../../publish/roots.ts'
import type { Seed } from '../../publish/seeds.ts'
import type { RootChain } from '../../trust/chain.ts'
import { argument, requireExpectation } from '../arguments.ts'
import { expiryOf, requireUnexpired } from '../expiry.ts'
import { requireNew, writeNew } from '../files.ts'
import { out, progress } from '../output.ts'
import { tellBytes, tellUpload } from '../progress.ts'
import {
  connect,
  newestOf,
  readChain,
  SIGNING_HELP,
  type SigningOptions,
  seedAddresses,
  signing,
  withSession,
} from '../publish-session.ts'
import { confirm, onTerminal, outPublished, publishedFacts } from '../publish-text.ts'
import { short } from '../text.ts'

interface Options extends SigningOptions {
  readonly message?: string
  readonly expect?: string
  readonly expires?: string
  readonly again?: boolean
  readonly yes?: boolean
  readonly dryRun?: boolean
  readonly prepare?: string
  readonly prepared?: string
}

export function register(program: Command): void {
  signing(program.command('publish'))
    .description('sign files as a new release of a channel and inject it at a seed')
    .argument('[channel]', 'such as payments/prod')
    .argument('[path...]', 'one folder with all below it, or files')
    .option('-m, --message <text>', 'what changed, for people')
    .option(
      '--expect <release>',
      'only if this is the target now (at least 8 digits); none: only if the channel is empty; any: only if it is known',
    )
    .option('--expires <time>', 'not newly activated after this time (RFC 3339)')
    .option('--again', 'a new release even where the files are the same')
    .option('--yes', 'do not ask; with --json, or where stdin or stderr is no terminal, nothing is asked')
    .option('--dry-run', 'build and compare; sign and send nothing')
    .option('--prepare <file>', 'sign with the keys at hand into FILE, for others to sign; send nothing')
    .option('--prepared <file>', 'inject what FILE holds, once enough people signed it')
    .addHelpText(
      'after',
      `
Example:
  confmesh publish payments/prod ./config --key publisher.key --seed ADDR -m 'raise the limit'
${SIGNING_HELP}
Several people sign the same bytes:
  confmesh publish pay/prod ./config --key a.key --seed ADDR --prepare release.json
  confmesh sign release.json --key b.key
  confmesh publish --prepared release.json --seed ADDR
`,
    )
    .action((channel: string | undefined, paths: readonly string[], options: Options) =>
      options.prepared === undefined
        ? publishPaths(channel, paths, options)
        : publishPrepared(options.prepared, channel, paths, options),
    )
}

async function publishPaths(
  name: string | undefined,
  paths: readonly string[],
  options: Options,
): Promise<void> {
  if (name === undefined || paths.length === 0)
    throw new MeshError('USAGE', 'name the channel and the files: confmesh publish CHANNEL PATH…')
  const channel = argument('channel', name, parseChannel)
  const expires = expiryOf(options.expires)
  requireExpectation(options.expect)
  if (options.expect !== undefined && options.prepare !== undefined && options.seed === undefined)
    throw new MeshError('USAGE', '--expect needs --seed: without one nobody says what stands in the channel')
  // A signature spends a counter, and would be for nothing.
  if (options.prepare !== undefined) {
    requireNew(resolve(options.prepare))
    requireRoomFor(absolute(paths), LIMITS)
  }
  progress(`reading ${paths.join(' ')}`)
  const content = await build(paths, { limits: LIMITS, onProgress: tellBytes('read') })
  const until = options.dryRun === true ? 'shown' : options.prepare === undefined ? 'submitted' : 'signed'
  const session = { ...options, offline: options.prepare !== undefined }
  const done = await withSession(session, ({ chain, seeds, signers, memory, publisher }) =>
    publishFrom({
      channel,
      content,
      root: chain.current,
      seeds: seeds.reached,
      signers,
      memory,
      publisher,
      message: options.message ?? '',
      expires,
      expect: options.expect,
      checkName: true,
      again: options.again === true,
      until,
      limits: LIMITS,
      wallMs: Date.now,
      confirm: (change) => confirm(change, options),
      ...tellUpload(content.uploadBytes),
    }),
  )
  if (options.prepare === undefined || done.envelope === undefined)
    outPublished(channel, done, options.dryRun === true ? { dryRun: true } : {})
  else prepared(options.prepare, channel, { ...done, envelope: done.envelope }, paths)
}

const absolute = (paths: readonly string[]): readonly string[] => paths.map((one) => resolve(one))

function prepared(
  file: string,
  channel: Channel,
  done: Parameters<typeof outPublished>[1] & Pick<Parameters<typeof encodePrepared>[0], 'envelope'>,
  paths: readonly string[],
): void {
  const path = resolve(file)
  writeNew(path, encodePrepared({ envelope: done.envelope, paths: absolute(paths) }), 0o644)
  const value = { ...publishedFacts(done), prepared: path, signatures: done.envelope.signatures.length }
  out(value, [
    `${channel} ${short(done.release)} waits in ${path} with ${done.envelope.signatures.length} signature(s)`,
    `each of the others runs: confmesh sign ${file} --key FILE`,
    `then: confmesh publish --prepared ${file} --seed ADDRESS`,
  ])
}

/** What was signed cannot be changed any more, and nothing is signed here. */
const SIGNED_ALREADY = ['message', 'again', 'expires', 'key', 'signWith', 'publisher', 'prepare'] as const

/** `publish --prepared FILE [CHANNEL] [PATH…]`: the files are looked for where they were, unless another place is named. */
async function publishPrepared(
  file: string,
  name: string | undefined,
  more: readonly string[],
  options: Options,
): Promise<void> {
  const extra = SIGNED_ALREADY.find((option) => options[option] !== undefined)
  if (extra !== undefined)
    throw new MeshError('USAGE', `--prepared ${file} is signed already; leave out ${flagOf(extra)}`)
  requireExpectation(options.expect)
  const waiting = readPrepared(file, LIMITS)
  const { header } = waiting.release
  const given = name === undefined || name === header.channel ? more : [name, ...more]
  const paths = given.length > 0 ? given : waiting.paths
  const content = await build(paths, { limits: LIMITS, onProgress: tellBytes('read') })
  if (content.pages.join() !== header.pages.join())
    throw new MeshError(
      'CONTENT_DIGEST',
      `${paths.join(' ')} is not what was signed in ${file}; name the place of those files`,
    )
  const seeds = await connect(seedAddresses(options))
  try {
    await requireUnexpired(file, waiting.release, seeds.reached)
    const chain = await chainOf(header.fleet, seeds.reached, options)
    const done = await inject(waiting, {
      content,
      root: chain?.current,
      seeds: seeds.reached,
      expect: options.expect,
      until: options.dryRun === true ? 'shown' : 'submitted',
      limits: LIMITS,
      confirm: (change) => confirm(change, options),
      ...tellUpload(content.uploadBytes),
    })
    outPublished(header.channel, done, options.dryRun === true ? { dryRun: true } : {})
  } finally {
    await seeds.close()
  }
}

/** To verify what stands in the channel, where somebody is to be shown it or expects something there. */
async function chainOf(
  fleet: FleetId,
  seeds: readonly Seed[],
  { root, expect, dryRun, yes }: Options,
): Promise<RootChain | undefined> {
  const asked = dryRun === true || expect !== undefined
  if (!asked && !onTerminal()) return undefined
  const chain =
    root === undefined ? await rootsOf(fleet, seeds, LIMITS) : await newestOf(root, readChain(root), seeds)
  if (chain !== undefined || (!asked && yes === true)) return chain
  throw new MeshError(
    'USAGE',
    'no seed proves a trust root for this release, so what it replaces cannot be told; name it: --root FILE',
  )
}

const flagOf = (option: (typeof SIGNED_ALREADY)[number]): string =>
  option === 'signWith' ? '--sign-with' : `--${option}`
