import type { Command } from 'commander'
import { LIMITS } from '../../limits.ts'
import { build } from '../../publish/build.ts'
import { out } from '../output.ts'
import { amount } from '../publish-text.ts'

export function register(program: Command): void {
  program
    .command('check')
    .description('would these files be accepted as a release? Uses no network and no key')
    .argument('<path...>', 'one folder with all below it, or files')
    .addHelpText('after', '\nExample:\n  confmesh check ./config\n')
    .action(async (paths: readonly string[]) => {
      const { files, bytes, pages } = await build(paths, { limits: LIMITS })
      const value = { ok: true, files, bytes, pages: pages.length }
      out(value, `${paths.join(' ')} can be published: ${amount({ files, bytes })}`)
    })
}
