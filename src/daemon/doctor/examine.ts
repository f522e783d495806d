/** What may be wrong with a node, looked at from outside, whether it runs or not. Nothing is changed. */
import type { NodeConfig } from '../config.ts'
import { checkClock } from './clock.ts'
import { checkCommands } from './commands.ts'
import type { Finding } from './finding.ts'
import { checkBeacons } from './freshness.ts'
import { checkAdmission, checkFreshnessKey, checkKeyFiles } from './keys.ts'
import { checkAnnounced, checkPorts, checkSeeds } from './network.ts'
import { checkRoot } from './root.ts'
import { checkFolders, checkSpace, checkStore } from './store.ts'

/** Every check, in the order in which their failures explain one another. None rejects. */
export async function examine(config: NodeConfig): Promise<readonly Finding[]> {
  const { state, finding: store } = await checkStore(config)
  const seeds = await checkSeeds(config)
  return [
    await checkRoot(config),
    ...checkKeyFiles(config),
    ...(await checkAdmission(config)),
    ...(await checkFreshnessKey(config)),
    ...(await checkFolders(config, state)),
    ...(await checkSpace(config)),
    ...(await checkCommands(config)),
    store,
    ...(await checkPorts(config, state)),
    checkAnnounced(config),
    await checkClock(config, seeds.clocks),
    ...(await checkBeacons(config, state)),
    ...seeds.findings,
  ]
}
