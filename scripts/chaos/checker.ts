/**
 * Judges what is seen of the fleet from outside, by the promises alone: it shares no code with the nodes, and knows by
 * itself what was published. Every wait that it grants has a bound; test/unit/chaos shows that each rule can break.
 */
import {
  type Answer,
  type ChannelSeen,
  type Clock,
  comparePlaces,
  FILES,
  type FilesSeen,
  type Label,
  labelOf,
  type Place,
  placeOf,
  releaseIn,
  textOf,
} from './facts.ts'
import { Shown } from './shown.ts'

/** The files show a swap first; the API has to follow while nothing is done to the node. */
const LAG_MS = 15_000
/** Damage that was done to a store may show in answers for so long, while nothing else is done to the node. */
const REFILL_MS = 60_000
/** No answer at all, though the process runs and nothing is done to it. */
const SILENT_MS = 60_000
/** A release that somebody holds durably has reached everyone, to whom nothing was done for so long. */
const REACH_MS = 120_000

interface Acknowledged {
  readonly place: Place
  readonly atMs: number
}

export class Checker {
  readonly #patience: number
  readonly #onBreak: (text: string) => void
  readonly broken: string[] = []
  /** Publishing of it has begun, whether or not a node said that it holds it. */
  readonly #published = new Set<string>()
  readonly #acknowledged: Acknowledged[] = []
  readonly #labels = new Map<string, string>()
  readonly #places = new Map<string, Place>()
  readonly #files = new Map<string, Shown>()
  readonly #served = new Map<string, Shown>()
  readonly #floors = new Map<string, Place>()
  /** Whose store was damaged: what is lost is fetched again. */
  readonly #damaged = new Set<string>()
  readonly #flipped = new Set<string>()
  readonly #floorGone = new Set<string>()
  /** Since when something lasts: `what member`. */
  readonly #since = new Map<string, number>()
  readonly #said = new Set<string>()
  readonly checks: Record<string, number> = {}

  /**
   * @param patience what every bound in time is multiplied by: 1 where the machine has nothing else to do
   * @param onBreak is told at once
   */
  constructor(patience: number, onBreak: (text: string) => void = () => undefined) {
    this.#patience = patience
    this.#onBreak = onBreak
  }

  published({ publisher, number }: Label): void {
    this.#published.add(`${publisher} ${number}`)
  }

  /** Somebody said that it holds the whole release durably. */
  acknowledged(release: string, clock: Clock, atMs: number): void {
    const place = this.#learn(release, clock, 'the publisher')
    if (place !== undefined) this.#acknowledged.push({ place, atMs })
  }

  get releases(): number {
    return this.#published.size
  }

  get acknowledgements(): number {
    return this.#acknowledged.length
  }

  /** The greatest place that is held durably somewhere. */
  get newest(): Place | undefined {
    return this.#newestOf(this.#acknowledged)
  }

  /** Its store is gone, or bits of it: it may refuse for a while what is damaged, and serves no older release even so. */
  storeDamaged(member: string, how: 'deleted' | 'flipped'): void {
    this.#damaged.add(member)
    if (how === 'flipped') this.#flipped.add(member)
    else this.#flipped.delete(member)
  }

  /** The second copy of its floor is gone: the first keeps what it has activated. */
  floorRemoved(member: string): void {
    this.#floors.delete(member)
    this.#floorGone.add(member)
  }

  placeOf(release: string): Place | undefined {
    return this.#places.get(release)
  }

  hasFlippedBits(member: string): boolean {
    return this.#flipped.has(member)
  }

  /** Promises 1, 2 and 5, in its files. @returns the release that it shows */
  files(member: string, seen: FilesSeen): string | undefined {
    this.#count('looks at files')
    const shown = this.#shownBy(this.#files, member)
    if (seen.tree === undefined) {
      if (shown.any) this.break(`${member}: current is gone`)
      return undefined
    }
    const release = releaseIn(seen.tree)
    if (release === undefined) {
      this.break(`${member}: current leads to ${seen.tree}`)
      return undefined
    }
    const missing = FILES.filter((_, at) => seen.texts[at] === undefined)
    if (missing.length > 0) {
      // two releases later an old tree may go while it is read
      if (seen.treeAfter === seen.tree) this.break(`${member}: ${seen.tree} lacks ${missing.join(', ')}`)
      return undefined
    }
    const labels = FILES.map((file, at) => labelOf(seen.texts[at] ?? '', file))
    const says = new Set(labels.map((label) => (label === undefined ? 'no release' : nameOf(label))))
    const [label] = labels
    if (label === undefined || says.size !== 1) {
      this.break(`${member} shows a mix in ${seen.tree}: ${[...says].join(', ')}`)
      return undefined
    }
    this.#isReal(member, release, label)
    this.#goesUp(shown, member, 'shows', release, label)
    this.#floor(member, seen.floor, release)
    return release
  }

  /**
   * Promises 1, 2, 5, 6 and 11, by HTTP, of a process that ran from question to answer.
   * @param calmMs for how long nothing has been done to it
   */
  answer(member: string, seen: Answer, calmMs: number, nowMs: number): void {
    this.#count('answers')
    this.#since.delete(`silent ${member}`)
    const served = this.#shownBy(this.#served, member)
    if (seen.status !== 200) {
      // Behind its files is what it is twice in a row, with nothing else between.
      this.#since.delete(`behind ${member}`)
      if (!served.any) return
      const text = `${member} answers ${seen.status}: ${seen.text.slice(0, 200)}`
      if (!this.#damaged.has(member)) this.break(text)
      else if (this.#lasts(`refused ${member}`, calmMs, nowMs) > REFILL_MS * this.#patience)
        this.break(`${text}, ${(REFILL_MS * this.#patience) / 1_000} s after damage`)
      return
    }
    this.#since.delete(`refused ${member}`)
    const [file] = FILES
    const label = labelOf(seen.text, file)
    if (label === undefined || seen.release === undefined) {
      this.break(`${member} serves bytes that are no release: ${JSON.stringify(seen.text.slice(0, 60))}`)
      return
    }
    this.#isReal(member, seen.release, label)
    this.#goesUp(served, member, 'serves', seen.release, label)
    this.#agrees(member, seen, calmMs, nowMs)
  }

  /** It runs, was asked and gave no answer in time. */
  noAnswer(member: string, calmMs: number, nowMs: number): void {
    this.#count('questions without an answer')
    this.#since.delete(`behind ${member}`)
    if (this.#lasts(`silent ${member}`, calmMs, nowMs) > SILENT_MS * this.#patience)
      this.break(`${member} gives no answer for ${(SILENT_MS * this.#patience) / 1_000} s`)
  }

  /** Honest publishers never hold a channel; all nodes say the same of one release. */
  channel(member: string, { active, history, state }: ChannelSeen): void {
    this.#count('channel views')
    for (const known of active === null ? history : [active, ...history])
      if (Object.keys(known.clock).length > 0) this.#learn(known.release, known.clock, member)
    if (state === 'held') this.break(`${member} holds the channel, though no publisher lied`)
  }

  /** Promise 7, all along: what was acknowledged long enough ago is there, where nothing was done to a node since. */
  progress(member: string, calmMs: number, nowMs: number): void {
    const reachMs = REACH_MS * this.#patience
    if (calmMs < reachMs) return
    const due = this.#newestOf(this.#acknowledged.filter(({ atMs }) => atMs <= nowMs - reachMs))
    const has = this.#placeShown(member)
    if (due === undefined) return
    // Shown a moment ago, and no node has told its place yet: nothing can be said.
    if (has === undefined && this.#shownBy(this.#files, member).any) return
    this.#count('checks of progress')
    if (has === undefined || comparePlaces(has, due) < 0)
      this.break(
        `${member} is at ${has === undefined ? 'nothing' : textOf(has)} in calm, ${textOf(due)} is ${reachMs / 1_000} s old`,
      )
  }

  /** What must hold once nothing is done any more. Undefined: it does. */
  unsettled(member: string, files: FilesSeen, api: ChannelSeen | undefined): string | undefined {
    const release = this.files(member, files)
    const place = release === undefined ? undefined : this.#places.get(release)
    const { newest } = this
    if (place === undefined) return `${member} shows ${release?.slice(0, 12) ?? 'nothing'}`
    if (newest !== undefined && comparePlaces(place, newest) < 0)
      return `${member} shows ${textOf(place)}, acknowledged is ${textOf(newest)}`
    if (api === undefined) return `${member} gives no answer`
    if (api.active?.release !== release) return `${member}: API and files differ`
    if (api.state !== 'active' || api.gate !== null) return `${member} is ${api.state}, gate ${api.gate}`
    return undefined
  }

  /** Once all places are known: the order of what each has shown and served. @returns releases without a place */
  inOrder(): number {
    const unknown = new Set<string>()
    for (const [verb, all] of [
      ['showed', this.#files],
      ['served', this.#served],
    ] as const)
      for (const [member, shown] of all)
        for (const text of shown.disorder(this.#places, unknown)) this.break(`${member} ${verb} ${text}`)
    return unknown.size
  }

  #isReal(member: string, release: string, label: Label): void {
    const name = nameOf(label)
    if (!this.#published.has(name)) this.break(`${member} has ${name}, which nobody published`)
    const known = this.#labels.get(release)
    if (known !== undefined && known !== name)
      this.break(`${member}: ${release.slice(0, 12)} holds ${name}, elsewhere ${known}`)
    this.#labels.set(release, name)
  }

  #goesUp(shown: Shown, member: string, verb: string, release: string, label: Label): void {
    const text = shown.next(release, label, this.#places)
    if (text !== undefined) this.break(`${member} ${verb} ${text}`)
  }

  #floor(member: string, floor: FilesSeen['floor'], release: string): void {
    const before = this.#floors.get(member)
    if (floor === 'none') {
      if (!this.#floorGone.has(member)) this.break(`${member}: the file of its floor is gone`)
      return
    }
    if (floor === 'damaged') return this.break(`${member}: the file of its floor is damaged`)
    this.#count('floors')
    this.#floorGone.delete(member)
    const place = this.#places.get(release)
    if (before !== undefined && comparePlaces(floor, before) < 0)
      this.break(`${member}: its floor fell from ${textOf(before)} to ${textOf(floor)}`)
    if (place !== undefined && comparePlaces(floor, place) < 0)
      this.break(`${member} shows ${textOf(place)}, above its floor ${textOf(floor)}`)
    this.#floors.set(member, floor)
  }

  /** The API is never ahead of the files, and behind them for a moment only. */
  #agrees(member: string, { release, treeBefore, treeAfter }: Answer, calmMs: number, nowMs: number): void {
    const [served, before, after] = [release, releaseIn(treeBefore), releaseIn(treeAfter)].map((id) =>
      this.#places.get(id ?? ''),
    )
    if (served !== undefined && after !== undefined && comparePlaces(served, after) > 0)
      this.break(`${member} serves ${textOf(served)}, its files show ${textOf(after)}`)
    const isBehind = served !== undefined && before !== undefined && comparePlaces(served, before) < 0
    if (!isBehind) this.#since.delete(`behind ${member}`)
    else if (this.#lasts(`behind ${member}`, calmMs, nowMs) > LAG_MS * this.#patience)
      this.break(`${member} serves ${textOf(served)} long after its files showed ${textOf(before)}`)
  }

  #learn(release: string, clock: Clock, from: string): Place | undefined {
    const place = placeOf(clock)
    const known = this.#places.get(release)
    if (place === undefined || (known !== undefined && comparePlaces(known, place) !== 0)) {
      this.break(`${from} gives ${release.slice(0, 12)} the clock ${JSON.stringify(clock)}`)
      return known
    }
    this.#places.set(release, place)
    return place
  }

  /** How long it lasts, counted only where nothing is done to the node. */
  #lasts(what: string, calmMs: number, nowMs: number): number {
    const since = this.#since.get(what) ?? nowMs
    this.#since.set(what, since)
    return Math.min(nowMs - since, calmMs)
  }

  #newestOf(all: readonly Acknowledged[]): Place | undefined {
    return all
      .map(({ place }) => place)
      .sort(comparePlaces)
      .at(-1)
  }

  #placeShown(member: string): Place | undefined {
    return this.#places.get(this.#files.get(member)?.last ?? '')
  }

  #shownBy(all: Map<string, Shown>, member: string): Shown {
    const shown = all.get(member) ?? new Shown()
    all.set(member, shown)
    return shown
  }

  #count(what: string): void {
    this.checks[what] = (this.checks[what] ?? 0) + 1
  }

  /** Also for what is found beside these rules. */
  break(text: string): void {
    if (this.#said.has(text)) return
    this.#said.add(text)
    this.broken.push(text)
    this.#onBreak(text)
  }
}

const nameOf = ({ publisher, number }: Label): string => `${publisher} ${number}`
