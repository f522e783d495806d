/** Row 10: a broken copy is sent first, to mask the good one. */
import { test } from 'vitest'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import { stage } from './kit/stage.ts'

const { fleet: aFleet, victim: aVictim, joined } = stage()

test.each(['signatures', 'content'] as const)(
  'copies with broken %s first: the good one still counts',
  async (what) => {
    const fleet = aFleet()
    const victim = await aVictim(fleet)
    const liar = await joined(fleet, victim)
    const good = fleet.release()
    const { envelope } = good
    const signatures = envelope.signatures.map(({ keyId, sig }) => ({
      keyId,
      sig: sig.map((byte) => byte ^ 1),
    }))
    const broken =
      what === 'signatures'
        ? { ...good, bytes: encodeEnvelope({ ...envelope, signatures }) }
        : { ...good, blocks: good.blocks.map((block) => block.map((byte) => byte ^ 1)) }
    liar.announce(broken)
    await victim.refusedAtLeast(what === 'signatures' ? 'TRUST_UNAUTHORISED' : 'CONTENT_DIGEST')
    const peer = await joined(fleet, victim)
    peer.announce(good)
    await victim.runs(good)
  },
)
