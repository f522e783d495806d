/** Numbers as the answers of `simulate` have them. */

export const count = (n: number): string => n.toLocaleString('en-US')

export function payloads(bytes: number, payload: number): string {
  const n = Number((bytes / payload).toFixed(2))
  return `${n} ${n === 1 ? 'payload' : 'payloads'}`
}

export function time(ms: number): string {
  return ms < 1_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(2)} s`
}

export const rate = (bits: number): string => (bits >= 1e9 ? `${bits / 1e9} Gbit/s` : `${bits / 1e6} Mbit/s`)

export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes.toFixed(0)} B`
  const power = bytes < 2 ** 20 ? 1 : bytes < 2 ** 30 ? 2 : bytes < 2 ** 40 ? 3 : 4
  const text = (bytes / 1024 ** power).toFixed(1).replace(/\.0$/, '')
  return `${text} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`
}
