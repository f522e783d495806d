/** One whole core of a simulated fleet, and what its ports remember. */
import type { EffectOf } from '../../src/core/effects.ts'
import type { RequestId } from '../../src/core/events.ts'
import type { NodeCore } from '../../src/core/node.ts'
import type { Digest, PeerId, ReleaseId } from '../../src/model/ids.ts'
import type { AnyReply, AnyRequest } from '../../src/model/messages.ts'

type Ports = { readonly from: CoreNode; readonly id: RequestId; readonly request: AnyRequest }

export class CoreNode {
  readonly peer: PeerId
  readonly region: string
  readonly isSeed: boolean
  /** It can be dialled. */
  readonly listens: boolean
  readonly core: NodeCore
  /** Still linked, never answers. */
  silent = false
  /** Whole contents that came to it over a border: the releases alone. */
  readonly payloads: ReleaseId[] = []
  /** Pages and blocks on its disk. */
  readonly blocks = new Map<Digest, Uint8Array>()
  /** Bytes of blocks it sent, by the region they went to. */
  readonly sentTo = new Map<string, number>()
  readonly links = new Map<PeerId, CoreNode>()
  readonly admitted = new Map<PeerId, string>()
  readonly asked = new Map<RequestId, () => void>()
  readonly inbound = new Map<RequestId, Ports>()
  readonly seen = new Set<string>()
  readonly notes: EffectOf<'note'>[] = []
  readonly counts = new Map<string, number>()
  /** What it asked of whom over the bridge protocol, heartbeats left out. */
  bridged = 0
  lastHeartbeatMs = Number.NEGATIVE_INFINITY
  cancelWake: () => void = () => {}
  bornMs = 0
  /** Nodes of another reach it through seeds alone. */
  island = 0
  /** Nothing goes from it to these regions, or from there to it: no new connection, that is. */
  readonly barred = new Set<string>()

  constructor(core: NodeCore, peer: PeerId, region: string, isSeed: boolean, listens: boolean) {
    this.core = core
    this.peer = peer
    this.region = region
    this.isSeed = isSeed
    this.listens = listens
  }

  isApart(other: CoreNode): boolean {
    if (this.barred.has(other.region) || other.barred.has(this.region)) return true
    return !this.isSeed && !other.isSeed && this.island !== other.island
  }
}

/** Stands for the tool, which the seed answers later: no node, it only listens. */
export function listener(id: RequestId, onReply: (reply: AnyReply) => void): CoreNode {
  const core: NodeCore = {
    handle: (event) => {
      if (event.kind === 'reply') onReply(event.reply)
      return []
    },
    view: () => {
      throw new Error('a tool has no view')
    },
  }
  const tool = new CoreNode(core, `12D3KooWtool ${id}` as PeerId, 'nowhere', false, false)
  tool.asked.set(id, () => {})
  return tool
}
