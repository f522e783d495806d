import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import type { PublicKey } from '../../model/root.ts'
import { writeKeyPair } from '../key-files.ts'
import { out } from '../output.ts'

export function register(program: Command): void {
  program
    .command('keygen')
    .description('make a key pair: FILE (mode 0600, keep it secret) and FILE.pub (hand it out)')
    .requiredOption('--out <file>', 'where to write it; it must not exist yet')
    .addOption(new Option('--type <type>', 'kind of key').choices(['ed25519', 'p256']).default('ed25519'))
    .addHelpText('after', '\nExample:\n  confmesh keygen --out keys/ci.key\n')
    .action((options: { out: string; type: PublicKey['type'] }) => {
      const key = resolve(options.out)
      const { id } = writeKeyPair(key, options.type)
      const value = { key, publicKey: `${key}.pub`, keyId: id, type: options.type }
      out(value, [`key     ${key}`, `public  ${key}.pub`, `id      ${id}`])
    })
}
