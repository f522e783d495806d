/** Whether it is a node that answers: an address may be mistyped, and something else listens there. */
import { MeshError } from '../errors.ts'

/** Waiting does not make a node of it. */
export class NoNode extends MeshError {
  constructor(url: string, details: Record<string, string | number> = {}) {
    super(
      'API_UNAVAILABLE',
      `${url}: no confmesh node answers here; is --api or CONFMESH_API right?`,
      details,
    )
  }
}

type Kind = 'string' | 'boolean' | 'object' | 'array'

/** The outermost fields are told apart, no more: what a node says beyond them is its contract's to keep. */
const FIELDS = {
  status: {
    ...{ peerId: 'string', fleetId: 'string', version: 'string', labels: 'object', addresses: 'array' },
    ...{ peers: 'object', root: 'object', channels: 'array', store: 'object' },
  },
  ready: { ready: 'boolean', waitingFor: 'array' },
  channel: { channel: 'string', state: 'string', heads: 'array', history: 'array' },
  files: { release: 'string', files: 'array' },
  event: { release: 'string', clock: 'object', changed: 'array' },
} as const satisfies Record<string, Readonly<Record<string, Kind>>>

/** @throws NoNode where the text is no JSON, or none of this kind */
export function readAnswer<T>(url: string, text: string, what: keyof typeof FIELDS): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new NoNode(url)
  }
  if (kindOf(value) !== 'object') throw new NoNode(url)
  for (const [name, kind] of Object.entries(FIELDS[what]))
    if (kindOf((value as Record<string, unknown>)[name]) !== kind) throw new NoNode(url, { field: name })
  return value as T
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}
