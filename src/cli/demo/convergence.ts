import { setTimeout as delay } from 'node:timers/promises'
import { Client } from '../../client/index.ts'
import { CHANNEL } from './fleet.ts'
import type { NodeProcess } from './processes.ts'

export interface NodeLine {
  readonly name: string
  readonly region: string
  readonly release: string | undefined
  /** From the publisher's signature to active here (one host, one clock); undefined while it is not. */
  readonly afterMs: number | undefined
}

const LOOK_EVERY_MS = 50

/** Watches the nodes until all run `release`, or the deadline passes; `show` gets each picture on the way. */
export async function watchConvergence(
  nodes: readonly NodeProcess[],
  release: string,
  sinceMs: number,
  deadlineMs: number,
  show: (lines: readonly NodeLine[]) => void,
): Promise<readonly NodeLine[]> {
  const lines = new Map<string, NodeLine>(
    nodes.map(({ name, region }) => [name, { name, region, release: undefined, afterMs: undefined }]),
  )
  const picture = (): NodeLine[] => nodes.map(({ name }) => lines.get(name) as NodeLine)
  const done = (): boolean => picture().every((line) => line.afterMs !== undefined)
  while (!done() && Date.now() - sinceMs < deadlineMs) {
    await Promise.all(
      nodes
        .filter(({ name }) => lines.get(name)?.afterMs === undefined)
        .map(async (node) => {
          const active = await activeOf(node)
          const afterMs = active?.release === release ? active.afterMs : undefined
          lines.set(node.name, { name: node.name, region: node.region, release: active?.release, afterMs })
        }),
    )
    show(picture())
    if (!done()) await delay(LOOK_EVERY_MS)
  }
  return picture()
}

/** Undefined where the node knows nothing of the channel yet, or does not answer just now. */
async function activeOf(node: NodeProcess): Promise<{ release: string; afterMs: number } | undefined> {
  const channel = await new Client({ api: node.api }).channel(CHANNEL).catch(() => undefined)
  const active = channel?.active
  if (!active) return undefined
  const created =
    channel?.heads.find((head) => head.release === active.release)?.created ?? active.activatedAt
  return {
    release: active.release,
    afterMs: Math.max(0, Date.parse(active.activatedAt) - Date.parse(created)),
  }
}

/** Waits until every node has at least one admitted peer. False where the deadline came first. */
export async function waitForPeers(nodes: readonly NodeProcess[], deadlineMs: number): Promise<boolean> {
  const end = Date.now() + deadlineMs
  while (Date.now() < end) {
    const statuses = await Promise.all(
      nodes.map((node) => new Client({ api: node.api }).status().catch(() => undefined)),
    )
    if (statuses.every((status) => status !== undefined && status.peers.connected > 0)) return true
    await delay(100)
  }
  return false
}
