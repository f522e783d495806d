/** What a publish shows: the difference to the target beforehand, the outcome after. */
import type { Channel } from '../model/ids.ts'
import { differenceOf } from '../publish/difference.ts'
import type { NewChannel } from '../publish/new-channel.ts'
import type { Change, Published } from '../publish/publish.ts'
import { isJson, out, printable, warn } from './output.ts'
import { saysYes } from './question.ts'
import { short, size } from './text.ts'

export const amount = (of: { readonly files: number; readonly bytes: number }): string =>
  `${of.files} ${of.files === 1 ? 'file' : 'files'}, ${size(of.bytes)}`

/** A channel that is known holds what an epoch has ended, where one has; or nobody was asked. */
function emptyLine(channel: Channel, epoch: number, isNew: NewChannel | undefined): string {
  if (isNew !== undefined) return `${channel} is empty; this is its first release`
  if (epoch === 1) return `no release of ${channel} is known here`
  return `nothing counts in ${channel} under epoch ${epoch}; what is active stays until this release`
}

export function changeLines({ standing, header, isNew }: Change): string[] {
  const { target, held, conflict, releases } = standing
  const lines: string[] = []
  if (held) lines.push(`${header.channel} is held: two releases were signed for one place; this one ends it`)
  if (target === undefined && !held) lines.push(emptyLine(header.channel, standing.epoch, isNew))
  if (target !== undefined) {
    const said = target.header.message === '' ? '' : `: ${target.header.message}`
    lines.push(`- ${short(target.id)} by ${target.header.publisher}, ${amount(target.header)}${said}`)
  }
  if (conflict) lines.push(`it stands beside ${releases.length - 1} other; this release replaces all of them`)
  const said = header.message === '' ? '' : `: ${header.message}`
  lines.push(`+ ${header.publisher}, counter ${header.clock.get(header.publisher)}, ${amount(header)}${said}`)
  if (target !== undefined) lines.push(`  ${difference(target.header, header)}`)
  return lines.map(printable)
}

function difference(old: Change['header'], next: Change['header']): string {
  const { files, bytes, pages, sameFiles } = differenceOf(old, next)
  if (sameFiles) return 'the same files'
  const changed = `${pages} of ${next.pages.length} pages of the list of files changed`
  if (files === 0 && bytes === 0) return `as many files and bytes, others in them: ${changed}`
  const signed = (n: number) => (n >= 0 ? `+${n}` : String(n))
  return `${signed(files)} files, ${signed(bytes)} bytes, ${changed}`
}

const SHOWN_NAMES = 5

/** Said on a terminal or not: a slip in a pipeline would bring a channel to life that no node asks for. */
export function newChannelLine({ channel, nearest, known }: NewChannel): string {
  const begin = `new channel ${channel}: nothing was ever published there`
  if (nearest !== undefined) return `${begin}; nearest known is ${nearest}`
  const more = known.length > SHOWN_NAMES ? ', …' : ''
  return `${begin}; known are ${known.slice(0, SHOWN_NAMES).join(', ')}${more}`
}

export const onTerminal = (): boolean =>
  process.stdin.isTTY === true && process.stderr.isTTY === true && !isJson()

/** Shows the difference, which is all that a dry run has to say; asks on a terminal, unless told not to. */
export async function confirm(
  change: Change,
  { yes = false, dryRun = false }: { readonly yes?: boolean; readonly dryRun?: boolean },
): Promise<boolean> {
  // The first channel of a fleet cannot be a slip for another.
  if (change.isNew !== undefined && change.isNew.known.length > 0) warn(newChannelLine(change.isNew))
  if (!isJson()) (dryRun ? process.stdout : process.stderr).write(`${changeLines(change).join('\n')}\n`)
  if (yes || dryRun || !onTerminal()) return true
  return saysYes(`publish to ${change.header.channel}?`)
}

/** The fields that `--json` promises. */
export const publishedFacts = (done: Published) => ({
  release: done.release,
  clock: Object.fromEntries(done.clock),
  files: done.files,
  bytes: done.bytes,
  uploadedBytes: done.uploadedBytes,
  unchanged: done.unchanged,
  ...(done.newChannel === undefined ? {} : { newChannel: done.newChannel }),
  ...(done.replaces === undefined ? {} : { replaces: done.replaces, difference: done.difference }),
  acknowledgedBy: done.acknowledgedBy,
  ...(done.verdict === undefined ? {} : { verdict: done.verdict }),
})

/** It was taken, so the command is done; but its publisher would wait for it on the nodes in vain. */
export function warnIfBeside(
  channel: Channel,
  { release, verdict }: Pick<Published, 'release' | 'verdict'>,
): void {
  if (verdict === 'CONCURRENT')
    warn(
      `no node activates ${short(release)}: another publisher's release stands beside it in ${channel} and ranks higher; look at both, then publish again, which replaces both`,
    )
}

export function outPublished(
  channel: Channel,
  done: Published,
  more: { readonly dryRun?: true; readonly channel?: Channel } = {},
): void {
  warnIfBeside(channel, done)
  const held = `held by ${done.acknowledgedBy.length} seed${done.acknowledgedBy.length === 1 ? '' : 's'}`
  const there = `${channel} is ${short(done.release)} already, ${held}`
  const sent = `${channel} ${short(done.release)}: ${amount(done)}, ${size(done.uploadedBytes)} uploaded, ${held}`
  const dry = [...(done.unchanged ? [there] : []), 'dry run: nothing signed or sent']
  out({ ...publishedFacts(done), ...more }, more.dryRun === true ? dry : done.unchanged ? there : sent)
}
