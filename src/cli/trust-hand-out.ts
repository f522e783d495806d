/** `trust push` and `trust rotate`: the trust commands that reach a running fleet. Network code is loaded only by them. */
import type { Command } from 'commander'
import { collect } from './arguments.ts'

export interface PushOptions {
  readonly root: string
  readonly seed?: readonly string[]
}

export interface RotateOptions extends PushOptions {
  readonly rootKey: readonly string[]
  readonly out?: string
  readonly addKey?: readonly string[]
  readonly removeKey?: readonly string[]
  readonly key?: readonly string[]
  readonly signWith?: readonly string[]
  readonly channel?: readonly string[]
  readonly stolen?: true
  readonly yes?: true
}

export function registerHandOut(trust: Command): void {
  trust
    .command('push')
    .description('hand new roots to a running fleet; they prove themselves')
    .requiredOption('--root <file>', 'the newest root; the older root.N.json are taken from beside it')
    .requiredOption('--seed <address...>', 'seeds, one or more', collect)
    .action(async (options: PushOptions) => (await import('./trust-push.ts')).pushToSeeds(options))
  trust
    .command('rotate')
    .description(
      "change a publisher's keys; with seeds, hand out the root and re-issue what it covers, together",
    )
    .argument('<publisher>')
    .option('--add-key <file...>', 'public keys to add', collect)
    .option('--remove-key <file...>', 'public keys to remove', collect)
    .requiredOption('--root <file>', 'the root')
    .requiredOption('--root-key <file...>', 'root keys to sign with', collect)
    .option('--out <file>', 'write the new root there instead')
    .option('--seed <address...>', 'hand it out to these seeds', collect)
    .option('--key <file...>', "the publisher's keys that sign the re-issued releases", collect)
    .option('--sign-with <command>', 'a command that signs them; may be given several times', collect)
    .option('--channel <name...>', 'channels to re-issue beside those that seeds and keys know', collect)
    .option('--stolen', 'the removed key is stolen: issue nothing again, it may be what the thief published')
    .option('--yes', 'do not ask on a terminal')
    .addHelpText(
      'after',
      `
Removing a key raises the epoch of the publisher's channels, so each needs a release under the new root: the same
files, signed anew. Nothing is downloaded again.
`,
    )
    .action(async (name: string, options: RotateOptions) =>
      (await import('./trust-rotate.ts')).rotate(name, options),
    )
}
