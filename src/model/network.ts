/**
 * What counts as one host: an IPv4 address; of IPv6 the network of 64 bits, since a host has all of it (RFC 4291, §2.5.1).
 * An IPv4 address written as one of IPv6 stays itself. Anything else is taken as it stands.
 */
export function networkOf(host: string): string {
  if (!host.includes(':') || host.includes('.')) return host
  const [left, right] = host.split('::').map((part) => (part === '' ? [] : part.split(':')))
  const given = [...(left ?? []), ...(right ?? [])].length
  const zeros = right === undefined ? [] : Array<string>(Math.max(0, 8 - given)).fill('0')
  const groups = [...(left ?? []), ...zeros, ...(right ?? [])]
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, '').toLowerCase())
    .join(':')}::`
}
