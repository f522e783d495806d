/**
 * One hostile process: admitted peers and strangers that send every kind of attack at one node, as fast as it goes. Told
 * what to do by one line of JSON on stdin, says on stdout what it has sent so far, a line a second.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { decodeEnvelopeJson } from '../src/codec/envelope-json.ts'
import { decodeReleaseGossip } from '../src/codec/gossip.ts'
import { decodeRoot } from '../src/codec/root.ts'
import { LIMITS } from '../src/limits.ts'
import type { Address, Channel, Name } from '../src/model/ids.ts'
import { issueNodeCertificate } from '../src/trust/certificates.ts'
import { privateKeyFromPem } from '../src/trust/private-key.ts'
import { ADMITTED, corruptBlocks, STRANGER, sendsOn } from '../test/attack/kit/attacks.ts'
import type { Aim, Attack } from '../test/attack/kit/bursts.ts'
import { Hostile, type Known } from '../test/attack/kit/hostile.ts'

export interface Orders {
  /** As `confmesh init` made it; the admission key in it is how the hostile peers got in. */
  readonly folder: string
  readonly target: Address
  readonly channel: string
  readonly publisher: string
  readonly seconds: number
  /** Those attacks alone whose name has this in it; empty: all. */
  readonly only: string
}

export interface Said {
  readonly messages: number
  readonly byKind: Readonly<Record<string, number>>
  /** Connections made anew after the node hung up. */
  readonly reconnects: number
  readonly done: boolean
}

const ADMITTED_PEERS = 6
const STRANGERS = 6
const ELSEWHERE = 'elsewhere'
const DAY_MS = 86_400_000
const OVERHEARD = 50
/** The node takes 50 connections a second from one address; a refused dial is tried again after this. */
const REDIAL_MS = 50

class Attacker {
  readonly byKind: Record<string, number> = {}
  reconnects = 0
  readonly #orders: Orders
  readonly #known: Known
  readonly #overheard: Uint8Array[] = []
  readonly #endMs: number

  constructor(orders: Orders) {
    this.#orders = orders
    this.#known = knownOf(orders.folder)
    this.#endMs = performance.now() + orders.seconds * 1_000
  }

  get messages(): number {
    return Object.values(this.byKind).reduce((sum, count) => sum + count, 0)
  }

  async run(): Promise<void> {
    const loops = [
      ...Array.from({ length: ADMITTED_PEERS }, (_, at) => this.#loop(ADMITTED, at, true)),
      ...Array.from({ length: STRANGERS }, (_, at) => this.#loop(STRANGER, at, false)),
    ]
    await Promise.all(loops)
  }

  /** Goes round the attacks from a place of its own; whoever is thrown out comes back under another name. */
  async #loop(attacks: Readonly<Record<string, Attack>>, first: number, admitted: boolean): Promise<void> {
    const names = Object.keys(attacks).filter((name) => name.includes(this.#orders.only))
    if (names.length === 0) return
    let next = first * 3
    while (performance.now() < this.#endMs) {
      // every other one is of a region of its own, so that the node has a border to bridge
      const hostile = await Hostile.start(this.#known, first % 2 === 0 ? {} : { region: ELSEWHERE })
      hostile.answers = first % 4 < 2 ? corruptBlocks : sendsOn
      let under: string | undefined
      try {
        if (admitted) await hostile.join(this.#orders.target)
        else await hostile.dial(this.#orders.target)
        this.reconnects += 1
        while (performance.now() < this.#endMs && hostile.connections > 0) {
          const name = names[next++ % names.length] ?? ''
          this.#listen(hostile)
          under = name
          this.#count(name, await (attacks[name] as Attack)(hostile, this.#aim()))
          under = undefined
          // what was sent has to leave this process before the next burst is made
          await new Promise((resolve) => setImmediate(resolve))
        }
      } catch {
        // Thrown out in the middle of a burst: its first message at least was sent.
        if (under !== undefined) this.#count(under, 1)
        await delay(REDIAL_MS)
      } finally {
        await hostile.stop()
      }
    }
  }

  #count(name: string, messages: number): void {
    this.byKind[name] = (this.byKind[name] ?? 0) + messages
  }

  /** Honest releases that came by. */
  #listen(hostile: Hostile): void {
    for (const bytes of hostile.heard.splice(0)) {
      try {
        this.#overheard.push(decodeReleaseGossip(bytes, LIMITS).envelope)
      } catch {
        // a message of the other topic
      }
    }
    this.#overheard.splice(0, Math.max(0, this.#overheard.length - OVERHEARD))
  }

  #aim(): Aim {
    const { root } = this.#known
    return {
      fleet: root.fleetId,
      root: root.version,
      channel: this.#orders.channel as Channel,
      publisher: this.#orders.publisher as Name,
      keys: root.publishers.get(this.#orders.publisher as Name)?.keys ?? [],
      overheard: this.#overheard,
    }
  }
}

function knownOf(folder: string): Known {
  const root = decodeRoot(
    decodeEnvelopeJson(readFileSync(join(folder, 'root.json'), 'utf8'), LIMITS).payload,
    LIMITS,
  )
  const key = privateKeyFromPem(readFileSync(join(folder, 'admission.key'), 'utf8'))
  const notBefore = Math.floor(Date.now() / 1_000) * 1_000 - DAY_MS
  return {
    root,
    chainFor: (peer, _key, labels = new Map()) => [
      issueNodeCertificate({ peer, labels, notBefore, notAfter: notBefore + 30 * DAY_MS }, key),
    ],
  }
}

async function main(): Promise<void> {
  const line = await new Promise<string>((resolve) =>
    createInterface(process.stdin).once('line', (text) => resolve(text)),
  )
  const attacker = new Attacker(JSON.parse(line) as Orders)
  const say = (done: boolean) => {
    const { messages, byKind, reconnects } = attacker
    process.stdout.write(`${JSON.stringify({ messages, byKind, reconnects, done } satisfies Said)}\n`)
  }
  const timer = setInterval(() => say(false), 1_000)
  await attacker.run()
  clearInterval(timer)
  say(true)
  process.exit(0)
}

await main()
