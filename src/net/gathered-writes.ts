/** What is sent on a connection in one turn goes to the system in one write. */
import type { Socket } from 'node:net'

/** What we use of TCP's connection (`@libp2p/tcp` 11.0.28). No contract of theirs, hence the exact version. */
export interface OverSocket {
  readonly socket: Socket
  sendData(data: Parts): { readonly sentBytes: number; readonly canSendMore: boolean }
}

interface Parts extends Iterable<Uint8Array> {
  readonly byteLength: number
}

/**
 * A frame reaches the socket in parts (noise's length of two bytes, what is encrypted, its tag), a block in dozens.
 * libp2p writes part by part, each a system call and the first a packet of two bytes, and stops at the first beyond
 * the socket's high-water mark, to go on when that has drained. The parts are in memory either way.
 * @param onWritten once for each turn in which something was sent
 */
export function gatherWrites(connection: OverSocket, onWritten: () => void): void {
  const { socket } = connection
  let gathering = false
  const flush = () => {
    gathering = false
    socket.uncork()
    onWritten()
  }
  connection.sendData = (data) => {
    if (!gathering) {
      gathering = true
      socket.cork()
      process.nextTick(flush)
    }
    let canSendMore = true
    for (const part of data) canSendMore = socket.write(part)
    return { sentBytes: data.byteLength, canSendMore }
  }
}
