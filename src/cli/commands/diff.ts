import type { Command } from 'commander'
import type { Files } from '../../client/index.ts'
import { clientOf, resolveRelease, shared } from '../api-options.ts'
import { out, printable } from '../output.ts'
import { short } from '../text.ts'

interface Change {
  readonly path: string
  readonly change: 'added' | 'removed' | 'modified'
}

export function register(program: Command): void {
  shared(program.command('diff'))
    .description('which files differ between two stored releases')
    .argument('<channel>', 'such as payments/prod')
    .argument('<from>', 'release, or its first digits (at least 8)')
    .argument('<to>', 'release, or its first digits (at least 8)')
    .addHelpText('after', '\nExample:\n  confmesh diff payments/prod 3f9a01bc 77e2d04f\n')
    .action(async (channel: string, from: string, to: string, _options: unknown, command: Command) => {
      const client = clientOf(command)
      const [a, b] = [await resolveRelease(client, channel, from), await resolveRelease(client, channel, to)]
      const changes = changesBetween(await client.files(channel, a), await client.files(channel, b))
      const mark = { added: '+', removed: '-', modified: '~' } as const
      const lines = changes.map(({ path, change }) => `${mark[change]} ${printable(path)}`)
      out(
        { channel, from: a, to: b, changes },
        lines.length === 0 ? `${short(a)} and ${short(b)} hold the same files` : lines,
      )
    })
}

function changesBetween(a: Files, b: Files): Change[] {
  const [was, is] = [a, b].map(
    (listing) => new Map(listing.files.map((file) => [file.path, `${file.digest} ${file.mode}`])),
  ) as [Map<string, string>, Map<string, string>]
  const paths = [...new Set([...was.keys(), ...is.keys()])].sort()
  return paths.flatMap((path): Change[] => {
    if (was.get(path) === is.get(path)) return []
    return [{ path, change: !was.has(path) ? 'added' : !is.has(path) ? 'removed' : 'modified' }]
  })
}
