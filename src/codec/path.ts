/**
 * Which paths a release may hold. A path is refused wherever any common file system would read it as another
 * one: outside the tree, or equal to a neighbour. A manifest with one bad path is refused as a whole.
 */
import { MeshError } from '../errors.ts'
import { LIMITS, type Limits } from '../limits.ts'
import { shown } from '../model/names.ts'

type PathLimits = Pick<Limits, 'maxPathBytes' | 'maxPathSegmentBytes'>

const refuse = (path: string, reason: string): MeshError =>
  new MeshError('CONTENT_PATH', `path ${shown(path)}: ${reason}; rename the file`)

/** By a bound that is set lower on this host: others may take it. */
function refuseLonger(path: string, bytes: number, name: keyof PathLimits, limits: PathLimits): MeshError {
  const what = name === 'maxPathBytes' ? 'longer' : 'a segment is longer'
  const reason = `${what} than ${limits[name]} bytes (limits.${name})`
  if (bytes > LIMITS[name]) return refuse(path, reason)
  const text = `path ${shown(path)}: ${reason}, a limit of this host; raise it there, or rename the file`
  return new MeshError('LIMIT_CONTENT', text)
}

/** Characters that some file systems drop or do not show (zero-width, variation selectors, marks of direction). */
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/gu
const CONTROL = /\p{Cc}/u
const BLANK_OR_DOT_END = /[\s.]$/u
const DRIVE = /^[a-z]:/i

/**
 * Segments that fold to the same key are one name to some file system: NFC, full case folding by way of upper
 * case (`ß` = `SS`, `ſ` = `s`), ignorables dropped as HFS+ does. Lower case comes first: `ẞ` is upper case already.
 */
export const foldSegment = (segment: string): string =>
  // Most names are plain ASCII, for which lower case is all of it.
  /^[\x20-\x7e]*$/.test(segment)
    ? segment.toLowerCase()
    : segment
        .normalize('NFD')
        .replace(IGNORABLE, '')
        .toLowerCase()
        .toUpperCase()
        .toLowerCase()
        .normalize('NFC')

function checkSegment(path: string, segment: string, limits: PathLimits): void {
  if (segment === '') throw refuse(path, 'absolute, or with an empty segment')
  if (segment === '.' || segment === '..') throw refuse(path, `has the segment "${segment}"`)
  const bytes = Buffer.byteLength(segment)
  if (bytes > limits.maxPathSegmentBytes) throw refuseLonger(path, bytes, 'maxPathSegmentBytes', limits)
  if (DRIVE.test(segment)) throw refuse(path, 'a segment begins like a drive ("c:")')
  if (BLANK_OR_DOT_END.test(segment)) throw refuse(path, 'a segment ends in a dot or blank')
  const folded = foldSegment(segment)
  // What is left of "..<zero width joiner>" where ignorables are dropped.
  if (folded === '' || BLANK_OR_DOT_END.test(folded))
    throw refuse(path, 'a segment is empty or dots to some systems')
}

/**
 * One path by itself; `PathTree` finds collisions.
 * @throws MeshError CONTENT_PATH, LIMIT_CONTENT (over a limit that is lower here than it is built in)
 */
export function checkPath(path: string, limits: PathLimits): readonly string[] {
  if (path === '') throw refuse(path, 'empty')
  const bytes = Buffer.byteLength(path)
  if (bytes > limits.maxPathBytes) throw refuseLonger(path, bytes, 'maxPathBytes', limits)
  if (!path.isWellFormed()) throw refuse(path, 'not valid Unicode')
  if (path.startsWith('\ufeff')) throw refuse(path, 'begins with a byte order mark')
  if (CONTROL.test(path)) throw refuse(path, 'holds a control character')
  if (path.includes('\\')) throw refuse(path, 'holds a backslash')
  const segments = path.split('/')
  for (const segment of segments) checkSegment(path, segment, limits)
  return segments
}

/** Order of paths in a manifest: by UTF-8 bytes. (Code units differ from it beyond U+D7FF.) */
export function comparePaths(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b))
}

interface Node {
  readonly id: number
  /** As first written; the same folded name in another spelling is a collision. */
  readonly spelling: string
  readonly file: boolean
}

/**
 * All prefixes of all paths seen, by their folded names. One node per distinct folder and file, keyed by the
 * parent's number and the folded segment, so memory is bounded by the bytes of the manifest, not by path depth.
 */
export class PathTree {
  readonly #limits: PathLimits & Pick<Limits, 'maxFiles'>
  readonly #nodes = new Map<string, Node>()
  #folders = 0

  constructor(limits: PathLimits & Pick<Limits, 'maxFiles'>) {
    this.#limits = limits
  }

  /** @throws MeshError CONTENT_PATH, LIMIT_CONTENT (as `checkPath`; more folders than files may be) */
  add(path: string): void {
    const segments = checkPath(path, this.#limits)
    let parent = 0
    for (const [index, spelling] of segments.entries()) {
      const file = index === segments.length - 1
      const key = `${parent}/${foldSegment(spelling)}`
      const known = this.#nodes.get(key)
      if (known === undefined) parent = this.#insert(key, spelling, file)
      else if (known.file || file)
        throw refuse(path, 'the same file twice (case or Unicode form), or file and folder')
      else if (known.spelling !== spelling)
        throw refuse(path, `a folder is also spelled ${shown(known.spelling)} (case or Unicode form)`)
      else parent = known.id
    }
  }

  #insert(key: string, spelling: string, file: boolean): number {
    if (!file && ++this.#folders > this.#limits.maxFiles)
      throw new MeshError('LIMIT_CONTENT', `manifest: more than ${this.#limits.maxFiles} folders`)
    const id = this.#nodes.size + 1
    this.#nodes.set(key, { id, spelling, file })
    return id
  }
}
