/** Looks at a member as applications do: at its files and over HTTP. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { decode } from '@ipld/dag-cbor'
import { type Answer, CHANNEL, type ChannelSeen, FILES, type FilesSeen, type Place } from './facts.ts'

const ANSWER_MS = 10_000
const CHECKSUM_BYTES = 8

function orAbsent<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The tree that `current` shows. */
export const treeOf = (trees: string): string | undefined =>
  orAbsent(() => readlinkSync(join(trees, CHANNEL, 'current')))

export function lookAt(trees: string): FilesSeen {
  const tree = treeOf(trees)
  const texts =
    tree === undefined
      ? []
      : FILES.map((file) => orAbsent(() => readFileSync(join(trees, CHANNEL, tree, file), 'utf8')))
  return { tree, treeAfter: treeOf(trees), texts, floor: floorIn(trees) }
}

/** The floor's file as docs/protocol.md describes it: 8 bytes of SHA-256 over its name and body, then the body. */
function floorIn(trees: string): FilesSeen['floor'] {
  const name = createHash('sha256').update(CHANNEL).digest('hex')
  const [fleet] = orAbsent(() => readdirSync(join(trees, '.confmesh'))) ?? []
  const sealed =
    fleet === undefined ? undefined : orAbsent(() => readFileSync(join(trees, '.confmesh', fleet, name)))
  if (sealed === undefined) return 'none'
  const body = sealed.subarray(CHECKSUM_BYTES)
  const sum = createHash('sha256').update(`${name.length}:${name}`).update(body).digest()
  if (!sum.subarray(0, CHECKSUM_BYTES).equals(sealed.subarray(0, CHECKSUM_BYTES))) return 'damaged'
  return (decode(body) as { top: Place }).top
}

const url = (api: string, rest = ''): string => `${api}/v1/channels/${encodeURIComponent(CHANNEL)}${rest}`

/** Undefined: no answer. */
export async function askFile(api: string, trees: string): Promise<Answer | undefined> {
  const treeBefore = treeOf(trees)
  try {
    const response = await fetch(url(api, `/files/${FILES[0]}`), { signal: AbortSignal.timeout(ANSWER_MS) })
    const text = await response.text()
    const release = response.headers.get('confmesh-release') ?? undefined
    return { status: response.status, release, text, treeBefore, treeAfter: treeOf(trees) }
  } catch {
    return undefined
  }
}

/** Undefined: no answer, or a channel that is not known there. */
export async function askChannel(api: string): Promise<ChannelSeen | undefined> {
  try {
    const response = await fetch(url(api), { signal: AbortSignal.timeout(ANSWER_MS) })
    return response.status === 200 ? ((await response.json()) as ChannelSeen) : undefined
  } catch {
    return undefined
  }
}
