import { styleText } from 'node:util'
import Table from 'cli-table3'
import type { Command } from 'commander'
import type { ChannelEntry, Status } from '../../client/index.ts'
import { clientOf, shared } from '../api-options.ts'
import { allPrintable, out } from '../output.ts'
import { isTerminal, momentText, PLAIN, short } from '../text.ts'

export function register(program: Command): void {
  shared(program.command('status'))
    .description('what this node runs: channels, releases, peers, trust root')
    .addHelpText(
      'after',
      '\nExamples:\n  confmesh status\n  confmesh status --api unix:/run/confmesh.sock --json\n',
    )
    .action(async (_options: unknown, command: Command) => {
      const status = await clientOf(command).status()
      out(status, describe(allPrintable(status)))
    })
}

const COLOURS: Record<ChannelEntry['state'], Parameters<typeof styleText>[0]> = {
  active: 'green',
  fetching: 'cyan',
  conflict: 'yellow',
  held: 'red',
  stale: 'yellow',
  empty: 'gray',
}

const paint = (colour: Parameters<typeof styleText>[0], text: string): string =>
  isTerminal() ? styleText(colour, text) : text

function describe(status: Status): string {
  const entries = Object.entries(status.peers.byRegion)
  // Peers without a region count as of "default": beside no other it says nothing.
  const labelled = entries.some(([region]) => region !== 'default')
  const regions = labelled ? entries.map(([region, count]) => `${region} ${count}`).join(', ') : ''
  const labels = Object.entries(status.labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')
  const head = [
    `node   ${status.peerId}${labels === '' ? '' : `  ${labels}`}`,
    `fleet  ${short(status.fleetId)}, root ${status.root.version}, expires ${status.root.expires.slice(0, 10)}`,
    ...certificateLines(status.certificate),
    `peers  ${status.peers.connected}${regions === '' ? '' : ` (${regions})`}`,
    ...patternLines(status.patterns),
    `store  ${size(status.store.bytes)}${status.store.readOnly ? paint('red', '  READ-ONLY: the disk is full or failing') : ''}`,
    `up     ${duration(status.uptimeSeconds)}, confmesh ${status.version}`,
  ]
  const problems = status.problems.map(({ code, message }) => paint('red', `wrong  ${code}: ${message}`))
  return [
    ...head,
    ...problems,
    '',
    status.channels.length === 0
      ? "no channels yet: of those that 'channels' in its configuration names no release has come here"
      : table(status.channels),
  ].join('\n')
}

/** So many patterns in a line: of more `--json` says all. */
const MAX_PATTERNS = 4

/** Why a channel is not in the table: this node does not store it. */
function patternLines(patterns: readonly string[]): string[] {
  if (patterns.length === 0) return []
  const more = patterns.length > MAX_PATTERNS ? ` and ${patterns.length - MAX_PATTERNS} more` : ''
  return [`keeps  ${patterns.slice(0, MAX_PATTERNS).join(', ')}${more}`]
}

function certificateLines(certificate: Status['certificate']): string[] {
  if (certificate === undefined) return []
  const { problem, pool, labels, expires } = certificate
  if (problem !== null)
    return [`cert   ${paint('red', `${problem.code}: ${problem.message}; peers refuse this node`)}`]
  const granted = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
  const from = pool === null ? 'of its own' : `of pool ${pool}`
  return [`cert   ${[from, ...granted].join(' ')}, expires ${(expires ?? '').slice(0, 10)}`]
}

function table(channels: readonly ChannelEntry[]): string {
  const rows = new Table({
    head: ['channel', 'state', 'release', 'clock', 'since', 'message'],
    style: { head: [], border: [] },
    chars: PLAIN,
  })
  for (const entry of channels) {
    const { active } = entry
    rows.push([
      entry.channel,
      paint(COLOURS[entry.state], stateText(entry)),
      active === null ? '-' : short(active.release),
      active === null ? '-' : clockText(active.clock),
      active === null ? '-' : momentText(active.activatedAt),
      entry.lastError === null ? (active?.message ?? '') : errorText(entry.lastError),
    ])
  }
  return rows.toString()
}

/** Beside it stands the release that is active, which need not be the one that it is about. */
function errorText({ code, message, release }: NonNullable<ChannelEntry['lastError']>): string {
  return `${code}${release === undefined ? '' : ` of ${short(release)}`}: ${message}`
}

/** With how far the content has come; blocks of the manifest's pages that are not here yet are not known. */
export function stateText({ state, gate, fetch }: Pick<ChannelEntry, 'state' | 'gate' | 'fetch'>): string {
  // Nothing is fetched any more, and no gate is closed: what takes long then is this host, and none of its peers.
  const isHere = state === 'fetching' && fetch === null && gate === null
  const progress = fetch === null ? '' : ` ${fetch.have} of ${fetch.blocks} blocks`
  return `${state}${isHere ? ', all is here' : progress}${gate === null ? '' : ` (${gate})`}`
}

export const clockText = (clock: Readonly<Record<string, number>>): string =>
  Object.entries(clock)
    .map(([name, counter]) => `${name}:${counter}`)
    .join(' ')

function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  const power = Math.min(4, Math.floor(Math.log2(bytes) / 10))
  return `${(bytes / 1024 ** power).toFixed(1)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`
}

function duration(seconds: number): string {
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
  ]
  const text = parts
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ')
  return text === '' ? `${seconds} s` : text
}
