import type { Command } from 'commander'
import { loadConfig } from '../../daemon/config.ts'
import { VERSION } from '../../daemon/version.ts'
import { garbageBound } from '../heap-growth.ts'
import { type NodeOptions, nodeOptions, overridesOf } from '../node-options.ts'
import { requireNodePlatform } from '../platform.ts'

export function register(program: Command): void {
  const command = program
    .command('node')
    .description('run a node: join the mesh, verify, store, activate and serve releases')
    .requiredOption('--config <file>', 'configuration, such as the node.yaml that init wrote')
  nodeOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  confmesh node --config fleet/seed.yaml\n  confmesh node --config fleet/node.yaml --data /var/lib/confmesh --label region=eu\n',
    )
    .action((options: NodeOptions & { config: string }, command: Command) =>
      run(options, command.optsWithGlobals<{ json?: boolean }>().json === true),
    )
}

async function run(options: NodeOptions & { config: string }, json: boolean): Promise<void> {
  requireNodePlatform()
  const config = loadConfig(options.config, process.env, overridesOf(options))
  // The network's code is loaded only now: a wrong configuration is told without it.
  const { runNode } = await import('../../daemon/run.ts')
  // As with the log: who wants its few lines may have no room, or be gone; READY is in the log, too, and the node serves on.
  process.stdout.removeAllListeners('error').on('error', () => {})
  await runNode(config, {
    version: VERSION,
    onContent: (bytes) => garbageBound.contentCame(bytes),
    onReady: (ready) => {
      if (json) process.stdout.write(`${JSON.stringify({ event: 'ready', ...ready })}\n`)
      else process.stdout.write(`ready: ${ready.peerId}\n  ${[...ready.addresses, ready.api].join('\n  ')}\n`)
    },
  })
}
