import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import type { PrivateKey } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { createLibp2p, type Libp2p } from 'libp2p'

interface PlainHostOptions {
  readonly listen: boolean
  /** A fresh one where none is given. */
  readonly privateKey?: PrivateKey
}

/** libp2p alone, none of our code around it: what a stranger or a hostile peer speaks with. */
export const plainHost = ({ listen, privateKey }: PlainHostOptions): Promise<Libp2p> =>
  createLibp2p({
    ...(privateKey === undefined ? {} : { privateKey }),
    addresses: { listen: listen ? ['/ip4/127.0.0.1/tcp/0'] : [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: { identify: identify() },
  })
