import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import { isMeshError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import { parseChannel } from '../../model/names.ts'
import type { Release } from '../../model/release.ts'
import { openCar } from '../../publish/car.ts'
import { pathFailure } from '../../publish/path-failure.ts'
import { clientOf, resolveRelease, shared } from '../api-options.ts'
import { argument } from '../arguments.ts'
import { asideOf, openAside, putInPlace, requireNew, whileAside } from '../files.ts'
import { out } from '../output.ts'
import { tellBytes, tellParts } from '../progress.ts'
import { short, size } from '../text.ts'

export function register(program: Command): void {
  shared(program.command('export'))
    .description('write a release to a CAR file, to carry it over an air gap')
    .argument('<channel>', 'such as payments/prod')
    .argument('<file>', 'FILE.car, which must not exist yet')
    .option('--release <id>', 'a stored release instead of the active one')
    .addHelpText(
      'after',
      '\nExamples:\n  confmesh export payments/prod release.car\n  confmesh export payments/prod old.car --release 3f9a01bc\n',
    )
    .action(async (name: string, file: string, options: { release?: string }, command: Command) => {
      const channel = argument('channel', name, parseChannel)
      const path = resolve(file)
      requireNew(path)
      const client = clientOf(command)
      const wanted =
        options.release === undefined ? undefined : await resolveRelease(client, channel, options.release)
      // Under its name only once it is whole and reads back as a release.
      const aside = asideOf(path)
      await whileAside(aside, async () => {
        await save(await client.car(channel, wanted), aside, path)
        const release = await readBack(aside, path)
        putInPlace(aside, path)
        const bytes = statSync(path).size
        out(
          { channel, release: release.id, file: path, bytes },
          `${channel} ${short(release.id)} is in ${path} (${size(bytes)})`,
        )
      })
    })
}

/** Each block of it, as who imports it will: a node whose disk lies would be found out at the other side of the gap. */
async function readBack(aside: string, path: string): Promise<Release> {
  const { release, check, close } = await openCar(aside, LIMITS, path)
  try {
    await check(tellBytes('read back'))
    return release
  } finally {
    await close()
  }
}

async function save(from: AsyncIterable<Buffer>, aside: string, path: string): Promise<void> {
  try {
    await pipeline(from, counted(tellParts('written')), openAside(aside, 0o644))
  } catch (error) {
    if (isMeshError(error)) throw error
    throw pathFailure(`cannot write ${path}`, path, error)
  }
}

const counted = (tell: (bytes: number) => void) =>
  async function* (from: AsyncIterable<Buffer>) {
    for await (const part of from) {
      tell(part.length)
      yield part
    }
  }
