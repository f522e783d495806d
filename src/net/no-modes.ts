/**
 * File systems that keep no modes, such as FAT, exFAT and many shares: of each file there they say what they were mounted
 * with, whatever was asked for.
 */
import { MeshError } from '../errors.ts'

interface Moded {
  readonly mode: number
}

/** Bits of a mode by which others than the owner could use a key. */
export const OTHERS_MAY = 0o077

/** As `chmod` writes it. */
export const octal = ({ mode }: Moded): string => (mode & 0o777).toString(8).padStart(4, '0')

/** For whoever was told to `chmod` a file that is there already. */
export const WHERE_NO_MODES =
  'where that changes nothing its file system keeps no modes: copy it to one that does, and run chmod there'

/** Of a key that is to be made. @param file as it is found to be, still empty */
export function keepsNoModes(path: string, file: Moded, cause?: unknown): MeshError {
  return new MeshError(
    'CONFIG_KEY_MODE',
    `cannot write ${path} as a key: this file system keeps no modes, the file has ${octal(file)} and others could use it; name a folder on one that keeps them`,
    { path },
    { cause },
  )
}
