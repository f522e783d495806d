import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { loadConfig } from '../../daemon/config.ts'
import { readRoot } from '../../daemon/documents.ts'
import { fleetOf, foldersOf } from '../../daemon/folders.ts'
import { type Verified, verifyData } from '../../daemon/verify.ts'
import { LIMITS } from '../../limits.ts'
import { out, printable } from '../output.ts'

export function register(program: Command): void {
  program
    .command('verify')
    .description("check a stopped node's every stored byte and signature")
    .option('--data <dir>', "the node's data folder (default: data, or as the configuration says)")
    .option('--config <file>', "the node's configuration, where it keeps the floor outside the data folder")
    .addHelpText(
      'after',
      "\nRun it as the node's user. Example:\n  confmesh verify --config /etc/confmesh/node.yaml\n",
    )
    .action(async (options: Options) => {
      const { data, problems, notes, floorDir } = await check(options)
      const lines = problems.map(({ where, what }) => printable(`${where}: ${what}`))
      const summary =
        problems.length === 0
          ? `${data}: sound`
          : `${data}: ${problems.length} problems; the node sets them aside at its next start and fetches again what is lost`
      const unseen =
        floorDir === undefined
          ? [
              `the second copy of the floor was not looked at: none in ${join(data, 'floor')} is known to be this store's; --config finds it`,
            ]
          : []
      out({ ok: problems.length === 0, data, floor: floorDir ?? null, problems, notes }, [
        ...lines,
        ...[...notes, ...unseen].map(printable),
        summary,
      ])
      if (problems.length > 0) process.exitCode = 1
    })
}

interface Options {
  readonly data?: string
  readonly config?: string
}

async function check(options: Options): Promise<Verified & { readonly data: string }> {
  if (options.config === undefined) {
    const data = resolve(options.data ?? 'data')
    return { data, ...(await verifyData(data, LIMITS)) }
  }
  const overrides = new Map(options.data === undefined ? [] : [['data', options.data]])
  const config = loadConfig(options.config, process.env, overrides)
  const limits = config.limitsInForce
  const { floorDir } = foldersOf(config, () => fleetOf(readRoot(config.root, limits), limits))
  return { data: config.data, ...(await verifyData(config.data, limits, floorDir)) }
}
