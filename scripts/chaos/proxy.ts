/** Every link to a node goes through its proxy, which cuts and slows: the network that the machine does not have. */
import { connect, createServer, type Server, type Socket } from 'node:net'

export class LinkProxy {
  delayMs = 0
  #cut = false
  readonly #target: number
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined

  /** @param target port on loopback */
  constructor(target: number) {
    this.#target = target
  }

  async start(port: number): Promise<void> {
    const server = createServer((inbound) => this.#join(inbound))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
    this.#server = server
  }

  /** Ends every link and takes no new one until it is mended. */
  set cut(cut: boolean) {
    this.#cut = cut
    if (cut) for (const socket of this.#sockets) socket.destroy()
  }

  stop(): void {
    this.cut = true
    this.#server?.close()
  }

  #join(inbound: Socket): void {
    if (this.#cut) {
      inbound.destroy()
      return
    }
    const outbound = connect(this.#target, '127.0.0.1')
    this.#pass(inbound, outbound)
    this.#pass(outbound, inbound)
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.setNoDelay(true)
    from.on('data', (bytes) => {
      const pass = (): void => {
        if (to.writable && !to.write(bytes)) {
          from.pause()
          to.once('drain', () => from.resume())
        }
      }
      // equal delays keep their order
      if (this.delayMs > 0) setTimeout(pass, this.delayMs)
      else pass()
    })
    from.on('error', () => to.destroy())
    from.once('close', () => {
      this.#sockets.delete(from)
      to.destroy()
    })
  }
}
