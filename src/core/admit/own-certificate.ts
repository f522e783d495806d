/** The node's own certificate chain, judged as peers judge it: whoever runs the host hears before it ends. */
import { formatTime } from '../../codec/json-fields.ts'
import type { Code } from '../../errors.ts'
import type { Judge, Judgement } from '../../trust/admission.ts'
import { ClockSet } from '../clock-set.ts'
import type { CoreConfig } from '../config.ts'
import type { Journey } from '../journey.ts'
import type { Step } from '../step.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** While peers refuse this node: a clock may be set right, or a certificate begin, at any time. */
const REFUSED_LOOK_MS = 60_000

export class OwnCertificate {
  readonly #config: CoreConfig
  readonly #judge: Judge
  #judgement: Judgement | undefined
  #lookAtMonoMs = 0
  readonly #clock = new ClockSet()
  #said = ''
  #sayAgainMonoMs = 0

  constructor(config: CoreConfig, judge: Judge) {
    this.#config = config
    this.#judge = judge
  }

  /** As of the last look, which is a day ago at most, and a minute where peers refuse this node. */
  get judgement(): Judgement | undefined {
    return this.#judgement
  }

  onTick(step: Step, journey: Journey): void {
    if (this.#clock.look(step.now) || step.now.monoMs >= this.#lookAtMonoMs) this.look(step, journey)
    else step.wakeAt(this.#lookAtMonoMs)
  }

  /** At start, daily, once the clock was set, and under each new root; the same again is said once a day. */
  look(step: Step, journey: Journey): void {
    const { self, chain } = this.#config
    const { monoMs, wallMs } = step.now
    if (monoMs >= this.#sayAgainMonoMs) {
      this.#said = ''
      this.#sayAgainMonoMs = monoMs + DAY_MS
    }
    this.#judgement = this.#judge(self, chain(wallMs), journey.root(), wallMs)
    this.#clock.look(step.now)
    this.#lookAtMonoMs = monoMs + (this.#judgement.kind === 'refused' ? REFUSED_LOOK_MS : DAY_MS)
    step.wakeAt(this.#lookAtMonoMs)
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
    const then = `${this.#config.limits.admitSkewMs / HOUR_MS} h after that no peer admits this node any more`
    const when =
      leftMs > 0 ? `ends in ${Math.floor(leftMs / DAY_MS)} days` : `ended on ${formatTime(notAfter)}`
    return { code: 'CERTIFICATE_EXPIRES', text: `${what} ${when}; ${then}` }
  }
}
