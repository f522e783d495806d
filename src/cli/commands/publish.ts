import { resolve } from 'node:path'
import type { Command } from 'commander'
import { encodeEnvelope } from '../../codec/envelope.ts'
import { MeshError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { Channel } from '../../model/ids.ts'
import { parseChannel } from '../../model/names.ts'
import { build } from '../../publish/build.ts'
import { encodePrepared, readPrepared } from '../../publish/prepared.ts'
import { publish, submitToFirst } from '../../publish/publish.ts'
import { argument } from '../arguments.ts'
import { writeNew } from '../files.ts'
import { out, progress } from '../output.ts'
import {
  connect,
  SIGNING_HELP,
  type SigningOptions,
  seedAddresses,
  signing,
  withSession,
} from '../publish-session.ts'
import { confirm, outPublished, publishedFacts, tellUpload } from '../publish-text.ts'
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
    .option('-m, --message <text>', 'what changed, for people', '')
    .option(
      '--expect <release>',
      'only if this is the target now (at least 8 digits); none: only if the channel is empty; any: only if it is known',
    )
    .option('--expires <time>', 'not newly activated after this time (RFC 3339)')
    .option('--again', 'a new release even where the files are the same')
    .option('--yes', 'do not ask; without a terminal nothing is asked')
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
        : publishPrepared(channel, paths, options),
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
  if (options.expect !== undefined && !/^([0-9a-f]{8,64}|none|any)$/.test(options.expect))
    throw new MeshError(
      'USAGE',
      `--expect: "${options.expect}" is no release; give at least 8 hex digits, none or any`,
    )
  progress(`reading ${paths.join(' ')}`)
  const content = await build(paths, { limits: LIMITS })
  const until = options.dryRun === true ? 'shown' : options.prepare === undefined ? 'submitted' : 'signed'
  const session = { ...options, offline: options.prepare !== undefined }
  const done = await withSession(session, ({ chain, seeds, signers, memory, publisher }) =>
    publish({
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
      confirm: (change) => confirm(change, options.yes !== true && options.dryRun !== true),
      onProgress: tellUpload(content.uploadBytes),
    }),
  )
  if (options.prepare === undefined || done.envelope === undefined)
    outPublished(channel, done, options.dryRun === true ? { dryRun: true } : {})
  else prepared(options.prepare, channel, { ...done, envelope: done.envelope }, paths)
}

function prepared(
  file: string,
  channel: Channel,
  done: Parameters<typeof outPublished>[1] & Pick<Parameters<typeof encodePrepared>[0], 'envelope'>,
  paths: readonly string[],
): void {
  const path = resolve(file)
  const absolute = paths.map((one) => resolve(one))
  writeNew(path, encodePrepared({ envelope: done.envelope, paths: absolute }), 0o644)
  const value = { ...publishedFacts(done), prepared: path, signatures: done.envelope.signatures.length }
  out(value, [
    `${channel} ${short(done.release)} waits in ${path} with ${done.envelope.signatures.length} signature(s)`,
    `each of the others runs: confmesh sign ${file} --key FILE`,
    `then: confmesh publish --prepared ${file} --seed ADDRESS`,
  ])
}

/** `publish --prepared FILE [CHANNEL] [PATH…]`: the files are looked for where they were, unless another place is named. */
async function publishPrepared(
  name: string | undefined,
  more: readonly string[],
  options: Options,
): Promise<void> {
  const { envelope, release, paths } = readPrepared(options.prepared ?? '', LIMITS)
  const { header, id } = release
  const given = name === undefined || name === header.channel ? more : [name, ...more]
  const content = await build(given.length > 0 ? given : paths, { limits: LIMITS })
  if (content.pages.join() !== header.pages.join())
    throw new MeshError(
      'CONTENT_DIGEST',
      `${(given.length > 0 ? given : paths).join(' ')} is not what was signed in ${options.prepared}; name the place of those files`,
    )
  const seeds = await connect(seedAddresses(options))
  try {
    const submission = { release: id, envelope: encodeEnvelope(envelope), content }
    const onProgress = tellUpload(content.uploadBytes)
    const done = await submitToFirst(seeds.reached, submission, { limits: LIMITS, onProgress })
    const { clock, files, bytes } = header
    outPublished(header.channel, { release: id, clock, files, bytes, unchanged: false, ...done })
  } finally {
    await seeds.close()
  }
}

/** @returns milliseconds since 1970 */
function expiryOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : Number.NaN
  if (Number.isNaN(ms))
    throw new MeshError('USAGE', `--expires: "${text}" is no time such as 2030-01-31T12:00:00Z`)
  if (ms <= Date.now())
    throw new MeshError('USAGE', `--expires: ${text} is in the past; no node would activate it`)
  return ms
}
