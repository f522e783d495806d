/**
 * A large release while its origin dies, and a tenth of the nodes with it: as soon as every block lies with some node
 * that lives on, and while some of these lack something. Whatever is still missing can be had from the living, so each
 * of them completes. `CONFMESH_E2E_NODES=29` runs it with thirty processes; bench/origin-dies.ts kills by what the
 * origin has sent.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { BlockWatch, Held } from './block-watch.ts'
import { amongThem, DoomedFleet } from './doomed-fleet.ts'
import { RealFleet, until } from './real-fleet.ts'

const NODES = Number(process.env.CONFMESH_E2E_NODES ?? 11)
/** So long that nobody has it all when the origin dies. */
const PAYLOAD_BYTES = 24 * 1024 * 1024

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

test('the origin dies, a tenth of the nodes with it, once the others have every block among them: all who live complete', async () => {
  const watching = await doomed.watch(doomed.living)
  watch = watching
  const { release, places } = await doomed.publishLarge(PAYLOAD_BYTES)
  const held = (): Held[] => doomed.living.map((node) => watching.held(node, release))
  await until(
    'those who live on have every block among them',
    240_000,
    async () => amongThem(held(), places) === places,
  )
  const atDeath = held().map((one) => one.count(places))
  await doomed.kill()
  await watching.stop()
  expect(Math.min(...atDeath), 'some of the living lack something').toBeLessThan(places)
  await doomed.survived(release, 240_000)
}, 600_000)
