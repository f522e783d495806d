/** The listeners that libp2p makes of the entries of `listen`. */
import type { Listener, Transport } from '@libp2p/interface'
import type { tcp } from '@libp2p/tcp'
import type { LogPort } from '../runtime/ports.ts'

export type Tcp = ReturnType<typeof tcp>

/** @returns a transport whose listeners are changed so, before they listen */
export function withListeners(make: Tcp, change: (listener: Listener) => Listener): Tcp {
  return (components) => {
    const transport = make(components)
    const createListener: Transport['createListener'] = transport.createListener.bind(transport)
    transport.createListener = (options) => change(createListener(options))
    return transport
  }
}

/**
 * One `listen` for hosts of both kinds: where there is no IPv6, all of its addresses are none, and its loopback is none either.
 * @param code what listening there failed with
 */
export const isLeftOut = (address: string, code: string | undefined): boolean =>
  (code === 'EAFNOSUPPORT' && /^\/ip6\/::1?\//.test(address)) ||
  (code === 'EADDRNOTAVAIL' && address.startsWith('/ip6/::1/'))

/**
 * What could not be listened on. Where all of IPv4 can be and nothing of IPv6, libp2p takes it for a host without IPv6 and
 * says nothing, whatever the reason.
 */
export class ListenFailures {
  /** By the address. */
  readonly #failures = new Map<string, NodeJS.ErrnoException>()

  noted(make: Tcp): Tcp {
    return withListeners(make, (listener) => {
      const listen = listener.listen.bind(listener)
      listener.listen = async (address) => {
        try {
          await listen(address)
        } catch (error) {
          this.#failures.set(address.toString(), error as NodeJS.ErrnoException)
          throw error
        }
      }
      return listener
    })
  }

  /**
   * Once libp2p is content.
   * @throws what the first failed with for another reason
   */
  settle(log: LogPort): void {
    for (const [address, error] of this.#failures) {
      if (!isLeftOut(address, error.code)) throw error
      const text = `listen: ${address} is left out, as this host has no IPv6 (${error.code})`
      log.note({ kind: 'note', level: 'warn', code: 'NET_LISTEN', text })
    }
  }
}
