/** Whom strangers are counted by. */
import type { Address } from '../model/ids.ts'
import { networkOf } from '../model/network.ts'

/** Addresses counted at once; beyond, the one whose minute began first goes. */
export const MAX_HOSTS = 4_096

/** Host of a multiaddr: `/ip4/192.0.2.1/tcp/…` → `/ip4/192.0.2.1`. */
export function hostOf(address: Address): string {
  const [, family = '', host = ''] = address.split('/')
  return `/${family}/${networkOf(host)}`
}
