/**
 * One hostile process: admitted peers and strangers that send every kind of attack at one node, as fast as it goes. Told
 * what to do by one line of JSON on stdin, says on stdout what it has sent so far, a line a second.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { decodeEnvelopeJson } from '../src/codec/envelope-json.ts'
import { decodeReleaseGossip } from '../src/codec/gossip.ts'
import { decodeRoot } from '../src/codec/root.ts'
import { LIMITS } from '../src/limits.ts'
import type { Address, Channel, Name } from '../src/model/ids.ts'
import type { ShortDigest } from '../src/model/messages.ts'
import { issueNodeCertificate } from '../src/trust/certificates.ts'
import { privateKeyFromPem } from '../src/trust/private-key.ts'
import { ADMITTED, corruptBlocks, kindsOf, STRANGER, sendsOn } from '../test/attack/kit/attacks.ts'
import type { Aim, Attack } from '../test/attack/kit/bursts.ts'
import { Hostile, type Known } from '../test/attack/kit/hostile.ts'
import { attackInRounds, type Line, type Sent } from './rounds.ts'

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
  /** All that went out, of every kind. */
  readonly messages: number
  readonly byKind: Readonly<Record<string, Sent>>
  /** Connections made, anew after the node hung up or refused all that came on one. */
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
  readonly byKind: Record<string, Sent> = {}
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
    return Object.values(this.byKind).reduce((sum, { messages }) => sum + messages, 0)
  }

  async run(): Promise<void> {
    const loops = [
      ...Array.from({ length: ADMITTED_PEERS }, (_, at) => this.#loop(ADMITTED, at, true)),
      ...Array.from({ length: STRANGERS }, (_, at) => this.#loop(STRANGER, at, false)),
    ]
    await Promise.all(loops)
  }

  /** Goes round the attacks from a place of its own; whoever is thrown out comes back under another name. */
  #loop(attacks: Readonly<Record<string, Attack>>, at: number, admitted: boolean): Promise<void> {
    return attackInRounds({
      kinds: kindsOf(attacks, this.#orders.only),
      first: at * 3,
      connect: () => this.#connect(attacks, at, admitted),
      goesOn: () => performance.now() < this.#endMs,
      wrote: (kind, messages) => this.#count(kind, messages),
    })
  }

  async #connect(
    attacks: Readonly<Record<string, Attack>>,
    at: number,
    admitted: boolean,
  ): Promise<Line | undefined> {
    // every other one is of a region of its own, so that the node has a border to bridge
    const hostile = await Hostile.start(this.#known, at % 2 === 0 ? {} : { region: ELSEWHERE })
    hostile.answers = at % 4 < 2 ? corruptBlocks : sendsOn
    try {
      if (admitted) {
        await hostile.join(this.#orders.target)
        this.#overheard.push(...(await newest(hostile, this.#known)))
      } else await hostile.dial(this.#orders.target)
    } catch {
      // refused, as a node that has had enough may: tried again
      await hostile.stop()
      await delay(REDIAL_MS)
      return undefined
    }
    this.reconnects += 1
    return {
      get isOpen() {
        return hostile.connections > 0
      },
      burst: (kind) => this.#burst(hostile, attacks[kind] as Attack),
      end: () => hostile.stop(),
    }
  }

  async #burst(hostile: Hostile, attack: Attack): Promise<number> {
    this.#listen(hostile)
    const before = hostile.written
    try {
      await attack(hostile, this.#aim())
    } catch {
      // Thrown out in the middle of it: what went out before is counted.
    }
    // what was sent has to leave this process before the next burst is made
    await new Promise((resolve) => setImmediate(resolve))
    return hostile.written - before
  }

  #count(kind: string, messages: number): void {
    const before = this.byKind[kind] ?? { messages: 0, bursts: 0 }
    const bursts = before.bursts + (messages > 0 ? 1 : 0)
    this.byKind[kind] = { messages: before.messages + messages, bursts }
  }

  /** Honest releases that came by gossip. */
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

/**
 * The newest releases that the node stores, compared with as by one that has nothing. Gossip alone would leave to chance
 * what an attacker has to replay: a mesh that honest nodes fill does not take it in.
 */
async function newest(hostile: Hostile, { root }: Known): Promise<readonly Uint8Array[]> {
  const none = '0'.repeat(16) as ShortDigest
  const differ = await hostile.ask('sync', {
    type: 'digests',
    salt: randomBytes(16),
    root: root.version,
    beacons: [],
    digest: none,
    buckets: new Array<ShortDigest>(64).fill(none),
  })
  if (differ.type !== 'differ') return []
  const { buckets, subs } = differ
  const subBuckets = buckets.flatMap((bucket) =>
    Array.from({ length: subs }, (_, sub) => bucket * subs + sub),
  )
  const reply = await hostile.ask('sync', { type: 'entries', subBuckets, subs, entries: [] })
  return reply.type === 'envelopes' ? reply.envelopes : []
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
