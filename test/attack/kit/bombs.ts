/** Bytes that are wrong in themselves, whoever sends them. */
import { randomBytes } from 'node:crypto'
import { encode } from '../../../src/codec/cbor.ts'

/** CBOR by hand: what our own encoder would never write. */
export const CBOR_BOMBS: Readonly<Record<string, Uint8Array>> = {
  'arrays 5,000 deep': new Uint8Array(5_000).fill(0x81),
  'maps 10,000 deep': Buffer.from('a1616a'.repeat(10_000), 'hex'),
  'an array that claims 2^32 items': Buffer.from('9affffffff', 'hex'),
  'a map that claims 2^53 entries': Buffer.from('bb001fffffffffffff', 'hex'),
  'a text that claims 4 GiB': Buffer.from('7affffffff', 'hex'),
  'bytes that claim 2^63': Buffer.from('5b7fffffffffffffff', 'hex'),
  'an indefinite array': Buffer.from('9f01ff', 'hex'),
  'indefinite bytes': Buffer.from('5f4101ff', 'hex'),
  'a float': Buffer.from('a16176fb3ff8000000000000', 'hex'),
  NaN: Buffer.from('f97e00', 'hex'),
  'a foreign tag': Buffer.from('c11a514b67b0', 'hex'),
  'a key twice': Buffer.from('a2617601617602', 'hex'),
  'keys out of order': Buffer.from('a262617601617602', 'hex'),
  __proto__: Buffer.concat([Buffer.from('a169', 'hex'), Buffer.from('__proto__'), Buffer.from('a0', 'hex')]),
  'an integer above 2^53': Buffer.from('1bffffffffffffffff', 'hex'),
  'an integer longer than it must be': Buffer.from('a1617618 01'.replace(' ', ''), 'hex'),
  'bytes after the end': Buffer.from('a000', 'hex'),
  'ten thousand empty maps': encode(new Array(10_000).fill({})),
}

/** Lengths before a message that does not follow, as unsigned varints. */
export const LENGTH_BOMBS: Readonly<Record<string, Uint8Array>> = {
  '4 GiB': Buffer.from('ffffffff0f', 'hex'),
  '2^53 - 1': Buffer.from('ffffffffffffff0f', 'hex'),
  'a varint without end': new Uint8Array(64).fill(0xff),
  '1 MiB and a byte': Buffer.from('818040', 'hex'),
}

export const junk = (bytes: number): Uint8Array => new Uint8Array(randomBytes(bytes))

/** `__proto__` and company where a map is expected; JSON, as roots and certificates are. */
export const JSON_BOMBS: Readonly<Record<string, string>> = {
  'arrays 20,000 deep': '['.repeat(20_000) + ']'.repeat(20_000),
  'a key twice': '{"v":1,"v":1}',
  'a float': '{"v":1.5}',
  'white space': '{ "v": 1 }',
  'a huge number': '{"v":99999999999999999999}',
  __proto__: '{"__proto__":{"polluted":true}}',
  'a million items': `[${'0,'.repeat(25_000)}0]`,
}
