/**
 * Names and ids as branded strings: a value of one of these types has passed its parser, so no later stage
 * checks its syntax again. Digests are lower-case hex, so that they are map keys and sort as their bytes do.
 */
declare const brand: unique symbol
export type Branded<T, B extends string> = T & { readonly [brand]: B }

/** 64 lower-case hex digits of a SHA-256. */
export type Digest = Branded<string, 'Digest'>
/** Digest of a release header's signed bytes, never of the envelope around them. */
export type ReleaseId = Branded<string, 'Digest'>
/** Digest of the signed bytes of the fleet's first trust root. */
export type FleetId = Branded<string, 'Digest'>
/** SHA-256 of a public key's canonical SPKI (DER). */
export type KeyId = Branded<string, 'Digest'>
/** 1–8 segments joined by `/`, ≤ 200 bytes, see `parseChannel`. */
export type Channel = Branded<string, 'Channel'>
/** Channel pattern: segments, `*` = one segment, `**` = one or more, last only. */
export type Pattern = Branded<string, 'Pattern'>
/** One segment: publisher, pool, region or zone. */
export type Name = Branded<string, 'Name'>
/** libp2p peer id in its text form. */
export type PeerId = Branded<string, 'PeerId'>
/** Multiaddr text that ends in `/p2p/<peer id>`. */
export type Address = Branded<string, 'Address'>
