/** What is said of a root that is not adopted: its code, and how loudly. */
import type { Code } from '../../errors.ts'
import type { PeerId } from '../../model/ids.ts'
import type { Adoption } from '../../trust/chain.ts'
import type { Step } from '../step.ts'

export const ADOPTION_CODES: Readonly<Record<Exclude<Adoption['kind'], 'adopted'>, Code>> = {
  old: 'TRUST_ROOT_OLD',
  gap: 'TRUST_ROOT_GAP',
  fork: 'TRUST_ROOT_FORK',
  'old-fork': 'TRUST_ROOT_OLD',
  unauthorised: 'TRUST_ROOT_UNAUTHORISED',
  invalid: 'TRUST_ROOT_INVALID',
  narrows: 'TRUST_ROOT_NARROWS',
  unsupported: 'CODEC_UNSUPPORTED',
}

/** Where it is not `warn`. */
const LEVELS: Partial<Record<Adoption['kind'], 'debug' | 'info' | 'error'>> = {
  old: 'debug',
  gap: 'debug',
  'old-fork': 'info',
  fork: 'error',
}

/** @param from who brought it, if a peer did */
export function noteRefused(
  step: Step,
  adoption: Exclude<Adoption, { kind: 'adopted' }>,
  from: PeerId | undefined,
): void {
  const { kind, text } = adoption
  const level = LEVELS[kind] ?? 'warn'
  step.emit({
    kind: 'note',
    level,
    code: ADOPTION_CODES[kind],
    text,
    ...(from === undefined ? {} : { peer: from }),
  })
}
