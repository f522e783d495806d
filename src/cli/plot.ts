/**
 * Plots as SVG. The packages that draw are large and no node needs them: they are loaded when a plot is asked for, and
 * installed beside confmesh by whoever wants one.
 */
import { closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { extname } from 'node:path'
import { MeshError } from '../errors.ts'
import { pathFailure } from '../publish/path-failure.ts'

export interface Series {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
  /** No line joins its points. */
  readonly marksOnly?: boolean
}

export interface Axis {
  /** With its unit. */
  readonly title: string
  readonly scale: 'linear' | 'log'
}

export interface Plot {
  readonly title: string
  /** What the figures are: real or simulated, by which model. */
  readonly subtitle: readonly string[]
  readonly x: Axis
  readonly y: Axis
  readonly series: readonly Series[]
  /** A step for each point, or a line with a mark at each. */
  readonly mark: 'step' | 'points'
}

/** A line of a subtitle goes no further. */
const LINE_CHARACTERS = 110

/** As wide as the drawing. */
export function subtitleLines(text: string): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`.trimStart()
    if (longer.length > LINE_CHARACTERS) lines.push(word)
    else lines[lines.length - 1] = longer
  }
  return lines
}

/**
 * Before there is anything to draw: what is to be drawn may have taken minutes to reckon.
 * @returns draws to the file
 * @throws MeshError USAGE where the packages are not there or the name is that of another format, INPUT_PATH, STORE_FULL
 * or STORE_FAILED where the file cannot be written
 */
export async function openPlot(path: string): Promise<(plot: Plot) => Promise<void>> {
  const extension = extname(path)
  if (!['', '.svg'].includes(extension.toLowerCase()))
    throw new MeshError('USAGE', `--plot: what is written is SVG; name it .svg instead of ${extension}`)
  const packages = await drawing()
  const isNew = !existsSync(path)
  writing(path, () => closeSync(openSync(path, 'a')))
  if (isNew) rmSync(path)
  return async (plot) => {
    const svg = await svgOf(plot, packages)
    writing(path, () => writeFileSync(path, svg))
  }
}

export const writePlot = async (path: string, plot: Plot): Promise<void> => (await openPlot(path))(plot)

function writing(path: string, write: () => void): void {
  try {
    write()
  } catch (error) {
    throw pathFailure(`--plot: cannot write ${path}`, path, error)
  }
}

async function svgOf(plot: Plot, { vega, lite }: Packages): Promise<string> {
  const { spec } = lite.compile(specOf(plot))
  const view = new vega.View(vega.parse(spec), { renderer: 'none', logLevel: vega.Error })
  const svg = await view.toSVG()
  view.finalize()
  return `${svg}\n`
}

/** What is used of them. Their own types do not hold under `exactOptionalPropertyTypes`, hence no import by name. */
interface Vega {
  readonly Error: number
  parse(spec: object): object
  readonly View: new (
    runtime: object,
    options: { readonly renderer: 'none'; readonly logLevel: number },
  ) => { toSVG(): Promise<string>; finalize(): void }
}
interface VegaLite {
  compile(spec: object): { readonly spec: object }
}
interface Packages {
  readonly vega: Vega
  readonly lite: VegaLite
}
const PACKAGES = { vega: 'vega', lite: 'vega-lite' }

async function drawing(): Promise<Packages> {
  try {
    return { vega: (await import(PACKAGES.vega)) as Vega, lite: (await import(PACKAGES.lite)) as VegaLite }
  } catch (error) {
    throw new MeshError(
      'USAGE',
      '--plot needs two packages that confmesh does not bring; npm install vega@6 vega-lite@6 beside it',
      {},
      { cause: error },
    )
  }
}

/** One layer; where some series have no line, one for these beside it. */
function marksOf(series: readonly Series[], mark: Plot['mark']): object {
  const line =
    mark === 'step'
      ? { type: 'line', interpolate: 'step-after', strokeWidth: 2 }
      : { type: 'line', point: true, strokeWidth: 2 }
  const bare = series.filter(({ marksOnly }) => marksOnly === true).map(({ name }) => name)
  if (bare.length === 0) return { mark: line }
  const joined = series.map(({ name }) => name).filter((name) => !bare.includes(name))
  return {
    layer: [
      { transform: [{ filter: { field: 'name', oneOf: joined } }], mark: line },
      {
        transform: [{ filter: { field: 'name', oneOf: bare } }],
        mark: { type: 'point', shape: 'cross', size: 120, strokeWidth: 2, filled: false },
      },
    ],
  }
}

function specOf({ title, subtitle, x, y, series, mark }: Plot): object {
  const values = series.flatMap(({ name, points }) => points.map(([px, py]) => ({ name, x: px, y: py })))
  const axis = ({ title: text, scale }: Axis) => ({
    type: 'quantitative' as const,
    title: text,
    scale: scale === 'log' ? { type: 'log' as const, nice: false } : { zero: true },
    axis: scale === 'log' ? { format: ',', tickCount: 6 } : {},
  })
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: 560,
    height: 320,
    padding: 14,
    background: 'white',
    title: {
      text: title,
      subtitle: [...subtitle],
      anchor: 'start',
      fontSize: 15,
      subtitleFontSize: 11,
      offset: 12,
    },
    data: { values },
    ...marksOf(series, mark),
    encoding: {
      x: { field: 'x', ...axis(x) },
      y: { field: 'y', ...axis(y) },
      ...(series.length > 1
        ? {
            color: {
              field: 'name',
              type: 'nominal' as const,
              sort: series.map(({ name }) => name),
              legend: { title: null, orient: 'bottom' as const, labelLimit: 500, columns: 1 },
            },
          }
        : {}),
    },
    config: { font: 'sans-serif', view: { stroke: '#ddd' } },
  }
}
