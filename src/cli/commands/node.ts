import type { Command } from 'commander'
import { loadConfig, type Overrides } from '../../daemon/config.ts'
import { VERSION } from '../../daemon/version.ts'
import { MeshError } from '../../errors.ts'
import { garbageBound } from '../heap-growth.ts'

interface NodeOptions {
  config: string
  root?: string
  data?: string
  listen?: string[]
  seed?: string[]
  channel?: string[]
  label?: string[]
  api?: string
}

const collect = (value: string, before: string[] = []): string[] => [...before, value]

export function register(program: Command): void {
  program
    .command('node')
    .description('run a node: join the mesh, verify, store, activate and serve releases')
    .requiredOption('--config <file>', 'configuration, such as the node.yaml that init wrote')
    .option('--root <file>', 'trust root')
    .option('--data <dir>', 'data folder; one per node')
    .option('--listen <address>', 'multiaddr to listen on; again for more', collect)
    .option('--seed <address>', 'seed to join at, with its peer id; again for more', collect)
    .option('--channel <pattern>', 'channel or pattern to subscribe to; again for more', collect)
    .option('--label <key=value>', 'label, such as region=eu; again for more', collect)
    .option('--api <listen>', 'HOST:PORT or unix:/path of the HTTP interface')
    .addHelpText(
      'after',
      '\nExamples:\n  confmesh node --config fleet/seed.yaml\n  confmesh node --config fleet/node.yaml --data /var/lib/confmesh --label region=eu\n',
    )
    .action(async (options: NodeOptions, command: Command) => {
      const json = command.optsWithGlobals<{ json?: boolean }>().json === true
      const config = loadConfig(options.config, process.env, overridesOf(options))
      // The network's code is loaded only now: a wrong configuration is told without it.
      const { runNode } = await import('../../daemon/run.ts')
      await runNode(config, {
        version: VERSION,
        onContent: (bytes) => garbageBound.contentCame(bytes),
        onReady: (ready) => {
          if (json) process.stdout.write(`${JSON.stringify({ event: 'ready', ...ready })}\n`)
          else
            process.stdout.write(
              `ready: ${ready.peerId}\n  ${[...ready.addresses, ready.api].join('\n  ')}\n`,
            )
        },
      })
    })
}

export function overridesOf(options: NodeOptions): Overrides {
  const overrides = new Map<string, string | readonly string[]>()
  const put = (key: string, value: string | readonly string[] | undefined): void => {
    if (value !== undefined) overrides.set(key, value)
  }
  put('root', options.root)
  put('data', options.data)
  put('listen', options.listen)
  put('seeds', options.seed)
  put('channels', options.channel)
  put('api.listen', options.api)
  for (const label of options.label ?? []) {
    const equals = label.indexOf('=')
    if (equals < 1) throw new MeshError('USAGE', `--label: "${label}" is no KEY=VALUE such as region=eu`)
    put(`labels.${label.slice(0, equals)}`, label.slice(equals + 1))
  }
  return overrides
}
