/**
 * Counts every byte on libp2p's connections, handshakes and framing included, through the place libp2p offers for
 * metrics. Of the metrics that libp2p itself would fill none are kept.
 */
import type { Metrics, MultiaddrConnection } from '@libp2p/interface'
import { gatherWrites, type OverSocket } from './gathered-writes.ts'

/** As far as we use one. */
export type TcpConnection = Pick<MultiaddrConnection, 'abort' | 'timeline'> & OverSocket

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

/** @param opened told of each connection before its handshake */
export function createMeter(count: CountBytes, opened: (connection: TcpConnection) => void): Metrics {
  return {
    trackMultiaddrConnection: (connection) => {
      if (!overTcp(connection)) return
      track(connection, count)
      opened(connection)
    },
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

/**
 * From the socket, not from the connection's events: what a negotiation has read too far is put back and comes as
 * a second event.
 */
function track(connection: TcpConnection, count: CountBytes): void {
  const { socket } = connection
  const counted = { sent: 0, received: 0 }
  const settle = () => {
    const { bytesWritten, bytesRead } = socket
    if (bytesWritten > counted.sent) count('sent', bytesWritten - counted.sent)
    if (bytesRead > counted.received) count('received', bytesRead - counted.received)
    counted.sent = bytesWritten
    counted.received = bytesRead
  }
  socket.on('data', settle)
  socket.on('drain', settle)
  socket.on('close', settle)
  gatherWrites(connection, settle)
}

const overTcp = (connection: object): connection is TcpConnection => 'socket' in connection
