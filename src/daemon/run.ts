import { setDefaultAutoSelectFamilyAttemptTimeout } from 'node:net'
import type { NodeConfig } from './config.ts'
import { type Ready, startNode } from './node.ts'

/**
 * A stop that takes longer is cut off, as is a start that is told to stop: what matters is durable already. Container
 * engines kill after 10 s; on a host with far more to do than cores a stop was seen to take more than 5.
 */
const STOP_DEADLINE_MS = 8_000

/** Runs a node until SIGTERM or SIGINT, then ends the process. @throws MeshError why it cannot start, or go on */
export async function runNode(
  config: NodeConfig,
  options: { readonly version: string; readonly onReady: (ready: Ready) => void },
): Promise<void> {
  // Node's 250 ms per address fails a host of several addresses over a slow link.
  setDefaultAutoSelectFamilyAttemptTimeout(2_000)
  const ended = Promise.withResolvers<undefined>()
  const end = () => {
    ended.resolve(undefined)
    setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref()
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, end)
  const node = await startNode(config, options.version)
  options.onReady(node.ready)
  void node.failed.then(end)
  const failed = await Promise.race([node.failed, ended.promise])
  await node.stop()
  if (failed !== undefined) throw failed
  // libp2p leaves a heartbeat timer behind; everything of ours is closed.
  process.exit(0)
}
