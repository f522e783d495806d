/** `trust fetch`, `trust push` and `trust rotate`: the trust commands that reach a running fleet. Network code is loaded only by them. */
import type { Command } from 'commander'
import { shared } from './api-options.ts'
import { collect } from './arguments.ts'
import { LOST_KEY } from './key-files.ts'
import { RAISE } from './trust-publishers.ts'

export interface PushOptions {
  readonly root: string
  readonly seed?: readonly string[]
  readonly key?: readonly string[]
  readonly signWith?: readonly string[]
  readonly publisher?: string
  readonly channel?: readonly string[]
}

export interface RotateOptions extends Omit<PushOptions, 'publisher'> {
  readonly rootKey: readonly string[]
  readonly out?: string
  readonly addKey?: readonly string[]
  readonly removeKey?: readonly string[]
  readonly raise?: readonly string[]
  readonly stolen?: true
  readonly yes?: true
}

/** Of `trust fetch`. */
export interface FetchOptions {
  readonly root: string
  readonly seed?: readonly string[]
}

export function registerHandOut(trust: Command): void {
  registerFetch(trust)
  trust
    .command('push')
    .description('hand new roots to a running fleet; they prove themselves')
    .requiredOption('--root <file>', 'the newest root; the older root.N.json are taken from beside it')
    .requiredOption('--seed <address...>', 'seeds, one or more', collect)
    .option(
      '--key <file...>',
      "a publisher's keys: issue again what a new epoch touches, signed by them",
      collect,
    )
    .option('--sign-with <command>', 'a command that signs it; may be given several times', collect)
    .option('--publisher <name>', 'for whom to sign, where the key does not tell')
    .option('--channel <name...>', 'channels to re-issue beside those that seeds and keys know', collect)
    .addHelpText(
      'after',
      `
With a key it ends a rotation whose root several people signed: the same files, signed anew. After a theft push without
one: what stands in the channels may be the thief's.

Example:
  confmesh trust push --root root.json --seed ADDR
`,
    )
    .action(pushed)
  trust
    .command('rotate')
    .description(
      "change a publisher's keys; with seeds, hand out the root and re-issue what it covers, together",
    )
    .argument('<publisher>')
    .option('--add-key <file...>', 'public keys to add', collect)
    .option('--remove-key <file|id...>', `public keys to remove; ${LOST_KEY}`, collect)
    .requiredOption('--root <file>', 'the root')
    .requiredOption('--root-key <file...>', 'root keys to sign with', collect)
    .option('--out <file>', 'write the new root into this new file instead')
    .option('--raise <pattern...>', `${RAISE} (without --seed)`, collect)
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
files, signed anew. Nothing is downloaded again. --key, --sign-with and --channel are for that, so they need --seed;
where only keys are added nothing is signed and no key of the publisher is needed.

Example:
  confmesh trust rotate ci --add-key b.key.pub --remove-key a.key.pub --root root.json --root-key root.key --seed ADDR --key b.key
`,
    )
    .action(async (name: string, options: RotateOptions) =>
      (await import('./trust-rotate.ts')).rotate(name, options),
    )
}

function registerFetch(trust: Command): void {
  shared(trust.command('fetch'))
    .description('bring the newest root of a running fleet here, by the steps from an older one')
    .requiredOption('--root <file>', 'any root of the fleet: root.json of a backup or a host, root.N.json')
    .option('--seed <address...>', 'seeds, one or more, instead of the node behind --api', collect)
    .addHelpText(
      'after',
      `
Each step is checked as nodes check it. The newest is FILE then, the older ones are root.N.json beside it; of root.N.json
itself root.json beside it is the newest. What stands there and is none of these versions is never overwritten.
Without --seed it asks a node on its own host, as import does: also where no seed is left.

Example:
  confmesh trust fetch --root root.json --seed ADDR
`,
    )
    .action(async (options: FetchOptions, command: Command) =>
      (await import('./trust-fetch.ts')).fetchNewest(options, command),
    )
}

async function pushed(options: PushOptions): Promise<void> {
  const { key, signWith, publisher, channel } = options
  if ([key, signWith, publisher, channel].every((option) => option === undefined))
    return (await import('./trust-push.ts')).pushToSeeds(options)
  await (await import('./trust-reissue.ts')).pushAndReissue(options)
}
