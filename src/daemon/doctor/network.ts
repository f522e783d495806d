import { once } from 'node:events'
import { createServer } from 'node:net'
import { isMeshError } from '../../errors.ts'
import { parseAddress } from '../../net/address.ts'
import { dialPublisher } from '../../net/dial.ts'
import type { NodeConfig } from '../config.ts'
import { type Finding, fine, wrong } from './finding.ts'
import type { StoreState } from './store.ts'

interface Place {
  readonly name: string
  readonly host: string
  readonly port: number
}

/** Each fixed port can be listened on; while the node runs, it is the node that listens there. */
export async function checkPorts(config: NodeConfig, state: StoreState): Promise<readonly Finding[]> {
  return Promise.all(placesOf(config).map((place) => checkPort(place, state)))
}

function placesOf({ listen, api }: NodeConfig): readonly Place[] {
  const places = listen.flatMap((address) => {
    const match = /^\/(?:ip4|ip6)\/([^/]+)\/tcp\/(\d+)$/.exec(address)
    return match === null ? [] : [{ name: address, host: match[1] as string, port: Number(match[2]) }]
  })
  const own = /^(.*):(\d+)$/.exec(api.listen)
  if (own !== null && !api.listen.startsWith('unix:')) {
    const host = (own[1] as string).replace(/^\[|\]$/g, '')
    places.push({ name: `api ${api.listen}`, host, port: Number(own[2]) })
  }
  return places.filter(({ port }) => port !== 0)
}

async function checkPort({ name, host, port }: Place, state: StoreState): Promise<Finding> {
  const check = `port ${name}`
  const server = createServer()
  try {
    server.listen({ host, port, exclusive: true })
    await once(server, 'listening')
    server.close()
    if (state !== 'running') return fine(check, 'free')
    return wrong(
      check,
      'a node is running, but not listening here',
      'was the configuration changed? Restart it',
    )
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? (error as Error).message
    if (reason === 'EADDRINUSE' && state === 'running') return fine(check, 'in use, as the node is running')
    const advice =
      reason === 'EADDRINUSE' ? 'stop what holds it, or choose another port' : 'choose another address'
    return wrong(check, reason, advice)
  }
}

/** Each seed answers within the dial's deadline and proves to be the peer it is said to be. */
export async function checkSeeds(config: NodeConfig): Promise<readonly Finding[]> {
  const { seeds, limitsInForce: limits, submit } = config
  if (seeds.length === 0)
    return submit
      ? [fine('seeds', 'none is named; this is a seed itself')]
      : [wrong('seeds', 'none is named', 'name one in `seeds`: a node without finds nobody')]
  return Promise.all(
    seeds.map(async (address): Promise<Finding> => {
      const check = `seed ${address}`
      const begin = performance.now()
      try {
        const connection = await dialPublisher(parseAddress(address), { limits })
        await connection.close()
        return fine(check, `answers, ${Math.round(performance.now() - begin)} ms`)
      } catch (error) {
        if (!isMeshError(error)) throw error
        return wrong(check, `${error.code}: ${error.message}`, adviceFor(error.code))
      }
    }),
  )
}

const adviceFor = (code: string): string =>
  code === 'NET_PEER_ID' || code === 'CONFIG_INVALID'
    ? "correct the address: `confmesh identity` on the seed's host prints its peer id"
    : 'is it running? Check address, port and firewall'
