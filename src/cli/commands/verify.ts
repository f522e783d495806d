import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { loadConfig } from '../../daemon/config.ts'
import { readRoot } from '../../daemon/documents.ts'
import { fleetOf, foldersOf } from '../../daemon/folders.ts'
import { type Verified, verifyData, type Watch } from '../../daemon/verify.ts'
import { LIMITS } from '../../limits.ts'
import { parsePattern } from '../../model/names.ts'
import { out, printable, progress } from '../output.ts'
import { tellParts } from '../progress.ts'

export function register(program: Command): void {
  program
    .command('verify')
    .description("check a stopped node's every stored byte and signature, and the files that it shows")
    .option('--data <dir>', "the node's data folder (default: data, or as the configuration says)")
    .option('--config <file>', "the node's configuration, which also says where floor and files lie")
    .addHelpText(
      'after',
      "\nRun it as the node's user. Example:\n  confmesh verify --config /etc/confmesh/node.yaml\n",
    )
    .action(async (options: Options) => {
      const { data, files, problems, notes, floorDir } = await check(options)
      const lines = problems.map(({ where, what }) => `${where}: ${what}`)
      const summary =
        problems.length === 0
          ? `${data}: sound`
          : `${data}: ${problems.length} problems; the node sets them aside at its next start, and fetches or builds again what is lost`
      const unseen = [...unseenFloor(data, floorDir), ...(options.config === undefined ? [UNSEEN_FILES] : [])]
      out(
        { ok: problems.length === 0, data, floor: floorDir ?? null, files: files ?? null, problems, notes },
        [...[...lines, ...notes, ...unseen].map(printable), summary],
      )
      if (problems.length > 0) process.exitCode = 1
    })
}

const UNSEEN_FILES =
  'files that applications read were not looked at: only the configuration says where they are; --config finds them'

const unseenFloor = (data: string, floorDir: string | undefined): readonly string[] =>
  floorDir === undefined
    ? [
        `the second copy of the floor was not looked at: none in ${join(data, 'floor')} is known to be this store's; --config finds it`,
      ]
    : []

interface Options {
  readonly data?: string
  readonly config?: string
}

interface Checked extends Verified {
  readonly data: string
  /** The folder of the files that were looked at. */
  readonly files?: string | undefined
}

const watch = (): Watch => ({
  onRead: tellParts('of the store read'),
  onTree: (path) => progress(`looking at ${path}`),
})

async function check(options: Options): Promise<Checked> {
  if (options.config === undefined) {
    const data = resolve(options.data ?? 'data')
    return { data, ...(await verifyData(data, LIMITS, undefined, undefined, watch())) }
  }
  const overrides = new Map(options.data === undefined ? [] : [['data', options.data]])
  const config = loadConfig(options.config, process.env, overrides)
  const limits = config.limitsInForce
  const { floorDir } = foldersOf(config, () => fleetOf(readRoot(config.root, limits), limits))
  const { data, materialize, channels } = config
  const files =
    materialize === undefined ? undefined : { ...materialize, patterns: channels.map(parsePattern) }
  return { data, files: materialize?.dir, ...(await verifyData(data, limits, floorDir, files, watch())) }
}
