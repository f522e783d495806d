/** What keeps a release back, told once, and where the channel's last error stands. */
import type { Code } from '../../errors.ts'
import type { Gate } from '../../model/channel-state.ts'
import type { ReleaseId } from '../../model/ids.ts'
import type { Cell } from '../state.ts'
import type { Step } from '../step.ts'

/** Gates that a person has to do something about. The others open by themselves or are told where they close. */
const GATES: Partial<Record<NonNullable<Gate>, { readonly code: Code; readonly text: string }>> = {
  unsupported: {
    code: 'ACTIVATE_UNSUPPORTED',
    text: 'the newest release needs a newer build; upgrade this node',
  },
  expired: {
    code: 'ACTIVATE_EXPIRED',
    text: 'the newest release has expired and is not activated; publish again',
  },
  'root-expired': {
    code: 'TRUST_ROOT_EXPIRED',
    text: 'the trust root has expired: nothing new is activated; hand out a renewed one',
  },
}

export function tellGate(step: Step, cell: Cell, gate: Gate): void {
  const told = `${cell.state.floor.ids.join()} ${gate}`
  if (told === cell.toldGate) return
  cell.toldGate = told
  const target = cell.state.floor.ids[0]
  // What files show already is active once its hooks are through.
  const isShown = gate === 'expired' && cell.ahead?.release === cell.state.floor.ids[0]
  const message = gate === null || isShown ? undefined : GATES[gate]
  if (message !== undefined && target !== undefined) report(step, cell, target, message.code, message.text)
}

export function report(step: Step, cell: Cell, release: ReleaseId, code: Code, text: string): void {
  cell.lastError = { code, text, at: step.now.wallMs, release }
  step.emit({ kind: 'note', level: 'error', code, text, channel: cell.state.channel, release })
}
