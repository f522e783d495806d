/**
 * Counts every byte on libp2p's connections, handshakes and framing included, through the place libp2p offers for
 * metrics. Of the metrics it would keep itself none are: they know neither limits nor names of ours.
 */
import type { Metrics, MultiaddrConnection } from '@libp2p/interface'

export type CountBytes = (direction: 'sent' | 'received', bytes: number) => void

const NOTHING = {
  update: () => {},
  increment: () => {},
  decrement: () => {},
  reset: () => {},
  observe: () => {},
  timer: () => () => {},
}
const keepNothing = () => NOTHING as never

export function createMeter(count: CountBytes): Metrics {
  return {
    trackMultiaddrConnection: (connection) => track(connection, count),
    trackProtocolStream: () => {},
    registerMetric: keepNothing as Metrics['registerMetric'],
    registerMetricGroup: keepNothing as Metrics['registerMetricGroup'],
    registerCounter: keepNothing as Metrics['registerCounter'],
    registerCounterGroup: keepNothing as Metrics['registerCounterGroup'],
    registerHistogram: keepNothing as Metrics['registerHistogram'],
    registerHistogramGroup: keepNothing as Metrics['registerHistogramGroup'],
    registerSummary: keepNothing as Metrics['registerSummary'],
    registerSummaryGroup: keepNothing as Metrics['registerSummaryGroup'],
    traceFunction: ((_name: string, traced: unknown) => traced) as Metrics['traceFunction'],
    createTrace: () => undefined,
  }
}

/** By wrapping, not by a `message` listener: the first listener makes the stream hand out what it holds. */
function track(connection: MultiaddrConnection, count: CountBytes): void {
  const dispatch = connection.dispatchEvent.bind(connection)
  connection.dispatchEvent = (event: Event) => {
    if (event.type === 'message')
      count('received', (event as MessageEvent<{ byteLength: number }>).data.byteLength)
    return dispatch(event)
  }
  const send = connection.send.bind(connection)
  connection.send = (bytes) => {
    count('sent', bytes.byteLength)
    return send(bytes)
  }
}
