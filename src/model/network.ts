/**
 * What counts as one host: an IPv4 address; of IPv6 the network of 64 bits, since a host has all of it (RFC 4291, §2.5.1).
 * An IPv4 address written as one of IPv6 is that IPv4 address. Anything else is taken as it stands.
 */
export function networkOf(host: string): string {
  if (!host.includes(':')) return host
  if (host.includes('.')) return host.slice(host.lastIndexOf(':') + 1)
  const [, ...ipv4] = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/i.exec(host) ?? []
  if (ipv4.length > 0)
    return ipv4.flatMap((two) => [Number.parseInt(two, 16) >> 8, Number.parseInt(two, 16) & 255]).join('.')
  const [left, right] = host.split('::').map((part) => (part === '' ? [] : part.split(':')))
  const given = [...(left ?? []), ...(right ?? [])].length
  const zeros = right === undefined ? [] : Array<string>(Math.max(0, 8 - given)).fill('0')
  const groups = [...(left ?? []), ...zeros, ...(right ?? [])]
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, '').toLowerCase())
    .join(':')}::`
}
