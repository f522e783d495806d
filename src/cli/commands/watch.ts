import type { Command } from 'commander'
import type { Client, ReleaseEvent } from '../../client/index.ts'
import { isMeshError } from '../../errors.ts'
import { clientOf, shared } from '../api-options.ts'
import { allPrintable, isJson, printable, warn } from '../output.ts'
import { onlyPrints } from '../stdout.ts'
import { short } from '../text.ts'
import { clockText } from './status.ts'

export function register(program: Command): void {
  shared(program.command('watch'))
    .description(
      'one line per activation, the current state first; a slow reader gets the newest; reconnects by itself',
    )
    .argument('<channel>', 'such as payments/prod')
    .addHelpText(
      'after',
      '\nExamples:\n  confmesh watch payments/prod\n  confmesh watch payments/prod --json | while read -r change; do ./reload.sh; done\n',
    )
    .action(async (channel: string, _options: unknown, command: Command) => {
      const client = clientOf(command)
      // An absent node is told at once; what is lost later is waited for.
      await client.channel(channel).catch((error: unknown) => {
        if (!isMeshError(error) || error.code !== 'API_NOT_FOUND') throw error
        // A new fleet has nothing of it yet. Where nothing of it can ever come, the stream is refused.
        warn(`no channel ${channel} known here yet`)
      })
      const { signal } = stoppedBySignals()
      const onDisconnect = (error: Error): void =>
        void process.stderr.write(`lost the node (${printable(error.message)}); reconnecting\n`)
      onlyPrints()
      for await (const event of client.events(channel, { signal, onDisconnect })) {
        const line = isJson()
          ? JSON.stringify(event)
          : lineOf(await activatedAt(client, channel, event.release), allPrintable(event))
        if (signal.aborted) return
        await taken(`${line}\n`)
      }
    })
}

/** Whose reader stands still is not waited for: the command ends in the midst of its line. */
function stoppedBySignals(): AbortController {
  const stopped = new AbortController()
  const stop = (): void => {
    stopped.abort()
    if (process.stdout.writableLength > 0) process.exit()
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, stop)
  return stopped
}

const lineOf = (at: string, { release, clock, changed }: ReleaseEvent): string =>
  `${at}  ${short(release)}  ${clockText(clock)}  ${changed.join(' ')}`

/**
 * Until stdout has passed it on: behind a reader that stands still nothing piles up, for what comes meanwhile waits at the
 * node, which keeps the newest alone. Of a stdout that is lost the whole command ends: see `onlyPrints`.
 */
const taken = (line: string): Promise<void> =>
  new Promise((resolve) => void process.stdout.write(line, () => resolve()))

/** When it became active here, though it may be replaced by now; where that is not known any longer, now. */
async function activatedAt(client: Client, channel: string, release: string): Promise<string> {
  try {
    const { active, history } = await client.channel(channel)
    const known = [active, ...history].find((one) => one?.release === release)
    if (known) return printable(known.activatedAt)
  } catch (error) {
    // The next event says that the node is lost.
    if (!isMeshError(error)) throw error
  }
  return new Date().toISOString()
}
