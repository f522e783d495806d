import { encodeReleaseGossip } from '../codec/gossip.ts'
import { LIMITS } from '../limits.ts'
import type { Envelope } from '../model/envelope.ts'
import type { Channel, Name } from '../model/ids.ts'
import type { PrivateKey } from '../trust/private-key.ts'
import { signEnvelope } from '../trust/signing.ts'
import { filesOf, type Made } from './fleet.ts'
import type { Forgery } from './happening.ts'
import { keyNamed } from './keys.ts'
import type { Random } from './random.ts'
import { STOLEN_PUBLISHER, VAULT_PUBLISHER } from './trust.ts'

/** What a thief has: the one key of a publisher, and one of the three of the vault's. */
const stolen = (): PrivateKey => keyNamed(`publisher ${STOLEN_PUBLISHER}`)
const oneOfThree = (): PrivateKey => keyNamed(`publisher ${VAULT_PUBLISHER} 2`)

const SIGNERS: { readonly [F in Forgery]: (payload: Uint8Array) => Envelope } = {
  'one-key': (payload) => signEnvelope('release', payload, [oneOfThree()]),
  'one-key-twice': (payload) => {
    const envelope = signEnvelope('release', payload, [oneOfThree()])
    return { ...envelope, signatures: [...envelope.signatures, ...envelope.signatures] }
  },
  'dropped-key': (payload) => signEnvelope('release', payload, [stolen()]),
  /** The hint names the publisher's key, the signature is another's. */
  stranger: (payload) => {
    const envelope = signEnvelope('release', payload, [keyNamed('a stranger')])
    const signatures = envelope.signatures.map(({ sig }) => ({ keyId: stolen().id, sig }))
    return { ...envelope, signatures }
  },
}

/** Releases that must never be activated anywhere. */
export const forge = {
  plan(how: Forgery, random: Random) {
    const vault = how === 'one-key' || how === 'one-key-twice'
    return {
      channel: (vault ? 'vault/keys' : 'payments/prod') as Channel,
      publisher: (vault ? VAULT_PUBLISHER : STOLEN_PUBLISHER) as Name,
      files: filesOf(random, 300),
    }
  },
  signer: (how: Forgery) => SIGNERS[how],
}

/** With all its content where that is small, so that nothing but the core stands between it and the applications. */
export function gossipOf({ envelope, header, content }: Made): Uint8Array {
  const pages = header.pages.flatMap((digest) => content.get(digest) ?? [])
  const blocks = [...content].flatMap(([digest, bytes]) => (header.pages.includes(digest) ? [] : [bytes]))
  const whole = encodeReleaseGossip({ envelope, attached: [...pages, ...blocks] })
  return whole.length <= LIMITS.maxInlineBytes ? whole : encodeReleaseGossip({ envelope, attached: [] })
}
