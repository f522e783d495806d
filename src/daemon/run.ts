import type { NodeConfig } from './config.ts'
import { endProcess } from './end-process.ts'
import { type Ready, type RunningNode, startNode } from './node.ts'

function cutOff(deadlineMs: number, waitsFor: string): void {
  const text = `cut off, it took more than ${deadlineMs / 1_000} s to stop; it waited for ${waitsFor}`
  process.stderr.write(`confmesh: ${text}\n`)
  endProcess(1)
}

export interface RunOptions {
  readonly version: string
  readonly onReady: (ready: Ready) => void
  /** Blocks came that this node wants, and that are right. */
  readonly onContent: (bytes: number) => void
}

/** Runs a node until SIGTERM, SIGINT or SIGHUP, then ends the process. @throws MeshError why it cannot start, or go on */
export async function runNode(config: NodeConfig, options: RunOptions): Promise<void> {
  const ended = Promise.withResolvers<undefined>()
  let node: RunningNode | undefined
  const end = () => {
    ended.resolve(undefined)
    const { stopDeadlineMs } = config.limitsInForce
    setTimeout(() => cutOff(stopDeadlineMs, node?.stopping() ?? 'its start'), stopDeadlineMs).unref()
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, end)
  // A terminal that closes says it twice, by its shell and by itself: the second is not meant as "now".
  process.on('SIGHUP', end)
  node = await startNode(config, options.version, options.onContent)
  options.onReady(node.ready)
  const failed = await Promise.race([ended.promise, node.failed])
  end()
  await node.stop()
  if (failed !== undefined) throw failed
  // libp2p leaves a heartbeat timer behind; everything of ours is closed.
  endProcess(0)
}
