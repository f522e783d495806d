import type { IncomingMessage } from 'node:http'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { parts } from './transport.ts'

/**
 * The `release` events of one response, until it ends; those of another name are none of the contract. `onAlive` is told
 * of each sign that the stream stands, comments included.
 * @throws MeshError NET_TIMEOUT where the node falls silent, NET_UNREACHABLE
 */
export async function* serverSentEvents(
  response: IncomingMessage,
  silenceMs: number,
  onAlive: () => void,
): AsyncGenerator<EventSourceMessage> {
  const ready: EventSourceMessage[] = []
  const parser = createParser({
    onEvent(event) {
      if (event.event !== 'release') return
      onAlive()
      ready.push(event)
    },
    onComment: onAlive,
  })
  response.setEncoding('utf8')
  for await (const chunk of parts<string>(response, silenceMs)) {
    parser.feed(chunk)
    yield* ready.splice(0)
  }
}
