/**
 * A number in LevelDB's files: little end first, seven bits a byte, none more than it needs (LevelDB would read a
 * longer one, but never writes it).
 *
 * @throws Error where none begins at `start`, or one above 2^49
 */
export function varintAt(bytes: Buffer, start: number): { readonly value: number; readonly next: number } {
  let value = 0
  for (let at = start, factor = 1; at < bytes.length && at < start + 7; at++, factor *= 128) {
    const byte = bytes[at] ?? 0
    value += (byte & 127) * factor
    if (byte === 0 && at > start) break
    if (byte < 128) return { value, next: at + 1 }
  }
  throw new Error('a number in it is not one that LevelDB writes')
}
