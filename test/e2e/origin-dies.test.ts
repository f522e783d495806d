/**
 * A large release while its origin dies, and a tenth of the nodes with it: as soon as every block lies with some node
 * that lives on, and while some of these lack something. Whatever is still missing can be had from the living, so each
 * of them completes. `CONFMESH_E2E_NODES=29` runs it with thirty processes; bench/origin-dies.ts kills by what the
 * origin has sent.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { BlockWatch } from './block-watch.ts'
import { amongThem, DoomedFleet } from './doomed-fleet.ts'
import { RealFleet, until } from './real-fleet.ts'

const NODES = Number(process.env.CONFMESH_E2E_NODES ?? 11)
/** So long that not all have it all when the origin dies. */
const PAYLOAD_BYTES = 24 * 1024 * 1024
/** Where they have before this process came to look, as on a busy machine, the next release is the one. */
const TRIES = 3

const fleet = new RealFleet()
let doomed: DoomedFleet
let watch: BlockWatch | undefined

beforeAll(async () => {
  doomed = await DoomedFleet.start(fleet, NODES)
}, 600_000)
afterAll(async () => {
  await watch?.stop()
  await fleet.end()
})

/** Publishes until those who live on have every block among them, and some of them lack something. @returns that release */
async function amongTheLiving(watching: BlockWatch): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    const { release, places } = await doomed.publishLarge(PAYLOAD_BYTES)
    const least = await until('those who live on have every block among them', 240_000, async () => {
      const held = await Promise.all(doomed.living.map((node) => watching.held(node, release)))
      if (amongThem(held, places) === places) return Math.min(...held.map((one) => one.count(places)))
      // A watcher that was cut off meanwhile may have missed that a node has all.
      return (await doomed.isEverywhere(release)) && places
    })
    // What a watcher that was cut off has missed is nothing that its node lacks.
    if (least < places && !(await doomed.isEverywhere(release))) return release
    expect(tries, 'some of the living lack something').toBeLessThan(TRIES)
    await doomed.survived(release, 240_000)
  }
}

test('the origin dies, a tenth of the nodes with it, once the others have every block among them: all who live complete', async () => {
  watch = await doomed.watch(doomed.living)
  const release = await amongTheLiving(watch)
  await doomed.kill()
  await watch.stop()
  await doomed.survived(release, 240_000)
}, 600_000)
