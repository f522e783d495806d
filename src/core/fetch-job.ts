/** One release being fetched: which pages are read, what is missing, what is still to be looked at on disk. */
import { ManifestReader } from '../codec/manifest.ts'
import { decodePage } from '../codec/page.ts'
import type { Limits } from '../limits.ts'
import type { Channel, Digest } from '../model/ids.ts'
import type { Release } from '../model/release.ts'
import type { Journey } from './journey.ts'

export class FetchJob {
  readonly release: Release
  readonly channel: Channel
  readonly sinceMonoMs: number
  /** Read stored blocks, too, before they count: some turned out to be damaged. */
  readonly check: boolean
  /** Blocks known so far, pages included. */
  blocks: number
  /** Not durable here: queued, asked for or being written. */
  readonly missing = new Set<Digest>()
  readonly queue: Digest[] = []
  readonly unchecked: Digest[] = []
  /** Being read off the disk. */
  readonly checking = new Set<Digest>()
  progressMonoMs: number
  /** Said once that nobody gives anything. */
  unavailable = false
  /** The manifest is wrong: nothing can make this release whole. */
  refused = false
  /** The record `whole` is being written. */
  closing = false
  readonly #reader: ManifestReader
  readonly #limits: Limits
  #pages = 0

  constructor(release: Release, check: boolean, monoMs: number, limits: Limits) {
    this.release = release
    this.channel = release.header.channel
    this.check = check
    this.sinceMonoMs = monoMs
    this.progressMonoMs = monoMs
    this.blocks = release.header.pages.length
    this.#reader = new ManifestReader(release.header, limits)
    this.#limits = limits
  }

  /** The page that has to be read next; those before it are checked. */
  get nextPage(): Digest | undefined {
    return this.release.header.pages[this.#pages]
  }

  get isComplete(): boolean {
    return this.nextPage === undefined && this.missing.size === 0 && this.checking.size === 0
  }

  need(journey: Journey, digest: Digest): void {
    if (journey.hasBlock(digest) || this.missing.has(digest)) return
    this.missing.add(digest)
    this.queue.push(digest)
  }

  /** Back into the queue, unless it is there or came by another way. */
  requeue(digest: Digest): void {
    if (this.missing.has(digest) && !this.refused && !this.queue.includes(digest)) this.queue.push(digest)
  }

  /** The bytes of `nextPage`. @throws MeshError CODEC_MALFORMED, CONTENT_PATH, LIMIT_CONTENT: the publisher's fault */
  takePage(journey: Journey, bytes: Uint8Array): void {
    const page = decodePage(bytes, this.#limits)
    this.#reader.add(page)
    this.#pages++
    if (this.nextPage === undefined) this.#reader.end()
    for (const entry of page)
      for (const { digest } of entry.blocks) {
        this.blocks++
        if (this.check && journey.hasBlock(digest)) this.unchecked.push(digest)
        else this.need(journey, digest)
      }
  }

  refuse(): void {
    this.refused = true
    this.queue.length = 0
  }

  /** Any of the queue: peers that ask in the same order would all wait for the same block. */
  takeRandom(random: number): Digest | undefined {
    const at = Math.floor(random * this.queue.length)
    const taken = this.queue[at]
    const last = this.queue.pop()
    if (last !== undefined && at < this.queue.length) this.queue[at] = last
    return taken
  }
}
