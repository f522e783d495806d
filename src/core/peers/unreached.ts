/** Seeds that no dial reaches: told once each, until they are linked again. They were named, so somebody means them to be there. */
import type { PeerId } from '../../model/ids.ts'
import { peerOf } from '../../model/names.ts'
import type { EventOf } from '../events.ts'
import type { Step } from '../step.ts'

/** Over so many a seed that restarts is back: they take some ten seconds. */
const TOLD_AFTER_FAILURES = 5

export class Unreached {
  readonly #told = new Set<PeerId>()

  /**
   * A dial to a seed has failed.
   * @param failures in a row, with this one
   * @param addresses where it could be dialled
   */
  failed(
    step: Step,
    { address, code, text = address }: EventOf<'dialFailed'>,
    failures: number,
    addresses: number,
  ): void {
    const peer = peerOf(address)
    if (failures < Math.max(TOLD_AFTER_FAILURES, addresses) || this.#told.has(peer)) return
    this.#told.add(peer)
    const said = `this seed was dialled ${failures} times in a row in vain and is dialled on; the last time: ${text}`
    step.emit({ kind: 'note', level: 'warn', code, text: said, peer })
  }

  linked(peer: PeerId): void {
    this.#told.delete(peer)
  }
}

/** Worth a warning where somebody has written the peer id; what peers say of themselves is out of date now and then. */
export function otherAnswers(
  step: Step,
  { address, code, text = address }: EventOf<'dialFailed'>,
  isWritten: boolean,
): void {
  step.emit({ kind: 'note', level: isWritten ? 'warn' : 'debug', code, text, peer: peerOf(address) })
}
