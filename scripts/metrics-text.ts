/** `docs/metrics.md` as text, from the table the registry is made of. */
import { COUNTERS, GAUGES, HISTOGRAMS, type MetricRow, NETWORK } from '../src/daemon/metrics-table.ts'

export const METRIC_ROWS: readonly MetricRow[] = [COUNTERS, HISTOGRAMS, GAUGES, NETWORK].flatMap(
  (table): MetricRow[] => Object.values(table),
)

const INTRODUCTION = `# Metrics

<!-- Made by \`npm run docs:metrics\` from src/daemon/metrics-table.ts; a test says when it is out of date. -->

A node answers \`GET /metrics\` in the text form of Prometheus, on the address of \`api.listen\`; with \`api.tokenFile\` set,
send the token as for every other route. Rules for alerts: [alerts.yaml](alerts.yaml), each with the section of
[operations.md](operations.md) that says what to do; they take the scrape job to be named \`confmesh\`.

No metric has a label whose values come from peers or publishers, but for \`region\`: that is what the certificates of
admitted peers say. Times are seconds. The default metrics of a Node process (memory, CPU, event loop, garbage collection) are
there as well, with the prefix \`confmesh_\`.
`

const KINDS = [
  ['counter', 'Counters'],
  ['histogram', 'Histograms'],
  ['gauge', 'Gauges'],
] as const

export function metricsDocument(): string {
  const sections = KINDS.map(([type, title]) => {
    const rows = METRIC_ROWS.filter((row) => row.type === type)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, labels, help }) => `| \`${name}\` | ${labelText(labels)} | ${help} |`)
    return `\n## ${title}\n\n| name | labels | what it says |\n|---|---|---|\n${rows.join('\n')}\n`
  })
  return INTRODUCTION + sections.join('')
}

const labelText = (labels: readonly string[] = []): string =>
  labels.length === 0 ? '-' : labels.map((label) => `\`${label}\``).join(', ')
