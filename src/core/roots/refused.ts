/** What is said of a root that is not adopted, and how loudly. */
import type { PeerId } from '../../model/ids.ts'
import { ADOPTION_CODES, type Adoption } from '../../trust/chain.ts'
import type { Step } from '../step.ts'

/** Where it is not `warn`. */
const LEVELS: Partial<Record<Adoption['kind'], 'debug' | 'info' | 'error'>> = {
  old: 'debug',
  gap: 'debug',
  'old-fork': 'info',
  fork: 'error',
}

/**
 * @param from who brought it, if a peer did
 * @param isKnown it is beyond this build, which was said before: every comparison with a peer that has it brings it again
 */
export function noteRefused(
  step: Step,
  adoption: Exclude<Adoption, { kind: 'adopted' }>,
  from: PeerId | undefined,
  isKnown = false,
): void {
  const { kind, text } = adoption
  const level = isKnown ? 'debug' : (LEVELS[kind] ?? 'warn')
  step.emit({
    kind: 'note',
    level,
    code: ADOPTION_CODES[kind],
    text,
    ...(from === undefined ? {} : { peer: from }),
  })
}
