/**
 * Looks at the fleet as applications do, at files and HTTP, and knows what was published by itself. It shares no code
 * with the nodes. A release is a number; its files all say it.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Member } from './member.ts'

export const CHANNEL = 'chaos/app'
export const FILES = ['a.txt', 'b/c.txt', 'd.txt'] as const

/** Long enough that half of it would show. */
export const contentOf = (number: number, file: string): string =>
  `${number}\n${file}\n${`${number}.`.repeat(file === 'd.txt' ? 20_000 : 50)}\n`

export class Checker {
  readonly broken: string[] = []
  /** Published, whether or not a seed said that it holds it. */
  readonly published = new Set<number>()
  acknowledged = 0
  looks = 0
  readonly #highest = new Map<string, number>()
  /** By HTTP, which hears of a swap a moment after the files show it. */
  readonly #served = new Map<string, number>()
  readonly #said = new Set<string>()

  /** What a member shows now: promises 1, 2 and 5. */
  look(member: Member): number | undefined {
    const tree = this.#tree(member)
    if (tree === undefined) return undefined
    this.looks += 1
    const { numbers, name } = tree
    const [number] = numbers
    if (number === undefined || new Set(numbers).size !== 1) {
      this.#break(`${member.name} shows a mix in ${name}: ${numbers.join(', ')}`)
      return undefined
    }
    if (!this.published.has(number)) this.#break(`${member.name} shows ${number}, which nobody published`)
    const before = this.#highest.get(member.name) ?? 0
    if (number < before) this.#break(`${member.name} went back from ${before} to ${number}`)
    this.#highest.set(member.name, Math.max(before, number))
    return number
  }

  /** What a ready member serves: it never stops once it had something (promise 6). */
  async ask(member: Member): Promise<void> {
    const had = this.#served.get(member.name)
    if (!member.ready || member.busy) return
    try {
      const response = await fetch(`${member.api}/v1/channels/${encodeURIComponent(CHANNEL)}/files/a.txt`, {
        signal: AbortSignal.timeout(10_000),
      })
      if (!member.ready || member.busy) return
      const text = await response.text()
      if (response.status !== 200) {
        // damage that is being refilled says so, and is no wrong answer
        if (response.status < 500 && had !== undefined)
          this.#break(`${member.name} answers ${response.status}: ${text.slice(0, 200)}`)
        return
      }
      const number = Number.parseInt(text, 10)
      if (text !== contentOf(number, 'a.txt')) this.#break(`${member.name} serves bytes that are no release`)
      if (had !== undefined && number < had)
        this.#break(`${member.name} serves ${number} after it had served ${had}`)
      this.#served.set(member.name, Math.max(had ?? 0, number))
    } catch {
      // gone meanwhile; that it comes back is asked in the end
    }
  }

  /** It lost its store, or bytes of it: it serves again once it has fetched, and no older release even so. */
  storeTouched(member: Member): void {
    this.#served.delete(member.name)
  }

  /** Undefined: as it must be in the end. */
  unsettled(members: readonly Member[]): string | undefined {
    for (const member of members) {
      const number = this.look(member)
      if (!member.ready) return `${member.name} is not up: ${member.lastWords}`
      if (number === undefined || number < this.acknowledged)
        return `${member.name} is at ${number ?? 'nothing'}, acknowledged is ${this.acknowledged}`
    }
    const shown = new Set(members.map((member) => this.#highest.get(member.name)))
    return shown.size === 1 ? undefined : `members differ: ${[...shown].join(', ')}`
  }

  /** The numbers in its files, read through one resolved link; undefined while there is none. */
  #tree(member: Member): { numbers: number[]; name: string } | undefined {
    const channel = join(member.trees, CHANNEL)
    try {
      const name = readlinkSync(join(channel, 'current'))
      const numbers = FILES.map((file) => {
        const text = readFileSync(join(channel, name, file), 'utf8')
        const number = Number.parseInt(text, 10)
        return text === contentOf(number, file) ? number : Number.NaN
      })
      return { numbers, name }
    } catch (error) {
      // no link yet, or a tree that was removed while we read: two releases later that is its right
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  #break(text: string): void {
    if (this.#said.has(text)) return
    this.#said.add(text)
    this.broken.push(text)
  }
}
