import { sha256 } from '../codec/digest.ts'
import { decodePage } from '../codec/page.ts'
import type { Limits } from '../limits.ts'
import type { Channel, Digest, ReleaseId } from '../model/ids.ts'
import type { ActivationOutcome, ActivatorPort, EffectOf, StorePort } from '../runtime/ports.ts'
import { between, type Random } from './random.ts'
import type { VirtualTime } from './time.ts'

/** What applications on a host see: a whole tree per channel, never a mix. Outlives the process. */
export interface Tree {
  readonly release: ReleaseId
  /** Path → digest of what lies there, computed from the bytes written. */
  readonly files: ReadonlyMap<string, Digest>
}

/** Told of every swap, so that checkers see each activation as an application would. */
export type OnSwap = (channel: Channel, tree: Tree, fallback: boolean) => void

type Asked = 'channel' | 'release' | 'pages' | 'fallback'

interface Order extends Pick<EffectOf<'activate'>, Asked> {
  readonly life: number
  readonly store: StorePort
  /** Withdrawn meanwhile. */
  readonly isOff: () => boolean
}

export class HostFiles {
  readonly trees = new Map<Channel, Tree>()
  readonly #time: VirtualTime
  readonly #random: Random
  readonly #limits: Limits
  /** Releases whose health check fails everywhere. */
  readonly #sick: ReadonlySet<ReleaseId>
  readonly #onSwap: OnSwap
  #life = 0

  constructor(
    time: VirtualTime,
    random: Random,
    limits: Limits,
    sick: ReadonlySet<ReleaseId>,
    onSwap: OnSwap,
  ) {
    this.#time = time
    this.#random = random
    this.#limits = limits
    this.#sick = sick
    this.#onSwap = onSwap
  }

  crash(): void {
    this.#life += 1
  }

  /** A file of every tree is damaged behind the node's back. */
  flip(): void {
    for (const [channel, { release, files }] of this.trees) {
      const [path] = files.keys()
      if (path !== undefined)
        this.trees.set(channel, { release, files: new Map(files).set(path, sha256(`damaged ${release}`)) })
    }
  }

  activator(store: StorePort): ActivatorPort {
    const life = ++this.#life
    const tails = new Map<Channel, Promise<ActivationOutcome>>()
    const withdrawn = new Set<string>()
    const keyOf = (channel: Channel, release: ReleaseId) => `${channel} ${release}`
    /** One after another on a channel, as on a real host. */
    const inTurn = (
      { channel, release, pages, fallback }: Pick<EffectOf<'activate'>, Asked>,
      work: (order: Order) => Promise<ActivationOutcome>,
    ) => {
      const key = keyOf(channel, release)
      // Asked for anew.
      withdrawn.delete(key)
      const order = { life, store, channel, release, pages, fallback, isOff: () => withdrawn.has(key) }
      const begin = () => work(order)
      const turn = tails.get(channel)?.then(begin, begin) ?? begin()
      tails.set(channel, turn)
      return turn
    }
    return {
      activate: (effect) => inTurn(effect, (order) => this.#show(order)),
      restore: (channel, release, pages, ahead) =>
        inTurn({ channel, release, pages, fallback: false }, (order) => this.#restore(order, ahead)),
      withdraw: (channel, release) => void withdrawn.add(keyOf(channel, release)),
      shown: (channel) => Promise.resolve(this.trees.get(channel)?.release),
      stop: () => Promise.resolve(),
    }
  }

  /**
   * The record of what is active can be older than what is shown: a crash came in between, or the newer record was
   * lost. As on a real host, what is shown then stays, as it is the target; a tree that failed its check does not.
   */
  async #restore(order: Order, ahead: ReleaseId | undefined): Promise<ActivationOutcome> {
    const shown = this.trees.get(order.channel)?.release
    if (shown === undefined || shown !== ahead || this.#sick.has(shown)) return this.#show(order)
    await this.#delay(order.life)
    return { kind: 'healthy', changed: 0 }
  }

  async #show({ life, store, channel, release, pages, ...order }: Order): Promise<ActivationOutcome> {
    const files = await this.#read(store, pages)
    await this.#delay(life)
    if (files === undefined) return { kind: 'failed', code: 'CONTENT_GONE', text: 'a block is gone' }
    if (order.isOff()) return { kind: 'failed', code: 'ACTIVATE_FAILED', text: 'withdrawn' }
    const before = this.trees.get(channel)
    const differs = before?.release !== release || !sameFiles(before.files, files)
    if (differs) {
      this.trees.set(channel, { release, files })
      this.#onSwap(channel, { release, files }, order.fallback)
    }
    if (this.#sick.has(release))
      return { kind: 'unhealthy', code: 'ACTIVATE_UNHEALTHY', text: 'the health check fails' }
    return { kind: 'healthy', changed: differs ? files.size : 0 }
  }

  async #read(store: StorePort, pages: readonly Digest[]): Promise<Map<string, Digest> | undefined> {
    const files = new Map<string, Digest>()
    for (const page of pages) {
      const bytes = await store.readBlock(page)
      if (bytes === undefined) return undefined
      for (const entry of decodePage(bytes, this.#limits)) {
        const parts: Uint8Array[] = []
        for (const block of entry.blocks) {
          const part = await store.readBlock(block.digest)
          if (part === undefined) return undefined
          parts.push(part)
        }
        files.set(entry.path, sha256(Buffer.concat(parts)))
      }
    }
    return files
  }

  #delay(life: number): Promise<void> {
    return new Promise((resolve) => {
      this.#time.after(between(this.#random, 1, 20), () => {
        if (life === this.#life) resolve()
      })
    })
  }
}

const sameFiles = (a: Tree['files'], b: Tree['files']): boolean =>
  a.size === b.size && [...a].every(([path, digest]) => b.get(path) === digest)
