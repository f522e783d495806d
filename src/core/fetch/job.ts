/** One release being fetched: which pages are read, what is missing, what is still to be looked at on disk. */
import { ManifestReader } from '../../codec/manifest.ts'
import { decodePage } from '../../codec/page.ts'
import { MeshError } from '../../errors.ts'
import type { Limits } from '../../limits.ts'
import type { Channel, Digest, PeerId } from '../../model/ids.ts'
import type { Release } from '../../model/release.ts'
import { Bitmap } from '../bitmap.ts'
import type { Journey } from '../journey.ts'
import type { OverLimit } from '../over-limit.ts'
import { Missing } from './missing.ts'
import { IN_VAIN_MS, OwnPace } from './own-pace.ts'
import { Rescue } from './rescue.ts'

/**
 * So many times as long as an answer takes a block is left to another at a stretch, at least, before it counts as beyond reach. A
 * hundred nodes on two cores, where an answer takes ten seconds, fetched 8 MiB from their seed 2.6 times for want of it.
 */
const LEFT_TIMES = 4

interface Postponed {
  readonly untilMonoMs: number
  readonly ms: number
  readonly times: number
}

export class FetchJob {
  readonly release: Release
  readonly channel: Channel
  readonly sinceMonoMs: number
  /** Read stored blocks, too, before they count: some turned out to be damaged. */
  readonly check: boolean
  /** Pages, then blocks in the manifest's order, each once, as far as pages are read: announcements go by these places. */
  readonly digests: Digest[] = []
  /** Not durable here: open, asked for or being written. */
  readonly missing: Missing
  /** How much was missing, all told: what was here may be lost again. */
  needed = 0
  /** Places of those missing that nobody is asked for and nothing is written of. */
  readonly open = new Bitmap()
  /** Each once, however often the manifest repeats it. */
  readonly unchecked: Digest[] = []
  /** Being read off the disk. */
  readonly checking = new Set<Digest>()
  progressMonoMs: number
  /** When others last got a block while it was seen to wait for its turn. */
  passedMonoMs = Number.NEGATIVE_INFINITY
  /** Said once that nobody gives anything. */
  unavailable = false
  /** The manifest is wrong, or over a limit of this node: nothing can make this release whole here. */
  refusal: OverLimit | undefined
  /** Looked through only, as a block was lost, and whole for all that is known: it ends in silence where nothing is missing. */
  stillWhole = false
  /** The record `whole` is being written. */
  closing = false
  /** When neighbours are asked next what they have, and how often they were in vain. */
  nextQueryMonoMs: number
  queries = 0
  /** Rounds of them, whatever came meanwhile. */
  rounds = 0
  /** Whom they were put to, of those still linked, since all had their turn. */
  readonly questioned = new Set<PeerId>()
  /** When those were asked of whom none has answered yet. */
  #askedMonoMs = Number.NEGATIVE_INFINITY
  /** When one of those answered last, or the last of them could not. */
  #answeredMonoMs = Number.NEGATIVE_INFINITY
  /** When one of those did. */
  #heardMonoMs = Number.NEGATIVE_INFINITY
  /** What nobody announces is asked for at a seed, or of anybody. */
  readonly rescue: Rescue
  /** How much of its own part this node asks the seed for. */
  readonly ownPace = new OwnPace<Digest>(IN_VAIN_MS)
  /** The place after the pages: a large file of zeros has pages that are equal, and these are one. */
  readonly firstBlock: number
  /** A seed gave this node something of it. */
  isEntered = false
  /** Blocks for which a seed sent us elsewhere, to whom, and when it is asked again should nobody announce them. */
  readonly redirected = new Map<Digest, { readonly to: PeerId; readonly atMonoMs: number }>()
  /** Blocks that a seed has given to another, who has yet to announce them: until when they are left to it, and for how long. */
  readonly #leftTo = new Map<Digest, { readonly untilMonoMs: number; readonly ms: number }>()
  /** Those asked of another region than the one that feeds this one: until when others have their turn, and for how long. */
  readonly #postponed = new Map<Digest, Postponed>()
  readonly #places = new Map<Digest, number>()
  readonly #sizes: number[] = []
  readonly #reader: ManifestReader
  readonly #limits: Limits
  #pages = 0

  constructor(release: Release, check: boolean, monoMs: number, limits: Limits) {
    this.release = release
    this.channel = release.header.channel
    this.check = check
    this.sinceMonoMs = monoMs
    this.progressMonoMs = monoMs
    this.nextQueryMonoMs = monoMs
    this.rescue = new Rescue(monoMs, limits)
    this.#reader = new ManifestReader(release.header, limits)
    this.#limits = limits
    this.missing = new Missing(this.#places)
    for (const page of release.header.pages) this.#place(page, limits.maxPageBytes)
    this.firstBlock = this.digests.length
  }

  /** Somebody came who may have what the others lack. */
  mayAskAgain(nowMonoMs: number): void {
    this.nextQueryMonoMs = nowMonoMs
    this.#askedMonoMs = Number.NEGATIVE_INFINITY
  }

  /** Neighbours are asked what they have. */
  onAsked(nowMonoMs: number): void {
    this.#askedMonoMs = nowMonoMs
  }

  /** One has said what it has; false: none of those asked can. */
  onAnswer(nowMonoMs: number, isHeard: boolean): void {
    this.#askedMonoMs = Number.NEGATIVE_INFINITY
    this.#answeredMonoMs = nowMonoMs
    if (isHeard) this.#heardMonoMs = nowMonoMs
  }

  /** They were asked less than so long ago, and none has answered. */
  awaitsAnswer(nowMonoMs: number, mostMs: number): boolean {
    return nowMonoMs < this.#askedMonoMs + mostMs
  }

  /** One has answered since a block came last, or none of those asked can. */
  get isAnswered(): boolean {
    return this.#answeredMonoMs >= this.progressMonoMs
  }

  /** One has answered since a block came last. */
  get isHeard(): boolean {
    return this.#heardMonoMs >= this.progressMonoMs
  }

  /** The page that has to be read next; those before it are checked. */
  get nextPage(): Digest | undefined {
    return this.release.header.pages[this.#pages]
  }

  /** Not all pages are read yet; of one that was refused, or that nobody gives, no more come. */
  get isReading(): boolean {
    return !this.refused && !this.unavailable && this.nextPage !== undefined
  }

  /**
   * Nothing of what is missing is being written, or asked of anybody who does not count as silent: of what waits for its turn
   * nothing was asked in vain.
   */
  get isUnasked(): boolean {
    return this.missing.size <= this.open.count
  }

  get isComplete(): boolean {
    const unread = this.unchecked.length + this.checking.size
    return this.nextPage === undefined && this.missing.size === 0 && unread === 0
  }

  place(digest: Digest): number | undefined {
    return this.#places.get(digest)
  }

  /** Bytes at this place; of a page, the most it can have. */
  size(place: number): number {
    return this.#sizes[place] ?? this.#limits.maxBlockBytes
  }

  /**
   * Missing from now on, where it is not here. It is not open yet: it may be under way for another release.
   * @returns whether that is news
   */
  need(journey: Journey, digest: Digest): boolean {
    if (journey.hasBlock(digest) || !this.missing.add(digest)) return false
    this.needed += 1
    return true
  }

  /** A seed gave this one, and nobody here has it but this node. */
  entered(digest: Digest, monoMs: number): void {
    this.isEntered = true
    this.ownPace.brought(digest, monoMs)
  }

  /** It is durable. @returns whether it was missing */
  got(digest: Digest): boolean {
    if (!this.missing.delete(digest)) return false
    this.shut(digest)
    // Should it be lost, whom it was left to then says nothing.
    this.redirected.delete(digest)
    this.#leftTo.delete(digest)
    this.#postponed.delete(digest)
    return true
  }

  /** Nobody is asked for it any more; it counts unless it came by another way. */
  reopen(digest: Digest): void {
    const place = this.#places.get(digest)
    if (place === undefined || !this.missing.has(digest) || this.refused) return
    this.open.add(place)
    // Not written, or lost: nobody can take it from here.
    this.ownPace.taken(digest)
  }

  /** Asked for, being written, or here. */
  shut(digest: Digest): void {
    const place = this.#places.get(digest)
    if (place !== undefined) this.open.delete(place)
  }

  /**
   * The bytes of `nextPage`.
   * @returns what is missing since
   * @throws MeshError CODEC_MALFORMED, CONTENT_PATH, LIMIT_CONTENT: the publisher's fault
   */
  takePage(journey: Journey, bytes: Uint8Array): readonly Digest[] {
    const page = decodePage(bytes, this.#limits)
    this.#reader.add(page)
    this.#pages++
    if (this.nextPage === undefined) this.#reader.end()
    const needed: Digest[] = []
    for (const entry of page)
      for (const { digest, size } of entry.blocks) {
        const isNew = this.#place(digest, size)
        if (this.check && journey.hasBlock(digest)) {
          if (isNew) this.unchecked.push(digest)
        } else if (this.need(journey, digest)) needed.push(digest)
      }
    return needed
  }

  isLeft(digest: Digest, monoMs: number): boolean {
    return (this.#leftTo.get(digest)?.untilMonoMs ?? 0) > monoMs
  }

  /**
   * Each time for twice as long, up to a deadline: a host that is busy is no dead one, and asking makes it busier. Where the
   * least is near that, as on a host where all answers are late, more is waited for: what is left there is on its way.
   * @returns false: it was left for that long before, and nobody has announced it
   */
  leave(digest: Digest, monoMs: number, leastMs: number): boolean {
    const known = this.#leftTo.get(digest)
    const mostMs = Math.max(this.#limits.blockDeadlineMs, LEFT_TIMES * leastMs)
    if (known !== undefined && known.ms >= mostMs) return false
    const ms = known === undefined ? leastMs : Math.min(known.ms * 2, mostMs)
    this.#leftTo.set(digest, { untilMonoMs: monoMs + ms, ms })
    return true
  }

  /** Asked of one who may lack it as well: should nothing come of that, others have their turn before, each time for longer. */
  postpone(digest: Digest, monoMs: number): void {
    const { standMs, blockDeadlineMs } = this.#limits
    const ms = Math.min(2 * (this.#postponed.get(digest)?.ms ?? standMs / 2), blockDeadlineMs)
    this.#postponed.set(digest, { untilMonoMs: monoMs + ms, ms, times: this.postponements(digest) + 1 })
  }

  isPostponed(digest: Digest, monoMs: number): boolean {
    return (this.#postponed.get(digest)?.untilMonoMs ?? 0) > monoMs
  }

  /** How often. */
  postponements(digest: Digest): number {
    return this.#postponed.get(digest)?.times ?? 0
  }

  /**
   * What a seed sent us to it for is not awaited from it any longer. The seed hears that it was in vain: else whoever
   * breaks its connections again and again would keep for itself what it was given.
   */
  onDisconnected(peer: PeerId, monoMs: number): void {
    this.questioned.delete(peer)
    for (const [digest, { to, atMonoMs }] of this.redirected)
      if (to === peer) this.redirected.set(digest, { to, atMonoMs: Math.min(atMonoMs, monoMs) })
  }

  get refused(): boolean {
    return this.refusal !== undefined
  }

  refuse(why: OverLimit): void {
    this.refusal = why
    for (const digest of this.digests) this.shut(digest)
  }

  /** False: it is a block of another size than the manifest says. Of a page only the digest is known. */
  fits(digest: Digest, bytes: number): boolean {
    const place = this.#places.get(digest)
    return place === undefined || place < this.firstBlock || this.#sizes[place] === bytes
  }

  /** Why a block whose digest is right is not taken all the same: by the manifest, or by a limit of this node's own. */
  misfit(digest: Digest, bytes: number): OverLimit | undefined {
    if (!this.fits(digest, bytes))
      return { code: 'LIMIT_CONTENT', text: 'a block has another size than the manifest says' }
    const { maxBlockBytes, maxPageBytes } = this.#limits
    const isPage = (this.#places.get(digest) ?? 0) < this.firstBlock
    const mostBytes = isPage ? Math.min(maxPageBytes, maxBlockBytes) : maxBlockBytes
    if (bytes <= mostBytes) return undefined
    const text = `a page of ${bytes} bytes, at most ${mostBytes} are taken here; raise limits.maxBlockBytes and limits.maxPageBytes, or publish fewer files`
    return { code: 'LIMIT_BYTES', text }
  }

  /** @returns whether it had none yet */
  #place(digest: Digest, size: number): boolean {
    if (!this.fits(digest, size))
      throw new MeshError('LIMIT_CONTENT', `manifest: block ${digest.slice(0, 12)} has two sizes`)
    if (this.#places.has(digest)) return false
    this.#places.set(digest, this.digests.length)
    this.digests.push(digest)
    this.#sizes.push(size)
    return true
  }
}
