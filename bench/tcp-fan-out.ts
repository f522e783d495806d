/** The floor under every figure of the wire bench: the same number of processes, one bare TCP connection each, no mesh. */
import { type ChildProcess, fork } from 'node:child_process'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** The next round waits for those that are not through with this one: their times are from its own beginning. */
const LATE_MS = 10_000

interface Floor {
  readonly times: readonly number[]
  readonly missed: number
}

/** Milliseconds from the first write to the last byte at each receiver, over all rounds. */
export async function tcpFanOut(o: {
  readonly receivers: number
  readonly payloadBytes: number
  readonly rounds: number
  readonly gapMs: number
}): Promise<Floor> {
  const sockets: Socket[] = []
  const server = createServer((socket) => sockets.push(socket.setNoDelay(true).on('error', () => undefined)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const children: ChildProcess[] = []
  let sentMs = 0
  const times: number[] = []
  try {
    for (let i = 0; i < o.receivers; i++) {
      const child = fork(join(import.meta.dirname, 'tcp-receiver.ts'), [String(port), String(o.payloadBytes)])
      child.on('message', (atMs: number) => times.push(atMs - sentMs))
      children.push(child)
    }
    const deadline = performance.now() + 60_000
    while (sockets.length < o.receivers) {
      if (performance.now() > deadline) throw new Error(`${sockets.length} of ${o.receivers} receivers came`)
      await delay(50)
    }
    const payload = Buffer.alloc(o.payloadBytes, 7)
    for (let round = 0; round < o.rounds; round++) {
      sentMs = performance.timeOrigin + performance.now()
      for (const socket of sockets) socket.write(payload)
      await delay(o.gapMs)
      const lateMs = performance.now() + LATE_MS
      while (times.length < o.receivers * (round + 1) && performance.now() < lateMs) await delay(20)
    }
    return { times, missed: o.receivers * o.rounds - times.length }
  } finally {
    for (const child of children) child.kill('SIGKILL')
    server.close()
  }
}
