import { randomBytes } from 'node:crypto'
import { renameSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import { MAX_FILE_BYTES } from '../../client/client.ts'
import { makeFolder } from '../../daemon/make-folder.ts'
import { isMeshError, MeshError } from '../../errors.ts'
import { pathFailure } from '../../publish/path-failure.ts'
import { clientOf, resolveRelease, shared } from '../api-options.ts'
import { openAside, syncFolder, whileAside } from '../files.ts'
import { allPrintable, isJson, out } from '../output.ts'
import { onlyPrints } from '../stdout.ts'
import { short } from '../text.ts'

interface GetOptions {
  out?: string
  release?: string
}

export function register(program: Command): void {
  shared(program.command('get'))
    .description('list the files of a channel, print one, or write them to a folder')
    .argument('<channel>', 'such as payments/prod')
    .argument('[file]', 'one file, printed as it is')
    .option('--out <dir>', 'write the files (or the one file) below this folder')
    .option('--release <id>', 'a stored release instead of the active one')
    .addHelpText(
      'after',
      '\nExamples:\n  confmesh get payments/prod\n  confmesh get payments/prod limits.yaml\n  confmesh get payments/prod --out ./config\nWith --json the one file is what the listing says of it, and its bytes as base64 in "content".\n',
    )
    .action(async (channel: string, file: string | undefined, options: GetOptions, command: Command) => {
      const client = clientOf(command)
      const wanted =
        options.release === undefined ? undefined : await resolveRelease(client, channel, options.release)
      const listing = await client.files(channel, wanted)
      const files =
        file === undefined ? listing.files : listing.files.filter((candidate) => candidate.path === file)
      if (file !== undefined && files.length === 0)
        throw new MeshError(
          'API_NOT_FOUND',
          `${channel} has no file ${JSON.stringify(file)}; 'confmesh get ${channel}' lists them`,
        )
      if (options.out !== undefined) {
        const changed = new Set<string>()
        for (const { path, mode } of files) {
          const bytes = await client.stream(channel, path, listing.release)
          for (const folder of await save(options.out, path, mode, bytes)) changed.add(folder)
        }
        // Each once, with all that came into it.
        for (const folder of changed) await written(folder, () => syncFolder(folder))
        const value = {
          release: listing.release,
          files: files.map(({ path }) => path),
          out: resolve(options.out),
        }
        return out(value, `${files.length} files of ${short(listing.release)} in ${options.out}`)
      }
      const [one] = files
      if (file !== undefined && one !== undefined) {
        const { release } = listing
        if (!isJson()) {
          onlyPrints()
          return pipeline(await client.stream(channel, file, release), process.stdout, { end: false })
        }
        if (one.size > MAX_FILE_BYTES) {
          const way = 'write it with --out DIR, or leave out --json'
          const text = `${file}: ${one.size} bytes, in one JSON value ${MAX_FILE_BYTES} at most; ${way}`
          throw new MeshError('LIMIT_BYTES', text)
        }
        const content = Buffer.from(await client.get(channel, file, release)).toString('base64')
        return out({ release, ...one, content, files }, '')
      }
      out(
        listing,
        [
          `release ${short(listing.release)}`,
          ...allPrintable(files).map(({ path, size }) => `${String(size).padStart(10)}  ${path}`),
        ].join('\n'),
      )
    })
}

/**
 * The node has checked the path already; a node that lies still must not write elsewhere.
 * @returns folders that have a name more
 */
async function save(
  dir: string,
  path: string,
  mode: number,
  bytes: AsyncIterable<Buffer>,
): Promise<string[]> {
  const target = join(resolve(dir), path)
  const below = relative(resolve(dir), target)
  if (below === '' || below.split(sep)[0] === '..' || isAbsolute(below))
    throw new MeshError('CONTENT_PATH', `${path}: leads out of ${dir}`)
  const folder = dirname(target)
  // Aside and renamed: a file that is there already is replaced whole, a link in its place is not followed.
  // Its name is not made of the file's, which may be as long as a name can be.
  const aside = join(folder, `.confmesh-${randomBytes(6).toString('hex')}.part`)
  return written(target, async () => {
    const made = await makeFolder(folder, 0o777)
    await whileAside(aside, async () => {
      await pipeline(bytes, openAside(aside, mode | 0o200))
      renameSync(aside, target)
    })
    const changed = [folder]
    const first = made === undefined ? folder : dirname(made)
    for (let one = folder; one !== first; one = dirname(one)) changed.push(dirname(one))
    return changed
  })
}

/** @throws MeshError INPUT_PATH, STORE_FULL, STORE_FAILED where the disk does not take it */
async function written<T>(path: string, write: () => T | Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    const { syscall } = error as NodeJS.ErrnoException
    if (isMeshError(error) || syscall === undefined) throw error
    throw pathFailure(`cannot write ${path}`, path, error, '; name a folder that you may write: --out DIR')
  }
}
