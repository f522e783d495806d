import type { Context } from 'hono'
import { type SSEStreamingApi, streamSSE } from 'hono/streaming'
import type { Channel, ReleaseId } from '../model/ids.ts'
import type { Answers } from './answers.ts'
import { changedPaths, eitherOf, NO_FILES } from './changed-paths.ts'
import type { FileView, NodeView, ReleaseChange } from './node-view.ts'

export interface WatchSettings {
  readonly answers: Answers
  readonly heartbeatMs: number
  /** Told why a stream ended early; its reader comes again. */
  readonly onError: (error: Error) => void
  /** Told that events wait: of a stream itself, which goes on, nobody sees it. */
  readonly onLate: () => void
  readonly onEnd: () => void
}

/**
 * Server-sent events of one channel. The current state comes first, with what differs from the release that
 * `Last-Event-ID` names, unless that is it. A slow reader, and one for whom there is no room yet, gets the newest release
 * with all paths changed since what it was sent last; what was quickly replaced is skipped, so nothing queues up. Where the
 * node cannot say what an activation changed, the stream ends: the reader comes again, and finds the state it is in then.
 */
export function serveWatch(c: Context, node: NodeView, channel: Channel, settings: WatchSettings): Response {
  const { answers, heartbeatMs } = settings
  const run = async (stream: SSEStreamingApi): Promise<void> => {
    let next: ReleaseChange | undefined
    let wake: (() => void) | undefined
    /** Since when it waits for room. */
    let sinceMs: number | undefined
    // A comment keeps proxies from closing the stream and tells us that the reader is gone.
    let isQuiet = true
    // Said twice, a release would look like an activation.
    let sent = c.req.header('last-event-id')
    const hear = (change: ReleaseChange): void => {
      next = next === undefined ? change : newer(next, change)
      wake?.()
    }
    const first = (change: ReleaseChange): void => {
      next = next === undefined ? change : newer(change, next)
    }
    const unsubscribe = node.subscribe(channel, hear, () => stream.abort())
    const beat = setInterval(() => {
      isQuiet = true
      wake?.()
    }, heartbeatMs)
    stream.onAbort(() => wake?.())
    try {
      const current = await currentState(node, channel, sent)
      // What was activated meanwhile is newer than what was read.
      if (current !== undefined) first(current)
      while (!stream.aborted) {
        if (next?.release === sent) next = undefined
        if (next !== undefined && !answers.isFull) {
          const change = next
          next = undefined
          if (await answers.event(stream, change)) {
            isQuiet = false
            sent = change.release
            sinceMs = undefined
          } else first(change)
          continue
        }
        sinceMs = next === undefined ? undefined : (sinceMs ?? performance.now())
        if (sinceMs !== undefined && answers.isLate(sinceMs)) settings.onLate()
        // At once, too: the reader learns that the stream stands, though there may be nothing to tell for long.
        if (isQuiet) {
          isQuiet = false
          await stream.write(ALIVE)
          continue
        }
        const woken = Promise.withResolvers<void>()
        wake = woken.resolve
        const leave = next === undefined ? undefined : answers.onTaken(woken.resolve)
        await woken.promise
        leave?.()
        wake = undefined
      }
    } catch (error) {
      // Caught here, or an event `error` with its text would go to the reader.
      settings.onError(error instanceof Error ? error : new Error(String(error)))
    } finally {
      clearInterval(beat)
      unsubscribe()
      settings.onEnd()
    }
  }
  return streamSSE(c, run)
}

const ALIVE = ': alive\n\n'

/** The later of two changes, with the paths of both. */
const newer = (old: ReleaseChange, change: ReleaseChange): ReleaseChange => ({
  ...change,
  changed: eitherOf(old.changed, change.changed),
})

async function currentState(
  node: NodeView,
  channel: Channel,
  lastSeen: string | undefined,
): Promise<ReleaseChange | undefined> {
  const active = node.channel(channel)?.active
  if (!active || active.release === lastSeen) return undefined
  const listing = await node.files(channel, active.release)
  const seen = await filesOf(node, channel, lastSeen)
  return {
    channel,
    release: active.release,
    clock: active.clock,
    changed: await changedPaths(seen, listing?.files ?? NO_FILES),
  }
}

/**
 * What the reader has; nothing where that is not known (any longer): then everything may have changed, and what went is not
 * named. Trees of files do not tell: the reader may have had that release from another node, or before this one's last ones.
 */
async function filesOf(
  node: NodeView,
  channel: Channel,
  release: string | undefined,
): Promise<readonly FileView[]> {
  if (release === undefined) return NO_FILES
  const listing = await node.files(channel, release as ReleaseId).catch(() => undefined)
  return listing?.files ?? NO_FILES
}
