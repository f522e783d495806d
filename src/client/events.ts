import type { IncomingMessage } from 'node:http'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { MeshError } from '../errors.ts'
import { parts } from './transport.ts'

/**
 * The `release` events of one response, until it ends; those of another name are none of the contract. `onAlive` is told
 * of each sign that the stream stands, comments included.
 * @param maxCharacters of one event: what is longer is no node's
 * @throws MeshError LIMIT_BYTES, NET_TIMEOUT where the node falls silent, NET_UNREACHABLE
 */
export async function* serverSentEvents(
  response: IncomingMessage,
  silenceMs: number,
  maxCharacters: number,
  onAlive: () => void,
): AsyncGenerator<EventSourceMessage> {
  const ready: EventSourceMessage[] = []
  const parser = createParser({
    maxBufferSize: maxCharacters,
    onError(error) {
      if (error.type === 'max-buffer-size-exceeded')
        throw new MeshError('LIMIT_BYTES', `an event of the node is longer than ${maxCharacters} characters`)
    },
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
