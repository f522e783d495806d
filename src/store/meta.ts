import { MeshError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import type { FleetId } from '../model/ids.ts'
import type { GuardedDatabase } from './guarded-database.ts'
import { FLEET_KEY, FORMAT, FORMAT_KEY, OLDEST_FORMAT } from './keys.ts'
import { putFleet, putFormat } from './operations.ts'
import { FLEET, FORMAT_RECORD, readRecord } from './records.ts'

/** @throws MeshError STORE_VERSION */
export function checkFormat(format: number, dir: string): void {
  if (format >= OLDEST_FORMAT && format <= FORMAT) return
  const advice =
    format > FORMAT
      ? 'it was written by a newer build; upgrade this node, or remove this folder alone, as a lost store'
      : 'no build of this line wrote it'
  throw new MeshError('STORE_VERSION', `${dir} has format ${format}, this build knows ${FORMAT}: ${advice}`, {
    format,
    known: FORMAT,
  })
}

/** @throws MeshError STORE_VERSION */
export async function checkItsFormat(
  database: Pick<GuardedDatabase, 'get'>,
  dir: string,
  limits: Limits,
): Promise<number | undefined> {
  const sealed = await database.get(FORMAT_KEY)
  const format = sealed === undefined ? undefined : readRecord(FORMAT_RECORD, FORMAT_KEY, sealed, limits)
  if (format !== undefined) checkFormat(format, dir)
  return format
}

/**
 * Says in the store what it is and whose, once it is sure that nobody else's is opened. An older format is raised before
 * anything is written that an older build could misread; what that one wrote stays as it is.
 *
 * @throws MeshError STORE_VERSION, CONFIG_INVALID
 */
export async function checkMeta(
  database: Pick<GuardedDatabase, 'get' | 'write'>,
  { dir, fleetId, limits }: { readonly dir: string; readonly fleetId?: FleetId; readonly limits: Limits },
): Promise<void> {
  const format = await checkItsFormat(database, dir, limits)
  const sealedFleet = await database.get(FLEET_KEY)
  const fleet = sealedFleet === undefined ? undefined : readRecord(FLEET, FLEET_KEY, sealedFleet, limits)
  if (fleetId !== undefined && fleet !== undefined && fleet !== fleetId)
    throw new MeshError(
      'CONFIG_INVALID',
      `${dir} belongs to fleet ${fleet.slice(0, 12)}, not ${fleetId.slice(0, 12)}; give this node another data folder`,
      { dir },
    )
  const missing = [
    ...(format === FORMAT ? [] : [putFormat()]),
    ...(fleetId !== undefined && fleet === undefined ? [putFleet(fleetId)] : []),
  ]
  if (missing.length > 0) await database.write(missing, true)
}
