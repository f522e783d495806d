/** `confmesh trust` on publishers and epochs. */
import type { Command } from 'commander'
import { LIMITS } from '../limits.ts'
import { parseName, parsePattern } from '../model/names.ts'
import { addPublisher, raiseEpoch, removePublisher, setThreshold } from '../trust/edit.ts'
import { argument, collect, wholeNumber } from './arguments.ts'
import { readPublicKey } from './key-files.ts'
import { type ChangeOptions, changeRoot } from './trust-change.ts'

interface PublisherOptions extends ChangeOptions {
  readonly publicKey: readonly string[]
  readonly threshold: string
  readonly channel: readonly string[]
  readonly replace?: true
}

export const RAISE = 'give these channels a new epoch, too, as after a fork'

/**
 * The options that every change of a root has.
 * @param example what its own arguments may look like
 */
export function change(trust: Command, name: string, description: string, example = ''): Command {
  const own = example === '' ? '' : ` ${example}`
  return trust
    .command(name)
    .description(description)
    .requiredOption('--root <file>', 'the current root')
    .requiredOption('--root-key <file...>', 'root keys to sign with', collect)
    .option('--out <file>', 'write the new root into this new file and leave the current one alone')
    .option('--raise <pattern...>', RAISE, collect)
    .option('--seed <address...>', 'ask these seeds which channels must be issued again', collect)
    .option('--yes', 'do not ask on a terminal')
    .addHelpText('after', `\nExample:\n  confmesh trust ${name}${own} --root root.json --root-key root.key\n`)
}

export function registerPublisherEdits(trust: Command): void {
  change(
    trust,
    'add-publisher',
    'name a publisher: its keys, how many of them must sign, on which channels',
    "ci --public-key ci.key.pub --channel 'payments/*'",
  )
    .argument('<name>')
    .requiredOption('--public-key <file...>', 'its public keys', collect)
    .option('--threshold <n>', 'how many of them must sign', '1')
    .requiredOption('--channel <pattern...>', 'channels it may publish on', collect)
    .option('--replace', 'a publisher of this name is there: put this one in its place')
    .action((nameText: string, options: PublisherOptions) => {
      const name = argument('NAME', nameText, parseName)
      const keys = options.publicKey.map(readPublicKey)
      const threshold = wholeNumber('--threshold', options.threshold, 1, LIMITS.maxKeysPerRole)
      const patterns = options.channel.map((text) => argument('--channel', text, parsePattern))
      const replace = options.replace === true
      return changeRoot(options, (root) =>
        addPublisher(root, { name, keys, threshold, patterns }, { replace }),
      )
    })
  change(
    trust,
    'remove-publisher',
    'a publisher may publish nothing any more; its channels get a new epoch',
    'ci',
  )
    .argument('<name>')
    .action((nameText: string, options: ChangeOptions) => {
      const name = argument('NAME', nameText, parseName)
      return changeRoot(options, (root) => removePublisher(root, name))
    })
  change(trust, 'set-threshold', 'how many keys of the root role, or of a publisher, must sign', '2')
    .argument('<n>')
    .option('--publisher <name>', 'of this publisher instead of the root role')
    .action((text: string, options: ChangeOptions & { publisher?: string }) => {
      const threshold = wholeNumber('N', text, 1, LIMITS.maxKeysPerRole)
      const publisher =
        options.publisher === undefined ? undefined : argument('--publisher', options.publisher, parseName)
      return changeRoot(options, (root) => setThreshold(root, threshold, publisher))
    })
  change(
    trust,
    'raise-epoch',
    'end the epoch of channels: no older release of theirs counts any more',
    "'payments/**'",
  )
    .argument('<pattern>')
    .action((text: string, options: ChangeOptions) => {
      const pattern = argument('PATTERN', text, parsePattern)
      return changeRoot(options, (root) => raiseEpoch(root, pattern))
    })
}
