/** Sum of a counter over all its labels, from a node's /metrics. @throws Error where the node does not have it */
export async function total(api: string, name: string): Promise<number> {
  const text = await (await fetch(`${api}/metrics`)).text()
  const lines = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
  if (lines.length === 0) throw new Error(`${api}/metrics has no ${name}`)
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}
