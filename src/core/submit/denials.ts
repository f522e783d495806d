/** Submissions that are refused: who submits hears why, and of those that verify the audit log keeps a line. */
import type { Limits } from '../../limits.ts'
import type { PeerId } from '../../model/ids.ts'
import type { RequestId } from '../events.ts'
import type { Ingested } from '../journey.ts'
import { type Bucket, createBucket } from '../rate.ts'
import type { Step } from '../step.ts'
import { audit, type Refusal, refuse } from './answers.ts'

export class Denials {
  readonly #audits: Bucket

  constructor({ auditsPerSecond, auditsBurst }: Pick<Limits, 'auditsPerSecond' | 'auditsBurst'>) {
    this.#audits = createBucket(auditsPerSecond, auditsBurst)
  }

  /** Refused; in the audit log where it verifies, at a bounded rate: anybody can send old ones again. */
  deny(
    step: Step,
    { id, peer }: { readonly id: RequestId; readonly peer: PeerId },
    judged: Ingested,
    refusal: Refusal,
  ): void {
    refuse(step, id, peer, refusal, true, judged)
    const proven = !['MALFORMED', 'UNAUTHORISED', 'MISPLACED', 'RATE', 'AHEAD'].includes(judged.verdict)
    if (judged.release === undefined || !proven || !this.#audits.take(step.now.monoMs)) return
    const { channel } = judged.release.header
    audit(step, { peer, release: judged.release.id, channel, answer: refusal.code })
  }
}
