import type { Command } from 'commander'
import { plan } from '../../sim/planner/plan.ts'
import { collect, wholeNumber } from '../arguments.ts'
import { failAfterwards, isJson, out } from '../output.ts'
import { openPlot } from '../plot.ts'
import { jsonOf } from '../simulate-json.ts'
import { plotOf } from '../simulate-plot.ts'
import { questionOf, type SimulateOptions } from '../simulate-question.ts'
import { describe } from '../simulate-text.ts'

const MAX_RELEASES = 100

const EXAMPLES = `
Regions are us, eu, ap, sa or full names (us-east-1, eu-west-1, ap-northeast-1, us-west-2, ap-southeast-1, sa-east-1),
or own ones with their round trip in ms to the first, which is home: the release is injected there.

Examples:
  confmesh simulate --nodes 20000 --regions eu,us,ap --size 100MiB
  confmesh simulate --nodes 100000 --regions us,eu,ap --size 4KiB --releases 9 --fail gateway
  confmesh simulate --nodes 500 --regions office=0,plant=35,ship=600 --size 20MiB --link 50Mbit/200Mbit --border 100Mbit
  confmesh simulate --nodes 500 --size 3GiB --store 200MB
  confmesh simulate --nodes 1000 --size 100MiB --churn 10 --fail origin --plot spread.svg
`

export function register(program: Command): void {
  program
    .command('simulate')
    .description('a virtual fleet: how long and how many bytes would a release take in yours')
    .option('--nodes <n>', 'nodes beside the origin, spread evenly over the regions', '1000')
    .option('--regions <list>', 'home first: known ones, or name=ms', 'us,eu,ap')
    .option('--size <size>', 'content of the release', '4KiB')
    .option('--churn <percent>', 'nodes that die silently meanwhile', '0')
    .option('--fail <what>', 'gateway, origin or seed (another word for it); may be given twice', collect)
    .option('--link <link>', 'of each node: 1Gbit, mix, or UP/DOWN', '1Gbit')
    .option('--border <rate>', "of each region's border, in and out", '10Gbit')
    .option('--store <size>', 'what the store of a node takes a second: large releases get a quarter of it')
    .option('--gateways <which>', 'any node, or those with the fastest link: any, fastest', 'any')
    .option('--releases <n>', 'releases to simulate, each with a seed of its own', '1')
    .option('--seed <n>', 'of the first; the same seed gives the same run', '1')
    .option('--plot <file.svg>', 'draw how the release spreads')
    .addHelpText('after', EXAMPLES)
    .action(simulate)
}

async function simulate(options: SimulateOptions): Promise<void> {
  const question = questionOf(options)
  const releases = wholeNumber('--releases', options.releases, 1, MAX_RELEASES)
  const draw = options.plot === undefined ? undefined : await openPlot(options.plot)
  const answer = await plan(question, releases, tellProgress())
  endProgress()
  out(jsonOf(answer, question), describe(answer, question))
  // Last: whatever goes wrong with it, the answer is there.
  await draw?.(plotOf(answer, question)).catch(failAfterwards)
}

const isWatched = (): boolean => process.stderr.isTTY === true && !isJson()

function tellProgress(): (done: number) => void {
  let shown = -1
  return (done) => {
    const percent = Math.floor(done * 100)
    if (!isWatched() || percent === shown) return
    shown = percent
    process.stderr.write(`\rsimulating: ${percent} %`)
  }
}

function endProgress(): void {
  if (isWatched()) process.stderr.write('\r\u001b[K')
}
