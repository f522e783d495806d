import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { Client } from '../client/index.ts'
import { isSendable } from '../client/token.ts'
import { MeshError } from '../errors.ts'

/** Options of every command that reads from a node's API. */
export function shared(command: Command): Command {
  return command
    .option(
      '--api <url>',
      'API of the node: http://HOST:PORT or unix:/path (default: CONFMESH_API, then http://127.0.0.1:7480)',
    )
    .option('--token-file <file>', 'bearer token, where the node asks for one')
}

export function clientOf(command: Command): Client {
  const { api, tokenFile } = command.optsWithGlobals<{ api?: string; tokenFile?: string }>()
  const token = tokenFile === undefined ? undefined : readToken(tokenFile)
  return new Client({ ...(api === undefined ? {} : { api }), ...(token === undefined ? {} : { token }) })
}

/** By loopback or a socket, as it is unless something else is said. */
export function isByThisHost(command: Command): boolean {
  const { api = process.env.CONFMESH_API ?? '' } = command.optsWithGlobals<{ api?: string }>()
  return api === '' || api.startsWith('unix:') || LOOPBACK.test(new URL(api).hostname)
}

const LOOPBACK = /^(localhost|127\.[\d.]+|\[::1\])$/

function readToken(path: string): string {
  let token: string
  try {
    token = readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw new MeshError(
      'CONFIG_UNREADABLE',
      `--token-file ${path}: ${(error as NodeJS.ErrnoException).code ?? 'unreadable'}`,
    )
  }
  if (isSendable(token)) return token
  throw new MeshError(
    'CONFIG_INVALID',
    `--token-file ${path}: holds more than one line, or not all ASCII; is it the file of a node's api.tokenFile?`,
  )
}

/**
 * The full id for a prefix of at least 8 digits, among releases the node tells of.
 * @throws MeshError USAGE
 */
export async function resolveRelease(client: Client, channel: string, prefix: string): Promise<string> {
  if (/^[0-9a-f]{64}$/.test(prefix)) return prefix
  if (!/^[0-9a-f]{8,63}$/.test(prefix))
    throw new MeshError('USAGE', `${prefix}: not a release; give at least its first 8 hex digits`)
  const entry = await client.channel(channel)
  const known = new Set([
    ...(entry.active === null ? [] : [entry.active.release]),
    ...entry.heads.map((head) => head.release),
    ...entry.history.map((item) => item.release),
  ])
  const found = [...known].filter((id) => id.startsWith(prefix))
  if (found.length === 1 && found[0] !== undefined) return found[0]
  const why =
    found.length === 0 ? 'is not a release this node knows of' : 'fits several releases; give more digits'
  throw new MeshError(
    found.length === 0 ? 'API_NOT_FOUND' : 'USAGE',
    `${prefix} ${why}; see 'confmesh log ${channel}'`,
  )
}
