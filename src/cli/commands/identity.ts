import { resolve } from 'node:path'
import type { Command } from 'commander'
import { loadOrCreateIdentity } from '../../daemon/identity.ts'
import { out } from '../output.ts'

export function register(program: Command): void {
  program
    .command('identity')
    .description('print the peer id of the node whose data folder this is; its key is made if it is new')
    .requiredOption('--data <dir>', "the node's data folder")
    .addHelpText('after', '\nExample:\n  confmesh identity --data /var/lib/confmesh\n')
    .action(async (options: { data: string }) => {
      const data = resolve(options.data)
      const { peerId } = await loadOrCreateIdentity(data)
      out({ peerId, data }, peerId)
    })
}
