import { Command } from 'commander'

/** As its user would, in this process. */
export async function run(of: (program: Command) => void, ...words: readonly string[]): Promise<void> {
  const program = new Command()
  of(program)
  await program.parseAsync(words, { from: 'user' })
}
