/** What one member has shown, in the order it did: it only ever goes up. */
import { comparePlaces, type Label, type Place, textOf } from './facts.ts'

export class Shown {
  readonly #releases: string[] = []
  /** Of each publisher the number shown last. */
  readonly #numbers = new Map<string, number>()

  get any(): boolean {
    return this.#releases.length > 0
  }

  get last(): string | undefined {
    return this.#releases.at(-1)
  }

  /** @returns what is wrong with showing this now */
  next(
    release: string,
    { publisher, number }: Label,
    places: ReadonlyMap<string, Place>,
  ): string | undefined {
    const { last } = this
    if (release === last) return undefined
    this.#releases.push(release)
    const before = this.#numbers.get(publisher)
    this.#numbers.set(publisher, Math.max(before ?? 0, number))
    if (before !== undefined && number < before)
      return `${publisher} ${number} after ${publisher} ${before} (${release.slice(0, 12)})`
    return last === undefined ? undefined : backwards(last, release, places)
  }

  /** Places become known later than releases are shown. @param unknown gets the releases that nobody told the place of */
  disorder(places: ReadonlyMap<string, Place>, unknown: Set<string>): string[] {
    const found: string[] = []
    let last: string | undefined
    for (const release of this.#releases) {
      if (!places.has(release)) {
        unknown.add(release)
        continue
      }
      const text = last === undefined ? undefined : backwards(last, release, places)
      if (text !== undefined) found.push(text)
      last = release
    }
    return found
  }
}

function backwards(last: string, release: string, places: ReadonlyMap<string, Place>): string | undefined {
  const [from, to] = [places.get(last), places.get(release)]
  if (from === undefined || to === undefined || comparePlaces(to, from) > 0) return undefined
  return `${textOf(to)} (${release.slice(0, 12)}) after ${textOf(from)} (${last.slice(0, 12)})`
}
