import type { Command } from 'commander'
import type { ChannelWithHistory } from '../../client/index.ts'
import { clientOf, shared } from '../api-options.ts'
import { allPrintable, out } from '../output.ts'
import { momentText, short } from '../text.ts'
import { clockText } from './status.ts'

export function register(program: Command): void {
  shared(program.command('log'))
    .description('releases that were active here, newest first, and heads that are not')
    .argument('<channel>', 'such as payments/prod')
    .addHelpText(
      'after',
      '\n* is active here; ? is a head that is not: held, refused by its check, or on its way; the rest was active before.\n--json has whole release ids.\n\nExample:\n  confmesh log payments/prod\n',
    )
    .action(async (channel: string, _options: unknown, command: Command) => {
      const entry = await clientOf(command).channel(channel)
      out(entry, describe(channel, allPrintable(entry)))
    })
}

function describe(channel: string, entry: ChannelWithHistory): string {
  const line = (
    mark: string,
    item: { release: string; clock: Record<string, number>; message: string },
    when: string,
  ): string =>
    `${mark} ${short(item.release)}  ${momentText(when)}  ${clockText(item.clock)}  ${item.message}`
  const lines = entry.active === null ? [] : [line('*', entry.active, entry.active.activatedAt)]
  const shown = new Set([entry.active?.release])
  for (const head of entry.heads) if (!shown.has(head.release)) lines.unshift(line('?', head, head.created))
  lines.push(...entry.history.map((item) => line(' ', item, item.activatedAt)))
  return lines.length === 0 ? `${channel}: nothing yet (${entry.state})` : lines.join('\n')
}
