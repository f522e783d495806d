import { joinFloors } from '../model/floor.ts'
import { comparePlaces } from '../model/place.ts'
import type { Write } from '../runtime/ports.ts'

export interface Copy {
  readonly atMs: number
  readonly write: Extract<Write, { readonly kind: 'floor' | 'root' }>
}

/** Floors and the newest root a second time, as files beside the store: each is lost and damaged apart from the other. */
export class SecondCopies {
  readonly #copies = new Map<string, Copy>()

  get all(): readonly Copy[] {
    return [...this.#copies.values()]
  }

  get names(): readonly string[] {
    return [...this.#copies.keys()]
  }

  /** Of what is written: nothing is lowered. */
  take(writes: readonly Write[], atMs: number): void {
    for (const write of writes) {
      if (!hasSecondCopy(write)) continue
      const raised = this.#with(write)
      if (raised !== undefined) this.#copies.set(nameOf(write), { atMs, write: raised })
    }
  }

  /** To take it would change something. */
  lacks(write: Copy['write']): boolean {
    return this.#with(write) !== undefined
  }

  /** A damaged file is set aside. */
  damage(names: ReadonlySet<string>): void {
    for (const name of names) this.#copies.delete(name)
  }

  /** What is to be kept once this is written, too; undefined: what is here already. */
  #with(write: Copy['write']): Copy['write'] | undefined {
    const before = this.#copies.get(nameOf(write))?.write
    if (before === undefined) return write
    if (before.kind === 'root')
      return write.kind === 'root' && write.version > before.version ? write : undefined
    if (write.kind === 'root') return undefined
    const floor = joinFloors(before.floor, write.floor)
    const isSame =
      comparePlaces(floor.top, before.floor.top) === 0 && `${floor.ids}` === `${before.floor.ids}`
    return isSame ? undefined : { kind: 'floor', floor }
  }
}

export const hasSecondCopy = (write: Write): write is Copy['write'] =>
  write.kind === 'floor' || write.kind === 'root'

const nameOf = (write: Copy['write']): string =>
  write.kind === 'root' ? 'copy of root' : `copy of floor ${write.floor.channel}`
