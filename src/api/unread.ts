import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Answers } from './answers.ts'
import type { ApiOptions } from './app.ts'

/** How often in a timeout it is looked what was taken. */
const LOOKS = 10
/**
 * So many timeouts ahead of the least rate a reader may be: what it took fast long ago is no reason to dawdle. More than
 * one, since the system takes some MiB at once and says late, in large steps, that they are gone.
 */
const MOST_AHEAD = 2

/**
 * An answer of which nothing is taken for so long holds memory for nobody. One of which too little is taken goes where there
 * is no room left: else it harms nobody, and whoever is behind a slow line would never get a long event, which begins anew
 * on each connection. Counted is the time in which something lies here to be taken, so a stream may last for ever: a watcher
 * with no news has nothing to take, nor has whoever waits for the disk of this node.
 */
export function endUnread(
  request: IncomingMessage,
  response: ServerResponse,
  { limits, onProblem }: ApiOptions,
  answers: Pick<Answers, 'isFull'>,
): void {
  const { socket, method, url } = request
  const end = (what: string): void => {
    // Its `close` comes after all timers that are due, of which another may be ours.
    if (socket.destroyed) return
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
    // Nor is what it took slowly long ago a reason to cut it off once it is quick.
    ahead = Math.max(ahead, -due)
    if (ahead < 0 && answers.isFull) end('read too slowly')
  }, timeoutMs / LOOKS)
  response.once('close', () => clearInterval(look))
}
