/** The node's own certificate chain, judged as peers judge it: whoever runs the host hears before it ends. */
import type { Code } from '../errors.ts'
import type { Judge, Judgement } from '../trust/admission.ts'
import type { CoreConfig } from './config.ts'
import type { Journey } from './journey.ts'
import type { Step } from './step.ts'

const DAY_MS = 24 * 3_600_000

export class OwnCertificate {
  readonly #config: CoreConfig
  readonly #judge: Judge
  #judgement: Judgement | undefined
  #lookAtMonoMs = 0
  #said = ''

  constructor(config: CoreConfig, judge: Judge) {
    this.#config = config
    this.#judge = judge
  }

  /** As of the last look, which is a day ago at most. */
  get judgement(): Judgement | undefined {
    return this.#judgement
  }

  onTick(step: Step, journey: Journey): void {
    if (step.now.monoMs < this.#lookAtMonoMs) step.wakeAt(this.#lookAtMonoMs)
    else {
      this.#said = ''
      this.look(step, journey)
    }
  }

  /** At start, daily, and under each new root; the same again is said once a day. */
  look(step: Step, journey: Journey): void {
    const { self, chain } = this.#config
    const { monoMs, wallMs } = step.now
    this.#lookAtMonoMs = monoMs + DAY_MS
    step.wakeAt(this.#lookAtMonoMs)
    this.#judgement = this.#judge(self, chain, journey.root(), wallMs)
    const finding = this.#finding(this.#judgement, wallMs)
    if (finding === undefined || finding.text === this.#said) return
    this.#said = finding.text
    step.emit({ kind: 'note', level: 'warn', ...finding })
  }

  #finding(
    judgement: Judgement,
    wallMs: number,
  ): { readonly code: Code | 'CERTIFICATE_EXPIRES'; readonly text: string } | undefined {
    if (judgement.kind === 'refused')
      return { code: judgement.code, text: `peers refuse this node: ${judgement.text}` }
    const { notAfter, pool } = judgement.admission
    const leftMs = notAfter - wallMs
    if (leftMs > this.#config.limits.expiryWarnMs) return undefined
    const what =
      pool !== undefined && pool.notAfter === notAfter ? `pool ${pool.name}` : "this node's certificate"
    if (leftMs <= 0)
      return {
        code: 'ADMIT_EXPIRED',
        text: `${what} has ended: what is connected stays, nothing new is admitted`,
      }
    const days = Math.floor(leftMs / DAY_MS)
    return { code: 'CERTIFICATE_EXPIRES', text: `${what} ends in ${days} days; then nothing new is admitted` }
  }
}
