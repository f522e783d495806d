import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ApiOptions } from './app.ts'

/** How often in a timeout it is looked what was taken. */
const LOOKS = 10
/**
 * So many timeouts ahead of the least rate a reader may be: what it took fast long ago is no reason to dawdle. More than
 * one, since the system takes some MiB at once and says late, in large steps, that they are gone.
 */
const MOST_AHEAD = 2

/**
 * An answer of which nothing is taken for so long, or too little, holds memory for nobody, and the room that others wait
 * for. Counted is the time in which something lies here to be taken, so a stream may last for ever: a watcher with no news
 * has nothing to take, nor has whoever waits for the disk of this node.
 */
export function endUnread(
  request: IncomingMessage,
  response: ServerResponse,
  { limits, onProblem }: ApiOptions,
): void {
  const { socket, method, url } = request
  const end = (what: string): void => {
    onProblem('API_BUSY', `${method} ${url?.split('?', 1)[0]}: the answer is ${what}; connection closed`)
    socket.destroy()
  }
  const timeoutMs = limits.httpRequestTimeoutMs
  response.setTimeout(timeoutMs, () => {
    if (socket.writableLength === 0) return
    end('not read')
  })
  const due = (limits.minHttpBytesPerSecond * timeoutMs) / 1_000
  let ahead = due
  let before = socket.bytesWritten
  const look = setInterval(() => {
    const { bytesWritten, writableLength } = socket
    ahead = Math.min(ahead + bytesWritten - before, MOST_AHEAD * due)
    before = bytesWritten
    if (writableLength > 0) ahead -= due / LOOKS
    else if (ahead < due) ahead += due / LOOKS
    if (ahead < 0) end('read too slowly')
  }, timeoutMs / LOOKS)
  response.once('close', () => clearInterval(look))
}
