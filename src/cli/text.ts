import { paints } from '../daemon/paints.ts'
import { printable } from './output.ts'

/**
 * The first 12 digits: enough to tell releases apart, and accepted wherever a release is named. What a node gives as an id
 * need not be digits.
 */
export const short = (id: string): string => printable(id.slice(0, 12))

const UNITS = ['B', 'KiB', 'MiB', 'GiB']

export function size(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`
}

/** To the second, and in UTC as a node says it: `2030-01-01 12:00:00Z`. */
export const momentText = (time: string): string => `${time.slice(0, 19).replace('T', ' ')}Z`

/** Colours and redrawing only where someone looks. */
export const isTerminal = (): boolean => process.stdout.isTTY === true && paints(process.env)

/** A table without lines: cli-table3's characters. */
export const PLAIN = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
}
