/**
 * Which 32 bytes are an Ed25519 public key that proves anything. OpenSSL takes every encoding and finds a bad one, if
 * at all, only in a verification; under a small-order key one signature holds for many messages.
 * Curve and decoding: RFC 8032 §5.1, §5.1.3; the points of small order: RFC 7748 §6.1 and libsodium's list.
 */
const P = 2n ** 255n - 19n
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n
/** y of four of the points of order 8; the other four have −y. */
const ORDER_8_Y = 2707385501144840649318225287225658788936804267575313519463743609750303402022n
/** y of the points whose order divides 8; their sign bit does not matter. */
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([0n, 1n, P - 1n, ORDER_8_Y, P - ORDER_8_Y])

/** On the curve, canonically encoded, not of small order. */
export function isStrongEd25519Point(encoded: Uint8Array): boolean {
  const value = littleEndian(encoded)
  const y = value & (2n ** 255n - 1n)
  if (y >= P || SMALL_ORDER_Y.has(y)) return false
  // x² = (y² − 1) / (d·y² + 1) must be a square; x = 0 belongs to y = ±1 alone, which is out already.
  const yy = (y * y) % P
  return isSquare((yy - 1n) * inverse((D * yy + 1n) % P))
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
}

/** Euler's criterion. */
const isSquare = (n: bigint): boolean => power(((n % P) + P) % P, (P - 1n) / 2n) === 1n

/** Fermat's little theorem. */
const inverse = (n: bigint): bigint => power(n, P - 2n)

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  let square = base % P
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % P
    square = (square * square) % P
  }
  return result
}
