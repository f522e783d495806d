import type { Command } from 'commander'
import { collect } from '../arguments.ts'
import { type SignOptions, signRoot } from '../trust-change.ts'
import { registerHandOut } from '../trust-hand-out.ts'
import { registerPublisherEdits } from '../trust-publishers.ts'
import { registerRoleEdits } from '../trust-roles.ts'
import { showRoot, verifyRoot } from '../trust-show.ts'

export function register(program: Command): void {
  const trust = program
    .command('trust')
    .description('read and change the trust root, offline')
    .addHelpText(
      'after',
      '\nA change says first what it does, and for whom. FILE changes only once the thresholds of the old root and of\nthe new one hold; until then root.N.draft.json beside it waits for "trust sign".\n',
    )
  trust
    .command('show')
    .description('print what a root says')
    .requiredOption('--root <file>', 'the root')
    .addHelpText('after', '\nExample:\n  confmesh trust show --root root.json\n')
    .action((options: { root: string }) => showRoot(options.root))
  trust
    .command('verify')
    .description('check a root, and every step to it from the older versions beside it')
    .requiredOption('--root <file>', 'the root')
    .addHelpText('after', '\nExample:\n  confmesh trust verify --root root.json\n')
    .action((options: { root: string }) => verifyRoot(options.root, Date.now()))
  trust
    .command('sign')
    .description(
      'add signatures to a draft, once it is said what it changes; it takes effect once enough people signed',
    )
    .argument('<file>', 'root.N.draft.json')
    .requiredOption('--root-key <file...>', 'root keys to sign with', collect)
    .option('--root <file>', 'the current root (default: the one beside the draft)')
    .option('--out <file>', 'write the new root into this new file and leave the current one alone')
    .option('--seed <address...>', 'ask these seeds which channels must be issued again', collect)
    .option('--yes', 'do not ask on a terminal')
    .addHelpText('after', '\nExample:\n  confmesh trust sign root.2.draft.json --root-key b.key\n')
    .action((file: string, options: SignOptions) => signRoot(file, options))
  registerPublisherEdits(trust)
  registerRoleEdits(trust)
  registerHandOut(trust)
}
