/** One whole core of a simulated fleet, and what its ports remember. */
import type { EffectOf } from '../../src/core/effects.ts'
import type { RequestId } from '../../src/core/events.ts'
import type { NodeCore } from '../../src/core/node.ts'
import type { PeerId, ReleaseId } from '../../src/model/ids.ts'
import type { AnyRequest } from '../../src/model/messages.ts'

type Ports = { readonly from: CoreNode; readonly id: RequestId; readonly request: AnyRequest }

export class CoreNode {
  readonly peer: PeerId
  readonly region: string
  readonly isSeed: boolean
  readonly core: NodeCore
  /** Still linked, never answers. */
  silent = false
  /** Whole contents that came to it over a border: the releases alone. */
  readonly payloads: ReleaseId[] = []
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

  constructor(core: NodeCore, peer: PeerId, region: string, isSeed: boolean) {
    this.core = core
    this.peer = peer
    this.region = region
    this.isSeed = isSeed
  }
}
