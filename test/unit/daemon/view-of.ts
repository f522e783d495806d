import { vi } from 'vitest'
import { sha256 } from '../../../src/codec/digest.ts'
import type { Content } from '../../../src/daemon/content.ts'
import { type CoreNow, createView } from '../../../src/daemon/view.ts'
import type { Code } from '../../../src/errors.ts'
import type { Channel, Digest, Pattern, ReleaseId } from '../../../src/model/ids.ts'
import type { Release } from '../../../src/model/release.ts'
import type { StorePort } from '../../../src/runtime/ports.ts'

export const CHANNEL = 'payments/prod' as Channel
export const bytes = (text: string) => new TextEncoder().encode(text)

export function storeOf() {
  const blocks = new Map<string, Uint8Array>()
  /** Of these it is found only as they are read that they are not there. */
  const indexed = new Set<string>()
  const put = (data: Uint8Array): Digest => {
    const digest = sha256(data)
    blocks.set(digest, data)
    return digest
  }
  const store = {
    readBlock: async (digest: Digest) => blocks.get(digest),
    hasBlock: (digest: Digest) => indexed.has(digest) || blocks.has(digest),
    bytes: () => 0,
  } as unknown as StorePort
  return { blocks, indexed, put, store }
}

export const release = (
  name: string,
  counter: number,
  pages: readonly Digest[],
  channel: Channel = CHANNEL,
): Release => ({
  id: sha256(bytes(name)) as string as ReleaseId,
  counter,
  header: { channel, clock: new Map([['ops', counter]]), pages } as unknown as Release['header'],
})

/** A view over one channel; what each release's listing waits for is the test's. */
export function viewOf(
  fetch?: { have: number; blocks: number; sinceMonoMs: number },
  readOnly?: Code,
  isShort = false,
) {
  let active: Release | undefined = release('one', 1, [])
  const waits = new Map<string, Promise<void>>()
  const content = {
    manifest: async () => [],
    bytes: async () => [],
    blocks: async () => ({ sizes: [], blocks: [] }),
    files: async ({ id, counter }: Release) => {
      await waits.get(id)
      return [{ path: `f${counter}`, mode: 0o444, size: 1, digest: id as string as Digest }]
    },
  } as unknown as Content
  const entry = () => ({
    channel: CHANNEL,
    active: active && { id: active.id, release: active, activatedAt: 0 },
    heads: [],
    history: [],
    fetch,
    state: 'active',
    gate: null,
  })
  const whole = vi.fn(() => ({
    root: { version: 1, expires: 0 },
    sessions: [],
    channels: [entry()],
    readOnly,
    isShort,
  }))
  const core = {
    view: whole,
    channelView: (channel: Channel) => (channel === CHANNEL ? entry() : undefined),
    readiness: () => ({ ready: true, waitingFor: [] }),
    release: (id: ReleaseId) => (id === active?.id ? active : undefined),
    envelope: (id: ReleaseId) => (id === active?.id ? bytes('envelope') : undefined),
  } as unknown as CoreNow
  const view = createView({
    core,
    patterns: ['pay/*', 'web/prod', CHANNEL] as Pattern[],
    content,
    store: storeOf().store,
    version: '1',
    labels: {},
    addresses: () => [],
    listening: () => [],
    metrics: async () => '',
    startedAtMs: 0,
    onProblem: () => undefined,
  })
  const activate = (next: Release) => {
    active = next
    view.activated(CHANNEL)
  }
  const lose = () => {
    active = undefined
  }
  return { view, waits, activate, lose, whole }
}

/** CPU of this process, milliseconds: what others do meanwhile is not in it. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

export async function textOf(parts: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = []
  for await (const part of parts) all.push(part)
  return Buffer.concat(all).toString()
}
