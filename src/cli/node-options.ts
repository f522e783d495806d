/** What of a node's configuration stands on the command line, for whoever runs it and whoever looks at it. */
import type { Command } from 'commander'
import type { Overrides } from '../daemon/config.ts'
import { MeshError } from '../errors.ts'
import { collect } from './arguments.ts'

export interface NodeOptions {
  readonly root?: string
  readonly data?: string
  readonly listen?: readonly string[]
  readonly seed?: readonly string[]
  readonly channel?: readonly string[]
  readonly label?: readonly string[]
  readonly api?: string
}

export const nodeOptions = (command: Command): Command =>
  command
    .option('--root <file>', 'trust root')
    .option('--data <dir>', 'data folder; one per node')
    .option('--listen <address>', 'multiaddr to listen on; again for more', collect)
    .option('--seed <address>', 'seed to join at, with its peer id; again for more', collect)
    .option('--channel <pattern>', 'channel or pattern to subscribe to; again for more', collect)
    .option('--label <key=value>', 'label, such as region=eu; again for more', collect)
    .option('--api <listen>', 'HOST:PORT or unix:/path of the HTTP interface')

/** Keys of the configuration and what they are instead. @throws MeshError USAGE */
export function overridesOf(options: NodeOptions): Overrides {
  const overrides = new Map<string, string | readonly string[]>()
  const put = (key: string, value: string | readonly string[] | undefined): void => {
    if (value !== undefined) overrides.set(key, value)
  }
  put('root', options.root)
  put('data', options.data)
  put('listen', options.listen)
  put('seeds', options.seed)
  put('channels', options.channel)
  put('api.listen', options.api)
  for (const label of options.label ?? []) {
    const equals = label.indexOf('=')
    if (equals < 1) throw new MeshError('USAGE', `--label: "${label}" is no KEY=VALUE such as region=eu`)
    put(`labels.${label.slice(0, equals)}`, label.slice(equals + 1))
  }
  return overrides
}
