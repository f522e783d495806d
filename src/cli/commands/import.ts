import { statSync } from 'node:fs'
import type { Command } from 'commander'
import { LIMITS } from '../../limits.ts'
import { openCar } from '../../publish/car.ts'
import { submitToFirst } from '../../publish/submit.ts'
import { shared } from '../api-options.ts'
import { collect } from '../arguments.ts'
import { requireUnexpired } from '../expiry.ts'
import { reachNode } from '../local-node.ts'
import { tellBytes, tellUpload } from '../progress.ts'
import { connect, seedAddresses } from '../publish-session.ts'
import { outPublished } from '../publish-text.ts'

export function register(program: Command): void {
  shared(program.command('import'))
    .description('inject a release out of a CAR file; no key is needed, what is signed proves itself')
    .argument('<file>', 'made by confmesh export')
    .option('--seed <address>', 'a seed instead of the node behind --api; again for more', collect)
    .addHelpText(
      'after',
      '\nExamples:\n  confmesh import release.car\n  confmesh import release.car --seed /dns4/seed1.example.net/tcp/7400/p2p/12D3KooW…\n',
    )
    .action(async (file: string, options: { seed?: readonly string[] }, command: Command) => {
      const { release, envelope, content, check, close } = await openCar(file, LIMITS)
      try {
        // A seed that holds it already asks for nothing, and would pass a tampered file for a good one.
        await check(tellBytes(`of ${file} checked`))
        const seeds = await (options.seed === undefined
          ? reachNode(command)
          : connect(seedAddresses(options)))
        try {
          await requireUnexpired(file, release, seeds.reached)
          const submission = { release: release.id, envelope, content }
          const done = await submitToFirst(seeds.reached, submission, {
            limits: LIMITS,
            ...tellUpload(statSync(file).size),
          })
          const { clock, files, bytes, channel } = release.header
          const unchanged = done.verdict === 'DUPLICATE' && done.uploadedBytes === 0
          outPublished(channel, { release: release.id, clock, files, bytes, unchanged, ...done }, { channel })
        } finally {
          await seeds.close()
        }
      } finally {
        await close()
      }
    })
}
